//! What the texts of a configuration say, before what they refer to is looked up.
//!
//! ```text
//! ConfigMap ─► configmap ─┐
//!                         ├─► Draft ─► resolve ─► Config
//! resources ─► resources ─┘       └──► lint, what has no effect
//! ```
//!
//! Both formats end here, so that what holds between objects is judged once, whichever file each of
//! them is in. Everything remembers its place.

use crate::model::{
    BfdProfile, BgpAdvertisement, Community, L2Advertisement, LargeCommunity, Password, Peer, Pool,
    Timestamp,
};

use super::report::Place;

pub(crate) use crate::model::ConfigFormat as Format;

/// A name in both formats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) &'static str, pub(crate) &'static str);

impl Key {
    /// As this format spells it.
    pub(crate) fn of(self, format: Format) -> &'static str {
        match format {
            Format::ConfigMap => self.0,
            Format::Resources => self.1,
        }
    }
}

/// All that was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) format: Format,
    pub(crate) peers: Vec<PeerDraft>,
    pub(crate) pools: Vec<PoolDraft>,
    pub(crate) bgp_advertisements: Vec<BgpDraft>,
    pub(crate) l2_advertisements: Vec<L2Draft>,
    pub(crate) aliases: Vec<AliasDraft>,
    pub(crate) bfd_profiles: Vec<ProfileDraft>,
}

impl Draft {
    /// Nothing yet.
    pub(crate) fn new(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}

/// A name that something refers to something else by.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) name: String,
    pub(crate) place: Place,
}

/// A peer, without the password that is in a Secret.
#[derive(Clone, Debug)]
pub(crate) struct PeerDraft {
    pub(crate) peer: Peer,
    pub(crate) place: Place,
    pub(crate) bfd_profile: Option<Reference>,
    pub(crate) password_secret: Option<Reference>,
}

/// The seniority of an object: objects in force come before newcomers, then older ones before younger ones. Those of
/// unknown age come last.
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

/// A pool, and where each of its ranges is.
#[derive(Clone, Debug)]
pub(crate) struct PoolDraft {
    pub(crate) pool: Pool,
    pub(crate) place: Place,
    pub(crate) ranges: Vec<Place>,
    pub(crate) seniority: Seniority,
}

/// An advertisement, without its communities.
#[derive(Clone, Debug)]
pub(crate) struct BgpDraft {
    pub(crate) advertisement: BgpAdvertisement,
    pub(crate) place: Place,
    pub(crate) communities: Vec<Reference>,
    /// Where `aggregation-length` is, if it is.
    pub(crate) length: Option<Place>,
    /// Where `aggregation-length-v6` is, if it is.
    pub(crate) length_v6: Option<Place>,
    /// Where the local preference is, if it is.
    pub(crate) local_pref: Option<Place>,
    pub(crate) pools: Vec<Reference>,
    pub(crate) peers: Vec<Reference>,
    pub(crate) seniority: Seniority,
}

/// An advertisement by layer 2.
#[derive(Clone, Debug)]
pub(crate) struct L2Draft {
    pub(crate) advertisement: L2Advertisement,
    pub(crate) place: Place,
    pub(crate) pools: Vec<Reference>,
}

/// A name for a community. One whose value was wrong is there without it, so that its uses are not
/// errors too.
#[derive(Clone, Debug)]
pub(crate) struct AliasDraft {
    pub(crate) name: String,
    pub(crate) value: Option<AnyCommunity>,
    pub(crate) place: Place,
}

/// A BFD profile.
#[derive(Clone, Debug)]
pub(crate) struct ProfileDraft {
    pub(crate) profile: BfdProfile,
    pub(crate) place: Place,
}

/// A Secret that peers may have their passwords from.
#[derive(Clone, Debug)]
pub(crate) struct SecretDraft {
    pub(crate) type_: String,
    pub(crate) password: Option<Password>,
    pub(crate) place: Place,
}

/// A community of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AnyCommunity {
    Standard(Community),
    Large(LargeCommunity),
}
