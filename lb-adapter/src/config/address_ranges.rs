//! Address ranges of pools, and warnings about unusual ones.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::field::Field;
use super::key::Format;
use super::report::Report;
use super::text_hints::without_leading_zeros;
use crate::model::{AddressRange, IpFamily, RangeError};

/// Reads one prefix or range.
pub(crate) fn read(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<AddressRange> {
    let text = field.word(format, report)?;

    // Some programs read a part with a leading zero as octal; others refuse it, as MetalLB does.
    let parsed = match without_leading_zeros(text) {
        Some(_) => Err(RangeError::Syntax),
        None => text.parse::<AddressRange>(),
    };
    let range = match parsed {
        Ok(range) => range,
        Err(error) => {
            let hint = hint(text, error);
            let message = format!("{} is not an address range, {hint}", field.shown());
            field.error(report, field.hinted(message));
            return None;
        }
    };

    if let Ok(prefix) = text.parse::<IpNet>()
        && prefix.addr() != prefix.network()
    {
        field.warning(report, format!("{text} has host bits set, it is read as {range}"));
    }
    if let Some(special) = special_prefix(range) {
        let message = format!("{range} includes addresses of {special}, which Services cannot use");
        field.warning(report, message);
    }
    Some(range)
}

fn hint(text: &str, error: RangeError) -> String {
    if error == RangeError::Syntax
        && let Ok(address) = text.parse::<IpAddr>()
    {
        let length = IpFamily::of(address).bits();
        return format!("write {address}/{length} for a single address");
    }
    error.to_string()
}

/// Returns a prefix of addresses that no other host can have, if the range includes some of them.
fn special_prefix(range: AddressRange) -> Option<IpNet> {
    let prefixes: [(IpAddr, u8); 7] = [
        (Ipv4Addr::new(0, 0, 0, 0).into(), 8),
        (Ipv4Addr::new(127, 0, 0, 0).into(), 8),
        (Ipv4Addr::new(224, 0, 0, 0).into(), 3),
        (Ipv6Addr::UNSPECIFIED.into(), 127),
        (Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().into(), 96),
        (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0).into(), 10),
        (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 8),
    ];
    let prefixes = prefixes.into_iter().filter_map(|(ip, length)| IpNet::new(ip, length).ok());
    prefixes.into_iter().find(|special| range.overlaps(&AddressRange::from_prefix(*special)))
}
