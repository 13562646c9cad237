//! TLS for the HTTP port of a program, with a certificate and a key from files.
//!
//! Owns the files: they are read again when they change, as a mounted Secret does, and an invalid pair leaves the previous one in
//! force. Clients need no certificate; [`super::access_review`] decides who may read.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use ring::digest::{Digest, SHA256, digest};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsAcceptor;

use ferrolb_node::Error;
use ferrolb_node::http::{BoxedStream, Encryption};

/// The files of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the command line fills it")]
pub struct CertificateFiles {
    /// The certificate in PEM, with the intermediate ones after it.
    pub certificate: PathBuf,
    /// Its private key in PEM.
    pub key: PathBuf,
}

/// Encryption with the latest valid certificate in the files.
pub(super) struct Tls {
    files: CertificateFiles,
    state: Arc<Mutex<State>>,
    pace: Pace,
}

struct State {
    /// The time when the files were last read.
    read_at: Instant,
    /// A hash of what was last read, valid or not.
    fingerprint: Digest,
    /// The last valid certificate.
    config: Arc<ServerConfig>,
    /// A hash of its files.
    in_force: Digest,
}

/// The pace of handshakes. Each costs far more time than a request, which the thread of the program would lack for BGP and BFD if
/// strangers could cause any number of them.
struct Pace {
    /// The time at which the next handshake would begin if none had begun early.
    next: Mutex<Instant>,
}

impl Pace {
    /// A pace at which the first handshakes do not wait.
    fn new() -> Self {
        Self { next: Mutex::new(Instant::now()) }
    }

    /// Returns the time at which another handshake may begin.
    fn reserve(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(HANDSHAKE_INTERVAL * HANDSHAKES_AT_ONCE).unwrap_or(now);
        let at = earliest.max(*next);
        *next = at + HANDSHAKE_INTERVAL;
        at
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or they contain no certificate with its key.
    pub(super) fn load(files: CertificateFiles) -> Result<Self, Error> {
        let contents = Contents::read(&files).map_err(Error::new)?;
        let config = contents.config(&files).map_err(Error::new)?;
        let fingerprint = contents.fingerprint();
        let state = State { read_at: Instant::now(), fingerprint, config, in_force: fingerprint };
        Ok(Self { files, state: Arc::new(Mutex::new(state)), pace: Pace::new() })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Encryption for Tls {
    fn accept(&self, stream: TcpStream) -> BoxFuture<'static, io::Result<BoxedStream>> {
        let (files, state) = (self.files.clone(), Arc::clone(&self.state));
        let begin = self.pace.reserve(Instant::now());
        Box::pin(async move {
            sleep_until(begin).await;

            let is_due = {
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                let is_due = state.read_at.elapsed() >= REREAD_AFTER;
                if is_due {
                    state.read_at = Instant::now();
                }
                is_due
            };
            if is_due {
                let state = Arc::clone(&state);
                let reread = tokio::task::spawn_blocking(move || reread(&files, &state));
                let _ = reread.await;
            }

            let config = {
                let state = state.lock().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(&state.config)
            };
            let stream = TlsAcceptor::from(config).accept(stream).await?;
            Ok::<BoxedStream, _>(Box::new(stream))
        })
    }
}

/// Reads the files again, and applies a certificate that has changed. A state of the files is logged once.
fn reread(files: &CertificateFiles, state: &Mutex<State>) {
    let read = Contents::read(files);
    let fingerprint = match &read {
        Ok(contents) => contents.fingerprint(),
        Err(error) => digest(&SHA256, error.as_bytes()),
    };
    {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.fingerprint.as_ref() == fingerprint.as_ref() {
            return;
        }
        state.fingerprint = fingerprint;
    }

    // Two files that are replaced one after the other may not fit together now, but will at the next attempt.
    match read.and_then(|contents| contents.config(files)) {
        Ok(config) => {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let is_other = state.in_force.as_ref() != fingerprint.as_ref();
            (state.config, state.in_force) = (config, fingerprint);
            let what = if is_other { "has changed" } else { "can be read again" };
            tracing::info!("the certificate of the HTTPS port {what}");
        }
        Err(error) => {
            tracing::warn!("the previous certificate of the HTTPS port stays: {error}");
        }
    }
}

/// The contents of both files.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn read(files: &CertificateFiles) -> Result<Self, String> {
        let read = |path: &Path, flag: &str| {
            std::fs::read(path).map_err(|error| format!("{flag} {}: {error}", path.display()))
        };
        Ok(Self {
            certificate: read(&files.certificate, CERTIFICATE_FLAG)?,
            key: read(&files.key, KEY_FLAG)?,
        })
    }

    /// Returns a hash of the contents, so that no second copy of the key stays in memory.
    fn fingerprint(&self) -> Digest {
        let parts = [&self.certificate, &self.key].map(|part| digest(&SHA256, part));
        let parts: Vec<u8> = parts.iter().flat_map(|part| part.as_ref().iter().copied()).collect();
        digest(&SHA256, &parts)
    }

    /// Returns the settings of connections with this certificate.
    fn config(&self, files: &CertificateFiles) -> Result<Arc<ServerConfig>, String> {
        let of_certificate = |error: &dyn fmt::Display| {
            format!("{CERTIFICATE_FLAG} {}: {error}", files.certificate.display())
        };
        let chain =
            CertificateDer::pem_slice_iter(&self.certificate).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|error| of_certificate(&error))?;
        if chain.is_empty() {
            return Err(of_certificate(&"there is no certificate in PEM"));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("{KEY_FLAG} {}: {error}", files.key.display()))?;

        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder =
            builder.with_protocol_versions(&[&TLS13]).map_err(|error| error.to_string())?;
        let config = builder.with_no_client_auth().with_single_cert(chain, key);
        let mut config = config.map_err(|error| of_certificate(&error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Connections are short and few, so that sessions to resume would only take memory.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// The time after which a connection makes the files be read again. The kubelet takes up to a minute or two to change them.
const REREAD_AFTER: Duration = Duration::from_secs(5);
/// The time between two handshakes, of which some may begin at once after a pause.
const HANDSHAKE_INTERVAL: Duration = Duration::from_millis(20);
const HANDSHAKES_AT_ONCE: u32 = 16;
const CERTIFICATE_FLAG: &str = "--tls-cert-file";
const KEY_FLAG: &str = "--tls-private-key-file";

#[cfg(test)]
#[path = "https_tests.rs"]
mod tests;
