//! StayRTR, a cache of validated RPKI data that speaks RTR.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::lan::Host;
use crate::process::Process;
use crate::requirements::program;

/// A VRP: the prefix, the maximum length and the AS.
pub type Vrp<'a> = (&'a str, u8, u32);

/// StayRTR on a host, which serves VRPs from a file on port 323.
#[derive(Debug)]
pub struct Stayrtr {
    process: Process,
    file: PathBuf,
    _directory: TempDir,
    address: SocketAddr,
}

impl Stayrtr {
    /// Starts it with these VRPs. It speaks this version of RTR and older ones.
    ///
    /// # Panics
    ///
    /// If it cannot be started, or the host has no address.
    #[must_use]
    pub fn start(host: &Host, version: u8, vrps: &[Vrp<'_>]) -> Self {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let file = directory.path().join("vrps.json");
        write(&file, vrps);

        let address: IpAddr = *host.addresses().first().expect("the host has an address");
        let address = SocketAddr::new(address, 323);
        let process = Process::start(host, &program("stayrtr"), |command| {
            command
                .args(["-bind", &address.to_string(), "-metrics.addr", ""])
                .args(["-checktime=false", "-refresh", "1"])
                .args(["-protocol", &version.to_string()])
                .arg("-cache")
                .arg(&file);
        });
        Self { process, file, _directory: directory, address }
    }

    /// The address on which it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves other VRPs from now on. It reads them within a second.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn set(&self, vrps: &[Vrp<'_>]) {
        write(&self.file, vrps);
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

/// Writes the file in one step, because StayRTR may be reading it.
fn write(file: &Path, vrps: &[Vrp<'_>]) {
    let mut roas = String::new();
    for (prefix, max_length, asn) in vrps {
        let comma = if roas.is_empty() { "" } else { "," };
        let roa =
            format!(r#"{{"prefix":"{prefix}","maxLength":{max_length},"asn":{asn},"ta":"test"}}"#);
        write!(roas, "{comma}{roa}").expect("a string takes everything");
    }

    let json = format!(r#"{{"metadata":{{}},"roas":[{roas}]}}"#);
    let new = file.with_extension("new");
    std::fs::write(&new, json).expect("the file can be written");
    std::fs::rename(&new, file).expect("the file can be replaced");
}
