//! A recording of all packets on a host's cable, which `tshark` checks.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_recv_buffer_size_force, set_socket_timeout};
use rustix::net::{AddressFamily, Protocol, RawProtocol, RecvFlags, SocketType, recv, socket};

use crate::daemon::run_client;
use crate::lan::Host;
use crate::requirements::program;

/// The severity of an error in Wireshark's expert information (PI_ERROR), as tshark writes it.
const ERROR: &str = "8388608";

/// ETH_P_ALL: packets of all protocols, sent and received.
const ALL_PROTOCOLS: u16 = 3;

/// The size of a buffer for any packet, even one that a network card has yet to segment.
const LONGEST: usize = 1 << 18;

/// The size of the socket's receive buffer.
const BUFFER: usize = 16 << 20;

/// All packets of a host, from [`Capture::start`] to [`Capture::judge`].
///
/// The file stays for inspection; the next test of the same name replaces it.
#[derive(Debug)]
pub struct Capture {
    file: PathBuf,
    stop: Arc<AtomicBool>,
    recorder: Option<JoinHandle<std::io::Result<()>>>,
}

impl Capture {
    /// Starts to record into a file.
    ///
    /// # Panics
    ///
    /// If the recording cannot start.
    #[must_use]
    pub fn start(host: &Host, file: &Path) -> Self {
        let packets = host.enter(packet_socket).expect("packets of a host can be listened to");
        let mut output = BufWriter::new(File::create(file).expect("a capture can be written"));

        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let recorder = std::thread::spawn(move || {
            write_header(&mut output)?;
            record(&packets, &mut output, &stopped)?;
            output.flush()
        });
        Self { file: file.to_owned(), stop, recorder: Some(recorder) }
    }

    /// Ends the recording. Everything that was sent before is in it.
    #[track_caller]
    fn finish(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let Some(recorder) = self.recorder.take() else { return };

        let result = recorder.join().unwrap_or_else(|_| Err(std::io::Error::other("it panicked")));
        if let Err(error) = result {
            panic!("{}: the recording failed: {error}", self.file.display());
        }
    }

    /// The file with the packets.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Ends the recording, and checks the packets of BGP or BFD that one of `senders` sent: there must be some, and
    /// tshark must find none of them malformed or in error.
    ///
    /// # Panics
    ///
    /// If the check fails, with the packets' numbers and tshark's messages.
    #[track_caller]
    pub fn judge(mut self, senders: &[IpAddr]) {
        self.finish();

        let mut command = Command::new(program("tshark"));
        command.arg("-n").arg("-r").arg(&self.file).args(["-Y", "bgp or bfd", "-T", "fields"]);
        for field in [
            "frame.number",
            "ip.src",
            "ipv6.src",
            "_ws.malformed",
            "_ws.expert.severity",
            "_ws.expert.message",
        ] {
            command.args(["-e", field]);
        }

        let text = run_client(&mut command).expect("tshark reads the capture");
        let mut sent = 0;
        let mut wrong = Vec::new();
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [_number, ipv4, ipv6, rest @ ..] = fields.as_slice() else { continue };
            let source = [ipv4, ipv6].into_iter().find_map(|text| text.parse().ok());
            if !source.is_some_and(|source| senders.contains(&source)) {
                continue;
            }
            sent += 1;

            // Wireshark 4.0 does not know of longer messages (RFC 8654).
            let long = rest.get(2).and_then(|text| text.strip_prefix("Length is invalid "));
            if long.and_then(|text| text.parse::<u16>().ok()).is_some_and(|length| length > 4_096) {
                continue;
            }

            let malformed = rest.first().is_some_and(|field| !field.is_empty());
            let error = rest.get(1).is_some_and(|field| field.split(',').any(|s| s == ERROR));
            if malformed || error {
                wrong.push(line);
            }
        }

        let file = self.file.display();
        assert!(sent > 0, "{file}: tshark finds no message of {senders:?}");
        assert!(wrong.is_empty(), "{file}: tshark finds errors\n{}", wrong.join("\n"));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(recorder) = self.recorder.take() {
            let _ = recorder.join();
        }
    }
}

/// A socket that receives all packets of the thread's network namespace.
fn packet_socket() -> rustix::io::Result<OwnedFd> {
    let all = RawProtocol::new(ALL_PROTOCOLS.to_be().into()).map(Protocol::from_raw);
    let packets = socket(AddressFamily::PACKET, SocketType::RAW, all)?;
    set_socket_recv_buffer_size_force(&packets, BUFFER)?;
    set_socket_timeout(&packets, Timeout::Recv, Some(Duration::from_millis(20)))?;
    Ok(packets)
}

/// Writes the header of a pcap file of Ethernet frames, in the byte order of this machine.
fn write_header(output: &mut impl Write) -> std::io::Result<()> {
    const MAGIC: u32 = 0xa1b2_c3d4;
    const VERSION: u32 = if cfg!(target_endian = "little") { 0x0004_0002 } else { 0x0002_0004 };
    const ETHERNET: u32 = 1;
    for number in [MAGIC, VERSION, 0, 0, u32::MAX, ETHERNET] {
        output.write_all(&number.to_ne_bytes())?;
    }
    Ok(())
}

fn record(packets: &OwnedFd, output: &mut impl Write, stop: &AtomicBool) -> std::io::Result<()> {
    let mut buffer = vec![0; LONGEST];
    loop {
        // Read before the wait, so that packets sent before the end are still recorded.
        let last = stop.load(Ordering::Relaxed);

        let length = match recv(packets, &mut buffer[..], RecvFlags::empty()) {
            Ok((length, _)) => length,
            Err(Errno::AGAIN) if last => return Ok(()),
            Err(Errno::AGAIN | Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };

        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let size = u32::try_from(length).unwrap_or(u32::MAX);
        let seconds = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        for number in [seconds, now.subsec_micros(), size, size] {
            output.write_all(&number.to_ne_bytes())?;
        }
        output.write_all(&buffer[..length])?;
    }
}
