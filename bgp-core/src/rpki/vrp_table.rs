//! [`VrpTable`]: the VRPs of a cache, and the validity of routes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::iter::Peekable;
use std::sync::Arc;

use ipnet::IpNet;

use crate::Asn;
use crate::prefix_index::{Address, PrefixIndex};

use super::{Validity, Vrp};

/// A set of VRPs.
///
/// Validating a route takes time in proportion to the logarithm of the size, and to the number of VRPs that cover the
/// prefix. The table never changes: clones share it, and a new one replaces it.
///
/// ```
/// use bgp_core::Asn;
/// use bgp_core::rpki::{Validity, Vrp, VrpTable};
///
/// let table = VrpTable::from([Vrp::new("192.0.2.0/24".parse()?, Asn(64500)).max_length(25)]);
/// assert_eq!(table.validate("192.0.2.128/25".parse()?, Some(Asn(64500))), Validity::Valid);
/// assert_eq!(table.validate("192.0.2.0/26".parse()?, Some(Asn(64500))), Validity::Invalid);
/// assert_eq!(table.validate("198.51.100.0/24".parse()?, Some(Asn(64500))), Validity::NotFound);
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize), serde(from = "Vec<Vrp>"))]
pub struct VrpTable {
    pub(super) families: Arc<Families>,
}

#[derive(Default, PartialEq, Eq)]
pub(super) struct Families {
    v4: PrefixIndex<u32, Permission>,
    v6: PrefixIndex<u128, Permission>,
}

/// The part of a VRP beside its prefix, in the order of [`Vrp`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Permission {
    max_length: u8,
    asn: Asn,
}

impl VrpTable {
    /// The validity of a route (RFC 6811, section 2.1). `origin` is its [`route_origin`](super::route_origin).
    #[must_use]
    pub fn validate(&self, prefix: IpNet, origin: Option<Asn>) -> Validity {
        let Families { v4, v6 } = &*self.families;
        if let Some((address, length)) = Address::of(prefix) {
            return validate(v4.covering(address, length), length, origin);
        }
        match Address::of(prefix) {
            Some((address, length)) => validate(v6.covering(address, length), length, origin),
            None => Validity::NotFound,
        }
    }

    /// Returns true if the table has the VRP.
    #[must_use]
    pub fn contains(&self, vrp: &Vrp) -> bool {
        let Vrp { prefix, max_length, asn } = *vrp;
        let wanted = Permission { max_length, asn };
        let Families { v4, v6 } = &*self.families;
        if let Some((address, length)) = Address::of(prefix) {
            return v4.of_prefix(address, length).any(|it| it == wanted);
        }
        Address::of(prefix)
            .is_some_and(|(address, length)| v6.of_prefix(address, length).any(|it| it == wanted))
    }

    /// The number of VRPs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.families.v4.len() + self.families.v6.len()
    }

    /// Returns true if there are no VRPs. Every route is [`Validity::NotFound`] then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns true if both are clones of one table, or empty, so that no comparison is needed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.families, &other.families) || self.is_empty() && other.is_empty()
    }

    /// The VRPs, IPv4 before IPv6, in the order of prefixes.
    pub fn iter(&self) -> impl Iterator<Item = Vrp> {
        let Families { v4, v6 } = &*self.families;
        v4.iter().map(vrp).chain(v6.iter().map(vrp))
    }

    /// The prefixes of the VRPs that only one of both tables has, each once, in order. The validity of a route can only
    /// differ if one of them covers its prefix.
    #[must_use]
    pub fn changed_prefixes(&self, other: &Self) -> Vec<IpNet> {
        if self.is_same(other) {
            return Vec::new();
        }
        let mut changed = Vec::new();
        let (mut ours, mut theirs) = (self.iter().peekable(), other.iter().peekable());
        while let Some(vrp) = next_difference(&mut ours, &mut theirs) {
            if changed.last() != Some(&vrp.prefix) {
                changed.push(vrp.prefix);
            }
        }
        changed
    }

    /// The table after changes: for each VRP, true to add it and false to remove it. Takes time in proportion to the size.
    #[must_use]
    pub fn changed(&self, changes: &BTreeMap<Vrp, bool>) -> Self {
        if changes.is_empty() {
            return self.clone();
        }
        let kept = self.iter().filter(|vrp| !changes.contains_key(vrp));
        let added = changes.iter().filter(|(_, is_added)| **is_added).map(|(vrp, _)| *vrp);
        kept.chain(added).collect()
    }
}

fn validate(
    covering: impl Iterator<Item = (u8, Permission)>,
    length: u8,
    origin: Option<Asn>,
) -> Validity {
    // AS 0 is in no VRP that allows anything, and no valid path ends with it.
    let origin = origin.filter(|asn| *asn != Asn::ZERO);
    let mut validity = Validity::NotFound;
    for (_, permission) in covering {
        if origin == Some(permission.asn) && length <= permission.max_length {
            return Validity::Valid;
        }
        validity = Validity::Invalid;
    }
    validity
}

/// The next VRP that only one of both has.
fn next_difference(
    ours: &mut Peekable<impl Iterator<Item = Vrp>>,
    theirs: &mut Peekable<impl Iterator<Item = Vrp>>,
) -> Option<Vrp> {
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (Some(our), Some(their)) => our.cmp(their),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => return ours.next(),
            Ordering::Greater => return theirs.next(),
            Ordering::Equal => {
                ours.next();
                theirs.next();
            }
        }
    }
}

fn vrp<A: Address>((address, length, permission): (A, u8, Permission)) -> Vrp {
    let Permission { max_length, asn } = permission;
    Vrp { prefix: address.prefix(length), max_length, asn }
}

impl FromIterator<Vrp> for VrpTable {
    fn from_iter<I: IntoIterator<Item = Vrp>>(vrps: I) -> Self {
        let mut sorted: Vec<_> =
            vrps.into_iter().map(|vrp| Vrp { prefix: vrp.prefix.trunc(), ..vrp }).collect();
        sorted.sort();
        sorted.dedup();
        Self { families: Arc::new(Families { v4: index(&sorted), v6: index(&sorted) }) }
    }
}

fn index<A: Address>(sorted: &[Vrp]) -> PrefixIndex<A, Permission> {
    PrefixIndex::from_sorted(sorted.iter().filter_map(|vrp| {
        let (address, length) = A::of(vrp.prefix)?;
        Some((address, length, Permission { max_length: vrp.max_length, asn: vrp.asn }))
    }))
}

impl<const N: usize> From<[Vrp; N]> for VrpTable {
    fn from(vrps: [Vrp; N]) -> Self {
        vrps.into_iter().collect()
    }
}

impl From<Vec<Vrp>> for VrpTable {
    fn from(vrps: Vec<Vrp>) -> Self {
        vrps.into_iter().collect()
    }
}

impl fmt::Debug for VrpTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VrpTable").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A sequence of VRPs.
#[cfg(feature = "serde")]
impl serde::Serialize for VrpTable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::super::route_origin;
    use super::*;

    fn prefix(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    fn table(vrps: &[(&str, u8, u32)]) -> VrpTable {
        vrps.iter()
            .map(|(text, most, asn)| Vrp::new(prefix(text), Asn(*asn)).max_length(*most))
            .collect()
    }

    #[test]
    fn rfc_6811_section_2_a_route_is_valid_if_any_covering_vrp_allows_it() {
        use Validity::{Invalid, NotFound, Valid};

        let table = table(&[
            ("10.0.0.0/8", 16, 1),
            ("10.0.0.0/8", 24, 2),
            ("10.1.0.0/16", 16, 3),
            ("10.2.0.0/16", 32, 0),
            ("2001:db8::/32", 48, 1),
        ]);
        for (text, origin, expected) in [
            ("10.0.0.0/8", Some(1), Valid),
            ("10.1.0.0/16", Some(1), Valid),
            ("10.1.0.0/16", Some(3), Valid),
            ("10.1.0.0/17", Some(1), Invalid),
            ("10.1.0.0/17", Some(2), Valid),
            ("10.1.0.0/25", Some(2), Invalid),
            ("10.1.0.0/16", Some(4), Invalid),
            // AS 0 allows nothing, and forbids what no other VRP allows.
            ("10.2.0.0/16", Some(0), Invalid),
            ("10.2.0.0/16", Some(2), Valid),
            // A set has no origin.
            ("10.0.0.0/8", None, Invalid),
            ("11.0.0.0/8", None, NotFound),
            ("0.0.0.0/0", Some(1), NotFound),
            ("2001:db8:1::/48", Some(1), Valid),
            ("2001:db8::/49", Some(1), Invalid),
            ("2001:db9::/32", Some(1), NotFound),
        ] {
            let found = table.validate(prefix(text), origin.map(Asn));
            assert_eq!(found, expected, "{text} {origin:?}");
        }
        assert_eq!(VrpTable::default().validate(prefix("10.0.0.0/8"), None), NotFound);
    }

    #[test]
    fn the_origin_is_the_last_as_of_a_sequence_or_our_own() {
        for (path, origin) in [
            ("", Some(9)),
            ("1 2", Some(2)),
            ("1 {2 3}", None),
            ("1 {2 3} 4", Some(4)),
            ("(1 2)", Some(9)),
            ("1 [2]", Some(9)),
        ] {
            let found = route_origin(&path.parse().unwrap(), Asn(9));
            assert_eq!(found, origin.map(Asn), "{path}");
        }
    }

    #[test]
    fn changes_are_applied_and_found_again() {
        let before = table(&[("10.0.0.0/8", 8, 1), ("10.0.0.0/8", 8, 2), ("::/0", 0, 1)]);
        let added = Vrp::new(prefix("11.0.0.0/8"), Asn(7));
        let removed = Vrp::new(prefix("10.0.0.0/8"), Asn(2));
        assert!(before.contains(&removed) && !before.contains(&added));
        let after = before.changed(&BTreeMap::from([(added, true), (removed, false)]));
        let expected = table(&[("10.0.0.0/8", 8, 1), ("11.0.0.0/8", 8, 7), ("::/0", 0, 1)]);
        assert_eq!(after, expected);
        let changed = [prefix("10.0.0.0/8"), prefix("11.0.0.0/8")];
        assert_eq!(before.changed_prefixes(&after), changed);
        assert_eq!(after.changed_prefixes(&before), changed);
        assert_eq!(after.changed_prefixes(&expected), []);
        assert_eq!(after.changed_prefixes(&VrpTable::default()).len(), 3);
    }
}
