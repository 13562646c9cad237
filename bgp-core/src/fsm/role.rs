//! Roles of peers towards each other (RFC 9234), as negotiated by OPENs.
//!
//! The RIBs apply roles to routes, by the Only to Customer attribute.

use crate::fsm::Refusal;
use crate::wire::{Capability, Open, Role};

/// Our role towards an external peer, offered in the OPEN (RFC 9234, section 4).
///
/// A role is never offered to an internal peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "RFC 9234, section 4, has these two")]
pub struct RoleConfig {
    /// Our role towards the peer.
    pub role: Role,
    /// True for strict mode: a peer that names no role is refused, like a peer whose role does not fit ours.
    pub strict: bool,
}

impl RoleConfig {
    /// A role without strict mode: peers that name none are accepted.
    #[must_use]
    pub const fn new(role: Role) -> Self {
        Self { role, strict: false }
    }

    /// Returns the role that the peer names, if it fits ours (RFC 9234, section 4.2).
    pub(super) fn judge(self, open: &Open) -> Result<Option<Role>, Refusal> {
        let mut roles = open.capabilities.iter().filter_map(|capability| match capability {
            Capability::Role(role) => Some(*role),
            _ => None,
        });
        let Some(theirs) = roles.next() else {
            return if self.strict {
                Err(Refusal::RoleMissing { ours: self.role })
            } else {
                Ok(None)
            };
        };

        // A peer that names two different roles does not fit.
        if let Some(other) = roles.find(|other| *other != theirs) {
            return Err(Refusal::RoleMismatch { ours: self.role, theirs: other });
        }
        if counterpart(self.role) != Some(theirs) {
            return Err(Refusal::RoleMismatch { ours: self.role, theirs });
        }
        Ok(Some(theirs))
    }
}

/// The only role that fits at the other end. `None` for a value that RFC 9234 does not define.
fn counterpart(role: Role) -> Option<Role> {
    match role {
        Role::PROVIDER => Some(Role::CUSTOMER),
        Role::CUSTOMER => Some(Role::PROVIDER),
        Role::ROUTE_SERVER => Some(Role::ROUTE_SERVER_CLIENT),
        Role::ROUTE_SERVER_CLIENT => Some(Role::ROUTE_SERVER),
        Role::PEER => Some(Role::PEER),
        Role(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Asn, BgpIdentifier};

    fn open(roles: &[Role]) -> Open {
        let capabilities = roles.iter().map(|role| Capability::Role(*role)).collect();
        Open::new(Asn(64635), 90, BgpIdentifier::new(10, 0, 0, 2), capabilities)
    }

    #[test]
    fn only_the_pairs_of_the_rfc_fit() {
        let pairs = [(0, 3), (3, 0), (1, 2), (2, 1), (4, 4)];
        for ours in 0..6 {
            for theirs in 0..6 {
                let judged = RoleConfig::new(Role(ours)).judge(&open(&[Role(theirs)]));
                let fits = pairs.contains(&(ours, theirs));
                assert_eq!(judged.is_ok(), fits, "{ours} and {theirs}");
                if let Err(refusal) = judged {
                    let notification = refusal.notification();
                    assert_eq!((notification.code.0, notification.subcode), (2, 11));
                }
            }
        }
    }

    #[test]
    fn a_peer_without_a_role_is_refused_only_in_strict_mode() {
        let lenient = RoleConfig::new(Role::CUSTOMER);
        assert_eq!(lenient.judge(&open(&[])), Ok(None));
        let strict = RoleConfig { strict: true, ..lenient };
        let refusal = strict.judge(&open(&[])).unwrap_err();
        assert_eq!(refusal.notification().subcode, 11);
        assert_eq!(
            refusal.to_string(),
            "the peer names no role (RFC 9234), expected provider, since we are its customer"
        );
    }

    #[test]
    fn the_same_role_named_twice_fits_and_two_different_roles_do_not() {
        let config = RoleConfig::new(Role::CUSTOMER);
        let twice = config.judge(&open(&[Role::PROVIDER, Role::PROVIDER]));
        assert_eq!(twice, Ok(Some(Role::PROVIDER)));
        assert!(config.judge(&open(&[Role::PROVIDER, Role::PEER])).is_err());
    }
}
