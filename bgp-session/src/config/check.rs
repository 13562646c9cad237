//! The checks of a peer's configuration. They run when the peer is added or changed, so that the setters cannot fail.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use bgp_core::{Asn, BgpIdentifier, fsm::RemoteAs};

use super::{TransportConfig, transport::Reach};
use crate::{PeerConfig, SpeakerError};

impl PeerConfig {
    /// Refuses a configuration with values that make no sense. The error names the first of them.
    pub(crate) fn check(&self) -> Result<(), SpeakerError> {
        self.check_address()?;
        self.check_protocol()?;

        if let Some(Err((field, value, expected))) = self.bfd.map(|profile| profile.check()) {
            return Err(SpeakerError::PeerConfig { peer: self.id(), field, value, expected });
        }

        self.check_transport()?;
        self.check_authentication()?;
        self.check_system()
    }

    fn check_address(&self) -> Result<(), SpeakerError> {
        let address = self.id().address();
        if address.is_unspecified() || address.is_multicast() {
            return self.refuse("address", &address, "the unicast address of a router");
        }

        let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if link_local && self.id().scope_id() == 0 {
            let expected = "a link-local address with the index of its interface, as in fe80::1%2";
            return self.refuse("address", &address, expected);
        }

        if self.address().port() == 0 && self.protocol.settings.fsm.connect_mode.dials() {
            return self.refuse("port", &0, "a TCP port to dial, or a passive peer");
        }
        Ok(())
    }

    fn check_protocol(&self) -> Result<(), SpeakerError> {
        match self.remote_as() {
            RemoteAs::Number(Asn::ZERO) => {
                let expected = "an AS number (0 is reserved by RFC 7607)";
                return self.refuse("remote_as", &0, expected);
            }
            RemoteAs::Between(first, last) if first > last => {
                let expected = "the smaller AS number first";
                return self.refuse("remote_as", &self.remote_as(), expected);
            }
            _ => {}
        }

        if self.protocol.local_asn == Some(Asn::ZERO) {
            return self.refuse("local_asn", &0, "an AS number (0 is reserved by RFC 7607)");
        }
        if self.protocol.identifier == Some(BgpIdentifier::new(0, 0, 0, 0)) {
            let expected = "a nonzero BGP Identifier (RFC 6286)";
            return self.refuse("identifier", &Ipv4Addr::UNSPECIFIED, expected);
        }

        let hold_time = self.protocol.settings.fsm.hold_time;
        if !is_hold_time(hold_time) {
            return self.refuse("hold_time", &hold_time, "0, or 3 to 65535 whole seconds");
        }
        let families = &self.protocol.settings.fsm.families;
        if families.is_empty() {
            return self.refuse("families", families, "at least one address family");
        }
        Ok(())
    }

    fn check_transport(&self) -> Result<(), SpeakerError> {
        let transport = &self.transport;

        if let Some(local) = transport.local_address {
            if local.is_ipv4() != self.id().address().is_ipv4() {
                return self.refuse("local_address", &local, "the same IP version as the peer's");
            }
        }
        if let Some(ports) = &transport.source_ports {
            if ports.is_empty() || *ports.start() == 0 {
                return self.refuse("source_ports", ports, "a range of ports from 1 to 65535");
            }
        }

        match transport.reach {
            Reach::Ttl(0) => return self.refuse("ttl", &0, "1 to 255"),
            Reach::Multihop(0) => return self.refuse("multihop", &0, "1 to 255"),
            Reach::Security { hops: hops @ (0 | 255) } => {
                return self.refuse("ttl_security", &hops, "1 to 254");
            }
            Reach::Anywhere | Reach::Ttl(_) | Reach::Multihop(_) | Reach::Security { .. } => {}
        }

        if let Some(dscp) = transport.dscp.filter(|dscp| *dscp > 63) {
            return self.refuse("dscp", &dscp, "0 to 63");
        }
        if let Some(device) = &transport.device {
            // IFNAMSIZ, with the zero at its end.
            if device.is_empty() || device.len() > 15 || device.contains(['/', '\0', ' ']) {
                let expected = "the name of an interface, 1 to 15 octets";
                return self.refuse("bind_device", device, expected);
            }
        }
        Ok(())
    }

    fn check_authentication(&self) -> Result<(), SpeakerError> {
        let TransportConfig { password, ao_keys, .. } = &self.transport;

        if let Some(password) = password {
            if !password.has_usable_length() {
                return self.refuse("password", password, "1 to 80 octets");
            }
            if !ao_keys.is_empty() {
                return self.refuse("ao_keys", ao_keys, "either a password or TCP-AO keys");
            }
        }

        for (index, key) in ao_keys.iter().enumerate() {
            if !key.secret.has_usable_length() {
                return self.refuse("ao_keys", key, "a secret of 1 to 80 octets");
            }
            let shares_an_id = ao_keys.iter().take(index).any(|earlier| {
                earlier.send_id == key.send_id || earlier.receive_id == key.receive_id
            });
            if shares_an_id {
                return self.refuse("ao_keys", key, "a different SendID and RecvID for each key");
            }
        }
        Ok(())
    }

    fn check_system(&self) -> Result<(), SpeakerError> {
        if cfg!(target_os = "linux") || !self.transport.needs_linux() {
            return Ok(());
        }
        self.refuse("transport", &self.transport, "options that exist outside of Linux too")
    }

    /// Returns the error for a value, with a description of the accepted ones.
    fn refuse(
        &self,
        field: &'static str,
        value: &dyn fmt::Debug,
        expected: &'static str,
    ) -> Result<(), SpeakerError> {
        let value = format!("{value:?}");
        Err(SpeakerError::PeerConfig { peer: self.id(), field, value, expected })
    }
}

fn is_hold_time(time: Duration) -> bool {
    let whole_seconds = time.subsec_nanos() == 0;
    time.is_zero() || (whole_seconds && (3..=u64::from(u16::MAX)).contains(&time.as_secs()))
}
