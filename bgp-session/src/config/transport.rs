//! [`TransportConfig`]: what the sockets of one peer need to know, and the methods of [`PeerConfig`] that say it.
//!
//! Values are judged when the peer is added. How an option is set is the business of `socket`.

use std::{fmt, net::IpAddr, ops::RangeInclusive, time::Duration};

use bgp_core::peer::{ConfigChange, TakesEffect};

use crate::{AoKey, PeerConfig, SpeakerError};

/// The socket options of one peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransportConfig {
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) source_ports: Option<RangeInclusive<u16>>,
    pub(crate) device: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) ao_keys: Vec<AoKey>,
    pub(crate) reach: Reach,
    pub(crate) dscp: Option<u8>,
    pub(crate) user_timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
}

/// How far the peer is, in the time to live of IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The system's time to live.
    #[default]
    Anywhere,
    /// That time to live.
    Ttl(u8),
    /// That time to live, and several hops on the way.
    Multihop(u8),
    /// RFC 5082: 255, and nothing is taken that has come further than so many hops.
    Security {
        /// 1: from the link.
        hops: u8,
    },
}

impl Reach {
    /// The time to live to send with; `None`: the system's.
    pub(crate) fn ttl(self) -> Option<u8> {
        match self {
            Self::Anywhere => None,
            Self::Ttl(ttl) | Self::Multihop(ttl) => Some(ttl),
            Self::Security { .. } => Some(255),
        }
    }

    /// The least time to live to take; `None`: any.
    pub(crate) fn minimum_ttl(self) -> Option<u8> {
        match self {
            Self::Security { hops } => Some(255 - hops.saturating_sub(1)),
            Self::Anywhere | Self::Ttl(_) | Self::Multihop(_) => None,
        }
    }
}

impl PeerConfig {
    /// The local address to dial from. Default: what the routing table says.
    #[must_use]
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.transport.local_address = Some(address.to_canonical());
        self
    }

    /// The ports to dial from, for firewalls. They are tried in turn, from another one each time. Default:
    /// the system's choice.
    #[must_use]
    pub fn source_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.transport.source_ports = Some(ports);
        self
    }

    /// The interface, or the VRF, that the peer is reached through (`SO_BINDTODEVICE`), by its name. What comes
    /// from the peer's address through another one is a stranger's. Linux only. Default: any.
    #[must_use]
    pub fn bind_device(mut self, name: impl Into<String>) -> Self {
        self.transport.device = Some(name.into());
        self
    }

    /// A TCP MD5 password (RFC 2385) of 1 to 80 octets, on the dialled connection and on the
    /// listener for this peer's address. Linux only; elsewhere adding the peer is refused.
    #[must_use]
    pub fn password(mut self, password: impl Into<Password>) -> Self {
        self.transport.password = Some(password.into());
        self
    }

    /// Keys of TCP-AO (RFC 5925), on the dialled connection and on the listener for this peer's address; the
    /// first is sent with, each is accepted. Linux 6.7 and later, with `CONFIG_TCP_AO`; elsewhere adding the
    /// peer is refused. Not together with a password.
    #[must_use]
    pub fn ao_keys(mut self, keys: impl IntoIterator<Item = AoKey>) -> Self {
        self.transport.ao_keys = keys.into_iter().collect();
        self
    }

    /// The IP time to live (IPv6: hop limit) of what is sent, 1 to 255; 1 keeps the session on the link.
    /// Default: the system's, also for an external peer, which therefore may be some hops away: whoever wants
    /// the session to be from the link alone has [`ttl_security`](Self::ttl_security), which is stronger.
    ///
    /// Of this, [`multihop`](Self::multihop) and [`ttl_security`](Self::ttl_security) the last one holds.
    #[must_use]
    pub fn ttl(mut self, hops: u8) -> Self {
        self.transport.reach = Reach::Ttl(hops);
        self
    }

    /// The peer is up to so many hops away, 1 to 255 (`ebgp-multihop` of routers): the time to live of what is
    /// sent, and the kind of BFD (RFC 5883).
    #[must_use]
    pub fn multihop(mut self, hops: u8) -> Self {
        self.transport.reach = Reach::Multihop(hops);
        self
    }

    /// The Generalized TTL Security Mechanism (RFC 5082) for a peer that is `hops` away, 1 on the link: what is
    /// sent has a time to live of 255, and what arrives with less than that allows is dropped by the system,
    /// on accepted connections too. The peer must have it as well. Linux only.
    #[must_use]
    pub fn ttl_security(mut self, hops: u8) -> Self {
        self.transport.reach = Reach::Security { hops };
        self
    }

    /// The Differentiated Services Code Point of what is sent, 0 to 63. Default: 48, CS6, network control (RFC
    /// 4594 section 3.1).
    #[must_use]
    pub fn dscp(mut self, code_point: u8) -> Self {
        self.transport.dscp = Some(code_point);
        self
    }

    /// Give a connection up when what was sent isn't acknowledged for that long (`TCP_USER_TIMEOUT`, RFC
    /// 5482), keepalive probes of TCP included. Linux only. Default: ten minutes of unanswered probes, for
    /// the hold timer notices a half-open connection sooner; this is for sessions without one.
    #[must_use]
    pub fn user_timeout(mut self, time: Duration) -> Self {
        self.transport.user_timeout = Some(time);
        self
    }

    /// How long to wait for an answer when dialling. Default: three fifths of
    /// [`connect_retry`](Self::connect_retry), so that a peer that never answers is a failure that
    /// can be told of.
    #[must_use]
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.transport.connect_timeout = Some(time);
        self
    }

    /// Whether the peer is said to be some hops away.
    pub(crate) fn is_multihop(&self) -> bool {
        match self.transport.reach {
            Reach::Multihop(_) => true,
            Reach::Security { hops } => hops > 1,
            Reach::Anywhere | Reach::Ttl(_) => false,
        }
    }

    /// Returns true if the session cannot cross a router.
    pub(crate) fn is_on_link(&self) -> bool {
        let link_local =
            matches!(self.id().address(), IpAddr::V6(v6) if v6.is_unicast_link_local());
        link_local || matches!(self.transport.reach, Reach::Ttl(1) | Reach::Security { hops: 1 })
    }

    /// Refuses values that no socket could do with.
    pub(crate) fn check_transport(&self) -> Result<(), SpeakerError> {
        let transport = &self.transport;
        let refuse = |field, value: &dyn fmt::Debug, expected| {
            let value = format!("{value:?}");
            Err(SpeakerError::PeerConfig { peer: self.id(), field, value, expected })
        };
        if let Some(local) = transport.local_address {
            if local.is_ipv4() != self.id().address().is_ipv4() {
                return refuse("local_address", &local, "the same IP version as the peer's");
            }
        }
        if let Some(ports) = &transport.source_ports {
            if ports.is_empty() || *ports.start() == 0 {
                return refuse("source_ports", &ports, "a range of ports from 1 to 65535");
            }
        }
        match transport.reach {
            Reach::Ttl(0) => return refuse("ttl", &0, "1 to 255"),
            Reach::Multihop(0) => return refuse("multihop", &0, "1 to 255"),
            Reach::Security { hops: hops @ (0 | 255) } => {
                return refuse("ttl_security", &hops, "1 to 254");
            }
            Reach::Anywhere | Reach::Ttl(_) | Reach::Multihop(_) | Reach::Security { .. } => {}
        }
        if let Some(dscp) = transport.dscp.filter(|dscp| *dscp > 63) {
            return refuse("dscp", &dscp, "0 to 63");
        }
        if let Some(device) = &transport.device {
            // IFNAMSIZ, with the zero at its end.
            if device.is_empty() || device.len() > 15 || device.contains(['/', '\0', ' ']) {
                return refuse("bind_device", device, "the name of an interface, 1 to 15 octets");
            }
        }
        self.check_authentication()?;
        if !cfg!(target_os = "linux") && transport.needs_linux() {
            return refuse("transport", &transport, "options that other systems than Linux have");
        }
        Ok(())
    }

    fn check_authentication(&self) -> Result<(), SpeakerError> {
        let refuse = |field, value: &dyn fmt::Debug, expected| {
            let value = format!("{value:?}");
            Err(SpeakerError::PeerConfig { peer: self.id(), field, value, expected })
        };
        let TransportConfig { password, ao_keys, .. } = &self.transport;
        if let Some(password) = password {
            if !(1..=Password::LONGEST).contains(&password.0.len()) {
                return refuse("password", password, "1 to 80 octets");
            }
            if !ao_keys.is_empty() {
                return refuse("ao_keys", ao_keys, "either a password or keys of TCP-AO");
            }
        }
        for (index, key) in ao_keys.iter().enumerate() {
            if !(1..=AoKey::LONGEST).contains(&key.secret.0.len()) {
                return refuse("ao_keys", key, "a secret of 1 to 80 octets");
            }
            let others = ao_keys.iter().take(index);
            if others
                .into_iter()
                .any(|other| other.send_id == key.send_id || other.receive_id == key.receive_id)
            {
                return refuse("ao_keys", key, "another SendID and RecvID for each key");
            }
        }
        Ok(())
    }
}

impl TransportConfig {
    /// The values in which `new` differs: most need another connection.
    pub(crate) fn changes(&self, new: &Self) -> Vec<ConfigChange> {
        use TakesEffect::{NextSession, Reset};
        let mut changes = Vec::new();
        // Without a rest pattern: whoever adds a field decides here.
        macro_rules! compare {
            ($($field:ident: $takes_effect:expr),* $(,)?) => {
                let Self { $($field),* } = self;
                $(if *$field != new.$field {
                    changes.push(ConfigChange { field: stringify!($field), takes_effect: $takes_effect });
                })*
            };
        }
        compare! {
            local_address: Reset,
            source_ports: NextSession,
            device: Reset,
            password: Reset,
            ao_keys: Reset,
            reach: Reset,
            dscp: NextSession,
            user_timeout: NextSession,
            connect_timeout: NextSession,
        }
        changes
    }

    /// Whether segments are signed.
    pub(crate) fn has_authentication(&self) -> bool {
        self.password.is_some() || !self.ao_keys.is_empty()
    }

    /// Whether segments are signed alike.
    pub(crate) fn has_same_authentication(&self, other: &Self) -> bool {
        self.password == other.password && self.ao_keys == other.ao_keys
    }

    fn needs_linux(&self) -> bool {
        self.has_authentication()
            || self.device.is_some()
            || self.user_timeout.is_some()
            || self.reach.minimum_ttl().is_some()
    }
}

/// A secret of RFC 2385 or RFC 5925. `Debug` doesn't show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<[u8]>);

impl Password {
    /// TCP_MD5SIG_MAXKEYLEN and TCP_AO_MAXKEYLEN of Linux.
    pub const LONGEST: usize = 80;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().into())
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<&[u8]> for Password {
    fn from(octets: &[u8]) -> Self {
        Self(octets.into())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}
