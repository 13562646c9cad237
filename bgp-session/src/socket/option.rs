//! `setsockopt` for the options that no safe interface offers.
//!
//! It holds the workspace's only `unsafe` block. Its callers lay the octets out as the kernel's headers do, and test that.

use std::io;

#[cfg(target_os = "linux")]
use libc::c_int;

/// Sets an option to a value in the kernel's layout.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "neither std, tokio, socket2 nor nix can set these options")]
pub(super) fn set(
    socket: &impl std::os::fd::AsFd,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let length = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let socket = socket.as_fd();
    // SAFETY: `socket` is open, since it is borrowed for the call. The pointer and the length are those of one
    // live slice of initialised octets, which the kernel copies, whatever their alignment, and does not keep.
    // The call writes to no memory of ours.
    let answer =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Refuses, because these options exist on Linux only.
#[cfg(not(target_os = "linux"))]
pub(super) fn set<S>(_socket: &S, _level: i32, _name: i32, _value: &[u8]) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this socket option needs Linux"))
}
