//! TCP MD5 signatures (RFC 2385) and TCP-AO (RFC 5925): the kernel signs and checks every segment.
//!
//! It owns the layout of Linux's `struct tcp_md5sig`, `struct tcp_ao_add` and `struct tcp_ao_del`, as octets.

use std::{io, net::SocketAddr};

use super::{explain, option};
use crate::{AoKey, config::TransportConfig};

/// The addresses whose segments a key signs: one, or on a listening socket all of a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyScope {
    pub(crate) address: SocketAddr,
    /// `None`: the address alone.
    pub(crate) prefix_len: Option<u8>,
}

impl From<SocketAddr> for KeyScope {
    fn from(address: SocketAddr) -> Self {
        Self { address, prefix_len: None }
    }
}

/// Sets the configured password or keys, if any. On a listening socket they apply to connections from the addresses of
/// `scope`.
pub(crate) fn set(
    socket: &impl OptionTarget,
    scope: KeyScope,
    transport: &TransportConfig,
) -> io::Result<()> {
    if let Some(password) = &transport.password {
        set_md5(socket, scope, password.as_bytes())
            .map_err(|error| explain(error, format_args!("cannot set the TCP MD5 password")))?;
    }

    for key in &transport.ao_keys {
        let added = option::set(socket, TCP, TCP_AO_ADD_KEY, &ao_add(scope, key));
        added.map_err(|error| match error.raw_os_error() {
            Some(libc::ENOPROTOOPT) => io::Error::new(
                io::ErrorKind::Unsupported,
                "this kernel has no TCP-AO, which needs Linux 6.7 or later, built with CONFIG_TCP_AO",
            ),
            _ => explain(error, format_args!("cannot set the TCP-AO key {}", key.send_id)),
        })?;
    }
    Ok(())
}

/// Removes the password or keys from a listening socket. Existing connections keep theirs.
pub(crate) fn remove(
    socket: &impl OptionTarget,
    scope: KeyScope,
    transport: &TransportConfig,
) -> io::Result<()> {
    if transport.password.is_some() {
        set_md5(socket, scope, &[])?;
    }
    for key in &transport.ao_keys {
        option::set(socket, TCP, TCP_AO_DEL_KEY, &ao_del(scope, key))?;
    }
    Ok(())
}

/// A socket whose options can be set.
#[cfg(target_os = "linux")]
pub(crate) trait OptionTarget: std::os::fd::AsFd {}
#[cfg(target_os = "linux")]
impl<S: std::os::fd::AsFd> OptionTarget for S {}
/// A socket, on which no option can be set.
#[cfg(not(target_os = "linux"))]
pub(crate) trait OptionTarget {}
#[cfg(not(target_os = "linux"))]
impl<S> OptionTarget for S {}

fn set_md5(socket: &impl OptionTarget, scope: KeyScope, key: &[u8]) -> io::Result<()> {
    let name = if scope.prefix_len.is_some() { TCP_MD5SIG_EXT } else { TCP_MD5SIG };
    option::set(socket, TCP, name, &md5sig(scope, key)?)
}

/// `struct tcp_md5sig` of `linux/tcp.h`.
fn md5sig(scope: KeyScope, key: &[u8]) -> io::Result<[u8; 216]> {
    let mut octets = [0; 216];
    octets[..128].copy_from_slice(&sockaddr_storage(scope.address));
    if let Some(prefix_len) = scope.prefix_len {
        octets[128] = TCP_MD5SIG_FLAG_PREFIX;
        octets[129] = prefix_len;
    }
    let (Some(room), Ok(length)) = (octets.get_mut(136..136 + key.len()), u16::try_from(key.len()))
    else {
        let text = "the TCP MD5 password is longer than 80 octets";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    };
    room.copy_from_slice(key);
    octets[130..132].copy_from_slice(&length.to_ne_bytes());
    Ok(octets)
}

/// `struct tcp_ao_add` of `linux/tcp.h`.
fn ao_add(scope: KeyScope, key: &AoKey) -> [u8; 288] {
    let mut octets = [0; 288];
    octets[..128].copy_from_slice(&sockaddr_storage(scope.address));
    let name = key.algorithm.name().as_bytes();
    octets[128..128 + name.len()].copy_from_slice(name);
    // 192: the index of a VRF. 196: `set_current` and `set_rnext`. A listening socket has neither, and on others the
    // first key that is added becomes both, so the order of keys counts.
    octets[202] = prefix_len(scope);
    octets[203] = key.send_id;
    octets[204] = key.receive_id;
    octets[205] = key.algorithm.code_length();
    let secret = key.secret.as_bytes();
    let length = secret.len().min(AoKey::LONGEST);
    octets[207] = u8::try_from(length).unwrap_or(0);
    octets[208..208 + length].copy_from_slice(&secret[..length]);
    octets
}

/// `struct tcp_ao_del` of `linux/tcp.h`.
fn ao_del(scope: KeyScope, key: &AoKey) -> [u8; 144] {
    let mut octets = [0; 144];
    octets[..128].copy_from_slice(&sockaddr_storage(scope.address));
    octets[138] = prefix_len(scope);
    octets[139] = key.send_id;
    octets[140] = key.receive_id;
    octets
}

fn prefix_len(scope: KeyScope) -> u8 {
    scope.prefix_len.unwrap_or_else(|| if scope.address.is_ipv4() { 32 } else { 128 })
}

/// The address as a `struct sockaddr_storage`. The port is zero: the kernel keys by address.
fn sockaddr_storage(peer: SocketAddr) -> [u8; 128] {
    let mut storage = [0; 128];
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

// The numbers are Linux's. The assertions compare them with libc's where it has them.
const TCP: i32 = 6;
const TCP_MD5SIG: i32 = 14;
const TCP_MD5SIG_EXT: i32 = 32;
const TCP_MD5SIG_FLAG_PREFIX: u8 = 1;
const TCP_AO_ADD_KEY: i32 = 38;
const TCP_AO_DEL_KEY: i32 = 39;
// `sa_family_t` has 16 bits, the constants are declared as `int`.
const INET: u16 = 2;
const INET6: u16 = 10;

#[cfg(target_os = "linux")]
const _: () = {
    assert!(TCP == libc::IPPROTO_TCP && TCP_MD5SIG == libc::TCP_MD5SIG);
    assert!(libc::TCP_MD5SIG_MAXKEYLEN == 80);
    assert!(size_of::<libc::sockaddr_storage>() == 128);
    assert!(INET as i32 == libc::AF_INET && INET6 as i32 == libc::AF_INET6);
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AoAlgorithm;

    const PEER: &str = "192.0.2.7:179";

    fn scope(prefix_len: Option<u8>) -> KeyScope {
        KeyScope { address: PEER.parse().unwrap(), prefix_len }
    }

    /// The same structures by the compiler's layout.
    #[repr(C)]
    struct Md5Sig {
        address: [u64; 16],
        flags: u8,
        prefix_len: u8,
        key_len: u16,
        interface_index: i32,
        key: [u8; 80],
    }

    #[repr(C, align(8))]
    struct AoAdd {
        address: [u64; 16],
        algorithm: [u8; 64],
        interface_index: i32,
        flags: u32,
        reserved: u16,
        prefix: u8,
        send_id: u8,
        receive_id: u8,
        code_length: u8,
        key_flags: u8,
        key_len: u8,
        key: [u8; 80],
    }

    #[repr(C, align(8))]
    struct AoDel {
        address: [u64; 16],
        interface_index: i32,
        flags: u32,
        reserved: u16,
        prefix: u8,
        send_id: u8,
        receive_id: u8,
        current_key: u8,
        receive_next: u8,
        key_flags: u8,
    }

    #[test]
    fn the_structures_have_the_kernels_sizes_and_places() {
        use std::mem::offset_of;
        assert_eq!((size_of::<Md5Sig>(), size_of::<AoAdd>(), size_of::<AoDel>()), (216, 288, 144));
        let md5 = [
            offset_of!(Md5Sig, flags),
            offset_of!(Md5Sig, prefix_len),
            offset_of!(Md5Sig, key_len),
            offset_of!(Md5Sig, key),
        ];
        assert_eq!(md5, [128, 129, 130, 136]);
        let add = [
            offset_of!(AoAdd, algorithm),
            offset_of!(AoAdd, interface_index),
            offset_of!(AoAdd, flags),
            offset_of!(AoAdd, prefix),
            offset_of!(AoAdd, send_id),
            offset_of!(AoAdd, receive_id),
            offset_of!(AoAdd, code_length),
            offset_of!(AoAdd, key_len),
            offset_of!(AoAdd, key),
        ];
        assert_eq!(add, [128, 192, 196, 202, 203, 204, 205, 207, 208]);
        let del =
            [offset_of!(AoDel, prefix), offset_of!(AoDel, send_id), offset_of!(AoDel, receive_id)];
        assert_eq!(del, [138, 139, 140]);
    }

    #[test]
    fn the_address_has_the_layout_of_the_system() {
        let v4 = sockaddr_storage(PEER.parse().unwrap());
        assert_eq!(v4[..8], [2u16.to_ne_bytes().as_slice(), &[0, 0, 192, 0, 2, 7]].concat());
        let v6 = sockaddr_storage("[fe80::7%3]:179".parse().unwrap());
        assert_eq!(v6[8..10], [0xfe, 0x80]);
        assert_eq!(v6[23], 7);
        assert_eq!(v6[24..28], 3u32.to_ne_bytes());
    }

    #[test]
    fn a_key_of_eighty_octets_is_the_longest() {
        let option = md5sig(scope(None), &[1; 80]).unwrap();
        assert_eq!(option[128..132], [&[0, 0][..], &80u16.to_ne_bytes()].concat());
        assert_eq!(option[136..], [1; 80]);
        assert!(md5sig(scope(None), &[1; 81]).is_err());
        assert_eq!(md5sig(scope(Some(24)), b"k").unwrap()[128..130], [1, 24]);
    }

    #[test]
    fn a_key_of_tcp_ao_is_encoded_with_its_identifiers_and_its_algorithm() {
        let key = AoKey::new(5, "s3cret").receive_id(6).algorithm(AoAlgorithm::Aes128Cmac);
        let option = ao_add(scope(None), &key);
        assert_eq!(&option[128..141], b"cmac(aes128)\0");
        assert_eq!(option[192..202], [0; 10]);
        assert_eq!(option[202..208], [32, 5, 6, 12, 0, 6]);
        assert_eq!(&option[208..215], b"s3cret\0");
        assert_eq!(ao_del(scope(Some(24)), &key)[138..], [24, 5, 6, 0, 0, 0]);
    }
}
