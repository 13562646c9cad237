//! The paths of the API: the resource, namespace, object and subresource of a request.

use std::collections::BTreeMap;

use axum::http::Uri;

/// A request's path, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/version`, `/livez`, `/readyz`, `/healthz`.
    Health,
    Version,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/api/v1`, `/apis/GROUP/VERSION`
    Resources {
        group: String,
        version: String,
    },
    /// `/api/v1/namespaces/NAMESPACE/pods/NAME:PORT/proxy/..`
    PodProxy {
        pod: ObjectPath,
        port: String,
        /// The path that the pod gets.
        path: String,
    },
    /// Objects of a resource, or a single object.
    Objects(ObjectPath),
}

/// The path of one object, or of all objects of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObjectPath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

impl ObjectPath {
    /// Returns the resource with its subresource, as roles name it: `services/status`.
    pub(crate) fn resource(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.plural),
            None => self.plural.clone(),
        }
    }
}

/// Parses a path. Returns `None` if the API has no such path.
pub(crate) fn parse(path: &str) -> Option<Target> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["version"] => return Some(Target::Version),
        ["livez" | "readyz" | "healthz", ..] => return Some(Target::Health),
        ["api"] => return Some(Target::CoreVersions),
        ["apis"] => return Some(Target::Groups),
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };

    if let ("", ["namespaces", namespace, "pods", pod, "proxy", path @ ..]) = (group, rest) {
        let (name, port) = pod.split_once(':').unwrap_or((pod, "80"));
        let pod = ObjectPath {
            group: String::new(),
            version: version.to_owned(),
            plural: "pods".to_owned(),
            namespace: some(namespace),
            name: some(name),
            subresource: some("proxy"),
        };
        let path = format!("/{}", path.join("/"));
        return Some(Target::PodProxy { pod, port: port.to_owned(), path });
    }

    let (group, version) = (group.to_owned(), version.to_owned());
    let (namespace, plural, name, subresource) = match rest {
        [] => return Some(Target::Resources { group, version }),
        // A namespace is an object, and also contains objects.
        ["namespaces", name] => (None, "namespaces", some(name), None),
        ["namespaces", name, "status"] => (None, "namespaces", some(name), some("status")),
        ["namespaces", namespace, plural] => (some(namespace), *plural, None, None),
        ["namespaces", namespace, plural, name] => (some(namespace), *plural, some(name), None),
        ["namespaces", namespace, plural, name, sub] => {
            (some(namespace), *plural, some(name), some(sub))
        }
        [plural] => (None, *plural, None, None),
        [plural, name] => (None, *plural, some(name), None),
        [plural, name, sub] => (None, *plural, some(name), some(sub)),
        _ => return None,
    };

    Some(Target::Objects(ObjectPath {
        group,
        version,
        plural: plural.to_owned(),
        namespace,
        name,
        subresource,
    }))
}

fn some(part: &str) -> Option<String> {
    Some(part.to_owned())
}

/// The decoded parameters of a query.
pub(crate) fn query(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (decode(key), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let (mut octets, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let escaped = if first == b'%' { hex_octet(rest) } else { None };
        match (first, escaped) {
            (b'+', _) => octets.push(b' '),
            (_, Some(octet)) => {
                octets.push(octet);
                rest = &rest[2..];
            }
            (other, None) => octets.push(other),
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The octet of two hexadecimal digits.
fn hex_octet(octets: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(octets.get(..2)?).ok()?;
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_resource_namespace_object_and_subresource() {
        let place = |path: &str| match parse(path) {
            Some(Target::Objects(place)) => place,
            other => panic!("{path}: {other:?}"),
        };

        let status = place("/api/v1/namespaces/mail/services/smtp/status");
        assert_eq!(status.namespace.as_deref(), Some("mail"));
        assert_eq!((status.plural.as_str(), status.name.as_deref()), ("services", Some("smtp")));
        assert_eq!(status.subresource.as_deref(), Some("status"));

        let peers = place("/apis/metallb.io/v1beta2/bgppeers");
        assert_eq!((peers.group.as_str(), peers.version.as_str()), ("metallb.io", "v1beta2"));
        assert_eq!(place("/api/v1/namespaces/mail").name.as_deref(), Some("mail"));
        assert_eq!(parse("/nowhere"), None);

        let proxied = parse("/api/v1/namespaces/lb/pods/speaker-x:7472/proxy/v1/status");
        let Some(Target::PodProxy { pod, port, path }) = proxied else { panic!("{proxied:?}") };
        assert_eq!(
            (pod.name.as_deref(), &*port, &*path),
            (Some("speaker-x"), "7472", "/v1/status")
        );
    }

    #[test]
    fn queries_are_decoded() {
        let uri: Uri = "/x?labelSelector=a%20in%20(b%2Cc)&watch=true&continue=a+b".parse().unwrap();
        let query = query(&uri);
        assert_eq!(query["labelSelector"], "a in (b,c)");
        assert_eq!(query["continue"], "a b");
    }
}
