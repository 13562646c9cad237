//! Certificates from files, as a client sees them. Time is virtual.

use std::fs;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;

use super::*;

/// A certificate with its key in a folder of its own.
struct Pair {
    folder: tempfile::TempDir,
}

impl Pair {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn files(&self) -> CertificateFiles {
        let at = |name: &str| self.folder.path().join(name);
        CertificateFiles { certificate: at("tls.crt"), key: at("tls.key") }
    }

    /// Writes a new certificate with its key, and returns the certificate.
    fn write(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = self.files();
        fs::write(files.certificate, cert.pem()).unwrap();
        fs::write(files.key, signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }
}

/// Connects as a client that trusts only this certificate. Returns false if the handshake fails.
async fn connects(tls: &Tls, trusted: &CertificateDer<'static>) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();

    let connecting = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.is_ok()
    };
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        tls.accept(stream).await.is_ok()
    };
    let (connected, accepted) = tokio::join!(connecting, accepting);
    connected && accepted
}

#[tokio::test(start_paused = true)]
async fn a_changed_certificate_is_used_without_a_restart() {
    let pair = Pair::new();
    let first = pair.write();
    let tls = Tls::load(pair.files()).unwrap();
    assert!(connects(&tls, &first).await);

    let second = pair.write();
    assert!(connects(&tls, &first).await, "the files were read a moment ago");
    tokio::time::advance(REREAD_AFTER).await;
    assert!(connects(&tls, &second).await);
    assert!(!connects(&tls, &first).await);
}

#[tokio::test(start_paused = true)]
async fn an_invalid_certificate_leaves_the_previous_one_in_force() {
    let pair = Pair::new();
    let first = pair.write();
    let tls = Tls::load(pair.files()).unwrap();

    let other = Pair::new();
    other.write();
    let key_of_another = fs::read(other.files().key).unwrap();
    for key in [&b"no key"[..], &key_of_another, b""] {
        fs::write(pair.files().key, key).unwrap();
        tokio::time::advance(REREAD_AFTER).await;
        assert!(connects(&tls, &first).await);
    }
    fs::remove_file(pair.files().key).unwrap();
    tokio::time::advance(REREAD_AFTER).await;
    assert!(connects(&tls, &first).await);

    let second = pair.write();
    tokio::time::advance(REREAD_AFTER).await;
    assert!(connects(&tls, &second).await);
}

#[test]
fn a_start_without_a_valid_certificate_says_which_file_is_wrong() {
    let pair = Pair::new();
    let error = |pair: &Pair| Tls::load(pair.files()).unwrap_err().to_string();
    assert!(error(&pair).starts_with("--tls-cert-file ") && error(&pair).contains("tls.crt"));

    pair.write();
    let certificate = fs::read(pair.files().certificate).unwrap();
    fs::write(pair.files().certificate, "").unwrap();
    assert!(error(&pair).contains("no certificate in PEM"), "{}", error(&pair));

    fs::write(pair.files().certificate, certificate).unwrap();
    fs::write(pair.files().key, "").unwrap();
    assert!(error(&pair).starts_with("--tls-private-key-file "), "{}", error(&pair));
}

#[tokio::test(start_paused = true)]
async fn strangers_cause_only_so_many_handshakes() {
    let pace = Pace::new();
    tokio::time::advance(Duration::from_secs(60)).await;
    let now = Instant::now();
    let begins: Vec<_> = (0..100).map(|_| pace.reserve(now)).collect();
    let at_once = begins.iter().filter(|begin| **begin <= now).count();
    assert_eq!(at_once, HANDSHAKES_AT_ONCE as usize + 1);
    assert_eq!(begins[99], now + HANDSHAKE_INTERVAL * (99 - HANDSHAKES_AT_ONCE));
}
