//! The feature `serde`: serialization of values that are not the sum of their fields.
//!
//! Values that operators write as text are text here too, in the formats that the types print and read. Octets are hexadecimal
//! digits. Owns no format of a message: that is [`wire`](crate::wire).

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fsm::RemoteAs;
use crate::policy::{AsPathPattern, CommunityMatch, LargeCommunityMatch};
use crate::rib::{Route, RouteSet};
use crate::types::{Afi, AfiSafi, Safi};
use crate::wire::{
    Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity, NextHop, PathAttributes,
};

/// Serializes types as the text that they print, and reads what they parse.
macro_rules! as_text {
    ($($type:ty),+ $(,)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer)
            }
        }
    )+};
}

as_text!(
    Afi,
    AfiSafi,
    AsPathPattern,
    CommunityMatch,
    ExtendedCommunity,
    Ipv6ExtendedCommunity,
    LargeCommunity,
    LargeCommunityMatch,
    NextHop,
    RemoteAs,
    Safi,
);

/// In numbers, even if the community has a name: a program need not know the names. It reads names too.
impl Serialize for Community {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:{}", self.asn(), self.value()))
    }
}

impl<'de> Deserialize<'de> for Community {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

/// The public form of a [`Route`].
#[derive(Serialize, Deserialize)]
pub(crate) struct RouteParts {
    prefix: IpNet,
    #[serde(default = "default_path_id")]
    path_id: u32,
    #[serde(default)]
    attributes: Arc<PathAttributes>,
}

fn default_path_id() -> u32 {
    Route::DEFAULT_PATH_ID
}

impl From<RouteParts> for Route {
    fn from(parts: RouteParts) -> Self {
        Self::with_attributes(parts.prefix, parts.attributes).path(parts.path_id)
    }
}

impl From<Route> for RouteParts {
    fn from(route: Route) -> Self {
        let attributes = Arc::clone(route.attributes());
        Self { prefix: route.prefix(), path_id: route.path_id(), attributes }
    }
}

/// A sequence of routes.
impl Serialize for RouteSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let routes = self.iter().with_path_ids().map(|(prefix, path_id, attributes)| RouteParts {
            prefix,
            path_id,
            attributes: Arc::clone(attributes),
        });
        serializer.collect_seq(routes)
    }
}

/// Octets as hexadecimal digits.
pub(crate) mod hex {
    use std::fmt;

    use bytes::Bytes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    struct Digits<'a>(&'a [u8]);

    impl fmt::Display for Digits<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
        }
    }

    pub(crate) fn serialize<S: Serializer>(
        octets: &Bytes,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Digits(octets))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        octets(&text).ok_or_else(|| {
            D::Error::custom(format_args!("expected two hexadecimal digits per octet: {text:?}"))
        })
    }

    fn octets(text: &str) -> Option<Bytes> {
        let pairs = text.as_bytes().chunks(2).map(|pair| {
            let &[high, low] = pair else { return None };
            let digit = |octet| char::from(octet).to_digit(16);
            u8::try_from(digit(high)? << 4 | digit(low)?).ok()
        });
        pairs.collect()
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| D::Error::custom(format_args!("{error}, found {text:?}")))
}
