//! Address ranges, and what is odd about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::draft::Format;
use super::field::Field;
use super::report::Report;
use super::unfinished::without_zeros;
use crate::model::{AddressRange, IpFamily, RangeError};

/// Reads one prefix or range.
pub(crate) fn read(
    field: Field<'_>,
    format: Format,
    report: &mut Report<'_>,
) -> Option<AddressRange> {
    let text = field.word(format, report)?;
    // Some programs read a part with a leading zero as octal, others refuse it, as MetalLB does.
    let parsed = match without_zeros(text) {
        Some(_) => Err(RangeError::Syntax),
        None => text.parse::<AddressRange>(),
    };
    let range = match parsed {
        Ok(range) => range,
        Err(error) => {
            let hint = match (error, text.parse::<IpAddr>()) {
                (RangeError::Syntax, Ok(address)) => {
                    format!("write {address}/{} for one address", IpFamily::of(address).bits())
                }
                _ => error.to_string(),
            };
            let message = format!("{} is no address range, {hint}", field.shown());
            field.error(report, field.hinted(message));
            return None;
        }
    };

    if let Ok(prefix) = text.parse::<IpNet>()
        && prefix.addr() != prefix.network()
    {
        field.warning(report, format!("{text} has host bits set, taken as {range}"));
    }
    if let Some(special) = special(range) {
        let message = format!("{range} has addresses of {special}, which are not for Services");
        field.warning(report, message);
    }
    Some(range)
}

/// A prefix of addresses that are no host's, or no other host's, if the range has some of them.
fn special(range: AddressRange) -> Option<IpNet> {
    let v4 = |a, length| IpNet::new(Ipv4Addr::new(a, 0, 0, 0).into(), length);
    let v6 = |address: Ipv6Addr, length| IpNet::new(address.into(), length);
    [
        v4(0, 8),
        v4(127, 8),
        v4(224, 3),
        v6(Ipv6Addr::UNSPECIFIED, 127),
        v6(Ipv4Addr::UNSPECIFIED.to_ipv6_mapped(), 96),
        v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
        v6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
    ]
    .into_iter()
    .flatten()
    .find(|special| range.overlaps(&AddressRange::from_prefix(*special)))
}
