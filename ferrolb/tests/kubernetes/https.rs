//! The HTTP port of both programs as HTTPS, for readers whom the API server knows and allows. A client with TLS asks the processes.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::cluster::{Cluster, wait};
use crate::ports::ReservedPort;
use crate::program::Program;

/// The roles of the component, which comes with `--http-auth=kubernetes`.
const ROLES: &str = include_str!("../../../deploy/kustomize/components/https/rbac.yaml");

/// Writes a new certificate with its key, and returns the certificate.
fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["ferrolb".to_owned()]).unwrap();
    fs::write(folder.join("tls.key"), signing_key.serialize_pem()).unwrap();
    fs::write(folder.join("tls.crt"), cert.pem()).unwrap();
    cert.der().clone()
}

/// A client that trusts one certificate.
struct Reader {
    port: u16,
    tls: TlsConnector,
}

impl Reader {
    fn new(port: u16, trusted: &CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        Self { port, tls: TlsConnector::from(Arc::new(config)) }
    }

    /// Sends a request. Returns the status and the whole answer.
    async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
    ) -> std::io::Result<(u16, String)> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let name = ServerName::try_from("ferrolb").unwrap();
        let mut stream = self.tls.connect(name, stream).await?;
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: ferrolb\r\n{}Connection: close\r\n\r\n",
            token.unwrap_or_default()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap();
        Ok((status, answer))
    }

    async fn get(&self, path: &str, token: Option<&str>) -> (u16, String) {
        self.send("GET", path, token).await.unwrap()
    }
}

/// Installs the roles of the component, and two readers: one for metrics, one for everything.
fn install(cluster: &Cluster) {
    let server = cluster.server.as_ref().unwrap();
    let here =
        ROLES.replace("namespace: ferrolb-system", &format!("namespace: {}", cluster.system));
    for document in serde_saphyr::from_multiple::<Value>(&here).unwrap() {
        server.put(document);
    }
    for (name, role) in [
        ("prometheus", Some("ferrolb-metrics-reader")),
        ("alice", Some("ferrolb-http-viewer")),
        ("stranger", None),
    ] {
        let account = json!({"kind": "ServiceAccount", "name": name, "namespace": cluster.system});
        server.put(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": cluster.system}}));
        let Some(role) = role else { continue };
        server.put(json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [account]}));
    }
}

/// Starts a program with this certificate.
async fn start(cluster: &Cluster, program: &str, folder: &Path) -> (Program, ReservedPort) {
    let reserved = ReservedPort::of(Ipv4Addr::LOCALHOST.into());
    let port = reserved.address().port();
    let [certificate, key] = ["tls.crt", "tls.key"].map(|name| folder.join(name));
    let port_argument = format!("--port={port}");
    let mut arguments = vec![
        port_argument.as_str(),
        "--bind-address=127.0.0.1",
        "--http-auth=kubernetes",
        "--allow-host=ferrolb",
        "--tls-cert-file",
        certificate.to_str().unwrap(),
        "--tls-private-key-file",
        key.to_str().unwrap(),
    ];
    if program == "speaker" {
        arguments.extend(["--node-name", "kube1", "--on-exit", "withdraw"]);
    }
    let process = cluster.start(program, "a", &arguments);
    wait("the process to listen", async || {
        TcpStream::connect(("127.0.0.1", port)).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    (process, reserved)
}

async fn only_those_whom_the_api_server_allows_may_read(program: &str) {
    let cluster = Cluster::new("").await;
    if cluster.server.is_none() {
        return;
    }
    install(&cluster);
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_certificate(folder.path());
    let (process, reserved) = start(&cluster, program, folder.path()).await;
    let port = reserved.address().port();
    let reader = Reader::new(port, &certificate);
    let [prometheus, alice, stranger, nobody] = ["prometheus", "alice", "stranger", "nobody"]
        .map(|name| format!("{}/{name}", cluster.system));

    // The kubelet shows no token.
    for path in ["/livez", "/healthz"] {
        assert_eq!(reader.get(path, None).await.0, 200, "{path}");
    }
    for path in ["/metrics", "/v1/status", "/objects", "/", "/nowhere"] {
        let (status, answer) = reader.get(path, None).await;
        assert_eq!(status, 401, "{path}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("www-authenticate: bearer"), "{answer}");
        let (status, answer) = reader.get(path, Some(&nobody)).await;
        assert_eq!(status, 401, "{path}: {answer}");
        let (status, answer) = reader.get(path, Some(&stranger)).await;
        assert_eq!(status, 403, "{path}: {answer}");
        assert!(answer.contains(":stranger must not get "), "{answer}");
    }

    let (status, answer) = reader.get("/metrics", Some(&prometheus)).await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("ferrolb_build_info"), "{answer}");
    assert_eq!(reader.get("/v1/status", Some(&prometheus)).await.0, 403);
    let (status, answer) = reader.get("/v1/status", Some(&alice)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(reader.send("POST", "/v1/drain", Some(&alice)).await.unwrap().0, 403);

    // A client without TLS gets nothing.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    plain.write_all(b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");

    // Without the API server, only those may read who were allowed a moment ago.
    cluster.server.as_ref().unwrap().go_away();
    let (status, answer) = reader.get("/v1/peers", Some(&alice)).await;
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("cannot be decided: the API server cannot be reached"), "{answer}");
    assert_eq!(reader.get("/metrics", Some(&prometheus)).await.0, 200);
    assert_eq!(reader.get("/livez", None).await.0, 200);
    cluster.server.as_ref().unwrap().come_back();
    wait("the API server to decide again", async || {
        match reader.get("/v1/peers", Some(&alice)).await {
            (200, _) => Ok(()),
            (_, answer) => Err(answer),
        }
    })
    .await;

    // The certificate is replaced.
    let certificate = write_certificate(folder.path());
    let reader = Reader::new(port, &certificate);
    wait("the new certificate", async || {
        let answer = reader.send("GET", "/metrics", Some(&prometheus)).await;
        answer.map(drop).map_err(|error| error.to_string())
    })
    .await;

    for right in ["tokenreviews", "subjectaccessreviews"] {
        assert!(cluster.asked(program).iter().any(|asked| asked.resource == right), "{right}");
    }
    process.terminate().await;
    cluster.end().await;
}

#[tokio::test]
async fn only_those_whom_the_api_server_allows_may_read_a_controller() {
    only_those_whom_the_api_server_allows_may_read("controller").await;
}

#[tokio::test]
async fn only_those_whom_the_api_server_allows_may_read_a_speaker() {
    only_those_whom_the_api_server_allows_may_read("speaker").await;
}
