//! [`Place`]: where a process answers.

use std::fmt;
use std::path::PathBuf;

/// The place where a process answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A Unix socket, which also takes actions.
    Socket(PathBuf),
    /// A TCP port, which only reads.
    Tcp {
        /// Host and port.
        authority: String,
        /// The URL, as the user gave it.
        url: String,
    },
    /// A speaker of a cluster, through the API server, which only reads.
    #[cfg(feature = "kubernetes")]
    Pod(Box<ferrolb_kubernetes::SpeakerPod>),
}

impl Place {
    /// Returns the place of an URL; `None` if it is anything but `http://HOST[:PORT]`.
    pub(crate) fn of_url(url: &str) -> Option<Self> {
        let authority = url.strip_prefix("http://")?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.is_empty() || !authority.chars().all(is_authority_char) {
            return None;
        }

        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let authority = match port {
            Some(_) => authority.to_owned(),
            None => format!("{authority}:80"),
        };
        Some(Self::Tcp { authority, url: url.strip_suffix('/').unwrap_or(url).to_owned() })
    }

    /// Returns true if the process may be on this machine.
    #[cfg(feature = "bundle")]
    pub(crate) fn may_be_here(&self) -> bool {
        match self {
            Self::Socket(_) | Self::Tcp { .. } => true,
            #[cfg(feature = "kubernetes")]
            Self::Pod(_) => false,
        }
    }

    /// Returns the value of the Host header field.
    pub(super) fn host(&self) -> &str {
        match self {
            Self::Socket(_) => "localhost",
            Self::Tcp { authority, .. } => authority,
            #[cfg(feature = "kubernetes")]
            Self::Pod(_) => "localhost",
        }
    }
}

fn is_authority_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']')
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "{}", path.display()),
            Self::Tcp { url, .. } => write!(f, "{url}"),
            #[cfg(feature = "kubernetes")]
            Self::Pod(pod) => write!(f, "{pod}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_may_have_a_port() {
        let authority = |url: &str| match Place::of_url(url) {
            Some(Place::Tcp { authority, .. }) => Some(authority),
            _ => None,
        };
        assert_eq!(authority("http://127.0.0.1:7472").as_deref(), Some("127.0.0.1:7472"));
        assert_eq!(authority("http://[::1]:1/").as_deref(), Some("[::1]:1"));
        assert_eq!(authority("http://[fd00::12]").as_deref(), Some("[fd00::12]:80"));
        assert_eq!(authority("http://kube1").as_deref(), Some("kube1:80"));
        for wrong in ["127.0.0.1:7472", "https://kube1", "http://", "http://a/b", "http://a b"] {
            assert_eq!(authority(wrong), None, "{wrong}");
        }
    }
}
