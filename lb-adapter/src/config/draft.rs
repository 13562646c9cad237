//! The content of a configuration as it was read, before references are resolved.
//!
//! ```text
//! ConfigMap ─► configmap ─┐
//!                         ├─► Draft ─► resolve ─► Config
//! resources ─► resources ─┘       └──► lint ────► warnings about settings without effect
//! ```
//!
//! Both formats are read into drafts, so that rules between objects are checked in one place, whatever file an object is
//! in. Everything remembers its place.

use crate::model::{
    BfdProfile, BgpAdvertisement, Community, L2Advertisement, LargeCommunity, Password, Peer, Pool,
    Timestamp,
};

use super::field::Field;
use super::key::Format;
use super::place::Place;
use super::report::Report;

/// A configuration before references are resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) format: Format,
    pub(crate) peers: Vec<PeerDraft>,
    pub(crate) pools: Vec<PoolDraft>,
    pub(crate) bgp_advertisements: Vec<BgpAdvertisementDraft>,
    pub(crate) l2_advertisements: Vec<L2AdvertisementDraft>,
    pub(crate) aliases: Vec<CommunityAliasDraft>,
    pub(crate) bfd_profiles: Vec<BfdProfileDraft>,
}

impl Draft {
    /// An empty draft.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}

/// A reference to another object by its name.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) place: Place,
}

impl Reference {
    /// Reads a name.
    pub(super) fn read(field: Field<'_>, format: Format, report: &mut Report<'_>) -> Option<Self> {
        let name = field.word(format, report)?.to_owned();
        Some(Self { name, place: field.place(report) })
    }
}

/// A peer, without a password from a Secret.
#[derive(Clone, Debug)]
pub(crate) struct PeerDraft {
    pub(crate) peer: Peer,
    pub(crate) place: Place,
    pub(crate) bfd_profile: Option<Reference>,
    pub(crate) password_secret: Option<Reference>,
}

/// The seniority of an object, from most to least senior: objects in force come before new and changed ones, then older
/// ones before younger ones. Objects of unknown age come last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seniority {
    is_newcomer: bool,
    is_of_unknown_age: bool,
    created: Option<Timestamp>,
}

impl Seniority {
    /// The seniority of an object that was created at this time.
    pub(crate) fn new(is_newcomer: bool, created: Option<Timestamp>) -> Self {
        Self { is_newcomer, is_of_unknown_age: created.is_none(), created }
    }
}

/// A pool, and the place of each of its ranges.
#[derive(Clone, Debug)]
pub(crate) struct PoolDraft {
    pub(crate) pool: Pool,
    pub(crate) place: Place,
    pub(crate) ranges: Vec<Place>,
    pub(crate) seniority: Seniority,
}

/// A BGP advertisement, without its communities.
#[derive(Clone, Debug)]
pub(crate) struct BgpAdvertisementDraft {
    pub(crate) advertisement: BgpAdvertisement,
    pub(crate) place: Place,
    pub(crate) communities: Vec<Reference>,
    /// The place of `aggregation-length`, if it is set.
    pub(crate) length: Option<Place>,
    /// The place of `aggregation-length-v6`, if it is set.
    pub(crate) length_v6: Option<Place>,
    /// The place of the local preference, if it is set.
    pub(crate) local_pref: Option<Place>,
    pub(crate) pools: Vec<Reference>,
    pub(crate) peers: Vec<Reference>,
    pub(crate) seniority: Seniority,
}

impl BgpAdvertisementDraft {
    /// An advertisement without a name, with every default.
    pub(crate) fn new(place: Place) -> Self {
        Self {
            advertisement: BgpAdvertisement::new(""),
            place,
            communities: Vec::new(),
            length: None,
            length_v6: None,
            local_pref: None,
            pools: Vec::new(),
            peers: Vec::new(),
            seniority: Seniority::default(),
        }
    }
}

/// A layer 2 advertisement.
#[derive(Clone, Debug)]
pub(crate) struct L2AdvertisementDraft {
    pub(crate) advertisement: L2Advertisement,
    pub(crate) place: Place,
    pub(crate) pools: Vec<Reference>,
}

/// A name for a community. If its value is wrong, the name is kept without a value, so that its uses are not reported too.
#[derive(Clone, Debug)]
pub(crate) struct CommunityAliasDraft {
    pub(crate) name: String,
    pub(crate) value: Option<AnyCommunity>,
    pub(crate) place: Place,
}

/// A BFD profile.
#[derive(Clone, Debug)]
pub(crate) struct BfdProfileDraft {
    pub(crate) profile: BfdProfile,
    pub(crate) place: Place,
}

/// A Secret that may have the password of a peer.
#[derive(Clone, Debug)]
pub(crate) struct SecretDraft {
    pub(crate) type_: String,
    pub(crate) password: Option<Password>,
    pub(crate) place: Place,
}

/// A standard or large community.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AnyCommunity {
    Standard(Community),
    Large(LargeCommunity),
}
