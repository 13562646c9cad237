//! TCP MD5 signatures (RFC 2385): the one system call that no safe interface reaches.
//!
//! This module owns the layout of Linux's `struct tcp_md5sig` and nothing else. It holds the
//! crate's only `unsafe` block.

use std::{io, net::SocketAddr};

/// Has the kernel sign and check every segment between this socket and `peer`'s address with
/// `key`. On a listening socket it governs connections accepted from that address.
#[cfg(target_os = "linux")]
pub(crate) fn set_key(
    socket: &impl std::os::fd::AsFd,
    peer: SocketAddr,
    key: &[u8],
) -> io::Result<()> {
    linux::set(socket.as_fd(), peer, key)
}

/// Forgets the key of `peer`'s address on a listening socket. Connections that exist keep it.
#[cfg(target_os = "linux")]
pub(crate) fn remove_key(socket: &impl std::os::fd::AsFd, peer: SocketAddr) -> io::Result<()> {
    linux::set(socket.as_fd(), peer, &[])
}

/// Refused: there is no such option here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn set_key<S>(_socket: &S, _peer: SocketAddr, _key: &[u8]) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "TCP MD5 passwords need Linux"))
}

/// Refused: there is no such option here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn remove_key<S>(_socket: &S, _peer: SocketAddr) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "TCP MD5 passwords need Linux"))
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        io,
        mem::size_of,
        net::SocketAddr,
        os::fd::{AsRawFd, BorrowedFd},
    };

    /// `struct tcp_md5sig` of `linux/tcp.h`. Every bit pattern of it is a value, and it has no
    /// padding (see the assertion), so that nothing uninitialised reaches the kernel.
    #[repr(C, align(8))]
    struct TcpMd5Sig {
        address: [u8; ADDRESS_SIZE],
        flags: u8,
        prefix_len: u8,
        key_len: u16,
        interface_index: i32,
        key: [u8; libc::TCP_MD5SIG_MAXKEYLEN],
    }

    pub(super) fn set(socket: BorrowedFd<'_>, peer: SocketAddr, key: &[u8]) -> io::Result<()> {
        let option = TcpMd5Sig::new(peer, key)?;
        set_option(socket, &option)
    }

    impl TcpMd5Sig {
        fn new(peer: SocketAddr, key: &[u8]) -> io::Result<Self> {
            let mut option = Self {
                address: address(peer),
                flags: 0,
                prefix_len: 0,
                key_len: 0,
                interface_index: 0,
                key: [0; libc::TCP_MD5SIG_MAXKEYLEN],
            };
            let (Some(room), Ok(key_len)) = (option.key.get_mut(..key.len()), key.len().try_into())
            else {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the TCP MD5 password is longer than 80 octets",
                ));
            };
            room.copy_from_slice(key);
            option.key_len = key_len;
            Ok(option)
        }
    }

    /// The address as a `struct sockaddr_storage`. The port is zero: the kernel keys by address.
    fn address(peer: SocketAddr) -> [u8; ADDRESS_SIZE] {
        let mut storage = [0; ADDRESS_SIZE];
        match peer {
            SocketAddr::V4(v4) => {
                storage[..2].copy_from_slice(&INET.to_ne_bytes());
                storage[4..8].copy_from_slice(&v4.ip().octets());
            }
            SocketAddr::V6(v6) => {
                storage[..2].copy_from_slice(&INET6.to_ne_bytes());
                storage[8..24].copy_from_slice(&v6.ip().octets());
                storage[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
            }
        }
        storage
    }

    #[expect(unsafe_code, reason = "neither std, tokio nor socket2 can set TCP_MD5SIG")]
    fn set_option(socket: BorrowedFd<'_>, option: &TcpMd5Sig) -> io::Result<()> {
        // SAFETY: `socket` is open, since it is borrowed for the call. The pointer and the length
        // describe one live and wholly initialised `TcpMd5Sig`, which the kernel copies and does
        // not keep. The call writes to no memory of ours.
        let answer = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_MD5SIG,
                std::ptr::from_ref(option).cast(),
                OPTION_LEN,
            )
        };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Of `struct __kernel_sockaddr_storage`.
    const ADDRESS_SIZE: usize = 128;
    const OPTION_LEN: libc::socklen_t = 216;
    // `sa_family_t` has 16 bits, the constants are declared as `int`.
    const INET: u16 = 2;
    const INET6: u16 = 10;

    const _: () = {
        assert!(size_of::<libc::sockaddr_storage>() == ADDRESS_SIZE);
        assert!(size_of::<TcpMd5Sig>() == OPTION_LEN as usize);
        // No padding: the fields fill the structure.
        assert!(ADDRESS_SIZE + 1 + 1 + 2 + 4 + libc::TCP_MD5SIG_MAXKEYLEN == OPTION_LEN as usize);
        assert!(INET as i32 == libc::AF_INET && INET6 as i32 == libc::AF_INET6);
    };

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn the_address_has_the_layout_of_the_system() {
            let v4 = address("192.0.2.7:179".parse().unwrap());
            assert_eq!(v4[..8], [2u16.to_ne_bytes().as_slice(), &[0, 0, 192, 0, 2, 7]].concat());
            let v6 = address("[2001:db8::7]:179".parse().unwrap());
            assert_eq!(v6[8..12], [0x20, 0x01, 0x0d, 0xb8]);
            assert_eq!(v6[23], 7);
        }

        #[test]
        fn a_key_of_eighty_octets_is_the_longest() {
            let peer = "192.0.2.7:179".parse().unwrap();
            assert_eq!(TcpMd5Sig::new(peer, &[1; 80]).unwrap().key_len, 80);
            assert!(TcpMd5Sig::new(peer, &[1; 81]).is_err());
        }
    }
}
