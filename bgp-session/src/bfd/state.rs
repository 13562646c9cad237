//! The vocabulary of RFC 5880: the four states, and the diagnostic codes.

use std::fmt;

/// The state of a session (RFC 5880 section 4.1, Sta).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(
    clippy::exhaustive_enums,
    reason = "the field has two bits, and RFC 5880 uses all four values"
)]
pub enum State {
    /// Held down by the operator. If the other end is in this state, that says nothing about the path.
    AdminDown,
    /// The other end is silent.
    #[default]
    Down,
    /// The other end is heard, and doesn't hear us yet.
    Init,
    /// Both ends hear each other.
    Up,
}

impl State {
    /// All four, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    pub(super) fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    pub(super) fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// The reason of the last change of a session's state (RFC 5880 section 4.1, Diag).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[expect(clippy::exhaustive_structs, reason = "a number of five bits, known or not")]
pub struct Diagnostic(pub u8);

impl Diagnostic {
    /// No reason.
    pub const NONE: Self = Self(0);
    /// No packet came within the detection time.
    pub const DETECTION_TIME_EXPIRED: Self = Self(1);
    /// The Echo function failed.
    pub const ECHO_FAILED: Self = Self(2);
    /// The other end says that it is down.
    pub const NEIGHBOR_SIGNALED_DOWN: Self = Self(3);
    /// The forwarding plane was reset.
    pub const FORWARDING_PLANE_RESET: Self = Self(4);
    /// The path is down.
    pub const PATH_DOWN: Self = Self(5);
    /// A concatenated path is down.
    pub const CONCATENATED_PATH_DOWN: Self = Self(6);
    /// The operator took it down.
    pub const ADMINISTRATIVELY_DOWN: Self = Self(7);
    /// A concatenated path is down, seen from the other end.
    pub const REVERSE_CONCATENATED_PATH_DOWN: Self = Self(8);
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::NONE => "no diagnostic",
            Self::DETECTION_TIME_EXPIRED => "control detection time expired",
            Self::ECHO_FAILED => "echo function failed",
            Self::NEIGHBOR_SIGNALED_DOWN => "neighbor signaled session down",
            Self::FORWARDING_PLANE_RESET => "forwarding plane reset",
            Self::PATH_DOWN => "path down",
            Self::CONCATENATED_PATH_DOWN => "concatenated path down",
            Self::ADMINISTRATIVELY_DOWN => "administratively down",
            Self::REVERSE_CONCATENATED_PATH_DOWN => "reverse concatenated path down",
            Self(code) => return write!(f, "diagnostic {code}"),
        };
        f.write_str(name)
    }
}
