//! Encoding of prefixes into the free space of a message.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::wire::nlri::{self, AddressWidth};

use super::LONGEST_PREFIX;

/// The space for prefixes in a message. It is a separate value so that a loop can keep it in registers.
#[derive(Debug)]
pub(crate) struct PrefixRoom<'a> {
    /// The free space, and [`LONGEST_PREFIX`] octets behind it: a prefix is written with all octets of its address, and the
    /// next one overwrites those that do not count.
    rest: &'a mut [u8],
    /// The initial length of `rest`.
    octets: usize,
    width: Option<AddressWidth>,
    add_path: bool,
    prefixes: usize,
}

impl<'a> PrefixRoom<'a> {
    /// The space from the start of `rest` to [`LONGEST_PREFIX`] octets before its end.
    #[inline(always)]
    pub(super) fn new(rest: &'a mut [u8], width: Option<AddressWidth>, add_path: bool) -> Self {
        let octets = rest.len();
        Self { rest, octets, width, add_path, prefixes: 0 }
    }

    /// The numbers of octets and of prefixes written.
    #[inline(always)]
    pub(crate) fn written(&self) -> (usize, usize) {
        (self.octets - self.rest.len(), self.prefixes)
    }

    /// The maximum number of octets that `prefixes` prefixes need.
    #[inline(always)]
    pub(super) fn most_octets(
        prefixes: usize,
        width: Option<AddressWidth>,
        add_path: bool,
    ) -> usize {
        let path_id = if add_path { 4 } else { 0 };
        let prefix = match width {
            Some(AddressWidth::V4) => 5,
            Some(AddressWidth::V6) => 17,
            None => return 0,
        };
        prefixes.saturating_mul(path_id + prefix)
    }

    /// Writes prefixes with the path identifier 1, up to the first that does not fit or is of another family.
    #[inline(always)]
    pub(super) fn push_all(mut self, prefixes: &[IpNet]) -> Self {
        // One loop for each family: all that it checks for each prefix is the family and the space.
        match (self.width, self.add_path) {
            (Some(AddressWidth::V4), false) => {
                for prefix in prefixes {
                    let IpNet::V4(prefix) = prefix else { break };
                    if !self.put_v4::<false>(*prefix, 1) {
                        break;
                    }
                }
            }
            (Some(AddressWidth::V6), false) => {
                for prefix in prefixes {
                    let IpNet::V6(prefix) = prefix else { break };
                    if !self.put_v6::<false>(*prefix, 1) {
                        break;
                    }
                }
            }
            _ => {
                for prefix in prefixes {
                    if !self.push(*prefix, 1) {
                        break;
                    }
                }
            }
        }

        self
    }

    /// Writes a prefix with its host bits masked, after a path identifier if the session has these.
    ///
    /// Returns false, and writes nothing, if the prefix does not fit or is of another family.
    #[inline(always)]
    pub(crate) fn push(&mut self, prefix: IpNet, path_id: u32) -> bool {
        match (&prefix, self.width) {
            (IpNet::V4(prefix), Some(AddressWidth::V4)) if self.add_path => {
                self.put_v4::<true>(*prefix, path_id)
            }
            (IpNet::V4(prefix), Some(AddressWidth::V4)) => self.put_v4::<false>(*prefix, path_id),
            (IpNet::V6(prefix), Some(AddressWidth::V6)) if self.add_path => {
                self.put_v6::<true>(*prefix, path_id)
            }
            (IpNet::V6(prefix), Some(AddressWidth::V6)) => self.put_v6::<false>(*prefix, path_id),
            _ => false,
        }
    }

    #[inline(always)]
    fn put_v4<const ADD_PATH: bool>(&mut self, prefix: Ipv4Net, path_id: u32) -> bool {
        let octets = nlri::octets_v4(prefix);
        self.put::<ADD_PATH, 8>(octets, prefix.prefix_len(), path_id)
    }

    #[inline(always)]
    fn put_v6<const ADD_PATH: bool>(&mut self, prefix: Ipv6Net, path_id: u32) -> bool {
        let octets = nlri::octets_v6(prefix);
        self.put::<ADD_PATH, 17>(octets, prefix.prefix_len(), path_id)
    }

    #[inline(always)]
    fn put<const ADD_PATH: bool, const N: usize>(
        &mut self,
        octets: [u8; N],
        length: u8,
        path_id: u32,
    ) -> bool {
        let before = if ADD_PATH { 4 } else { 0 };
        let used = before + nlri::encoded_length(length);
        if self.rest.len() < used + LONGEST_PREFIX {
            return false;
        }

        if ADD_PATH {
            let Some(destination) = self.rest.first_chunk_mut() else { return false };
            *destination = path_id.to_be_bytes();
        }
        let destination = self.rest.get_mut(before..).and_then(<[u8]>::first_chunk_mut);
        let Some(destination) = destination else { return false };
        *destination = octets;

        let rest = std::mem::take(&mut self.rest).get_mut(used..);
        self.rest = rest.unwrap_or_default();
        self.prefixes += 1;
        true
    }
}
