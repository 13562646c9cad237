//! Text forms: any value prints as what reads back as it; any text that reads prints as what reads the same.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bgp_core::wire::{
    Aggregator, AsPath, Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity,
    NextHop, Origin,
};
use bgp_core::{Afi, AfiSafi, Asn, BgpIdentifier, Safi};

use crate::input::Input;
use crate::judge::judge_text;

/// The input is a text, and also the octets of a value of each kind.
pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        judge_read::<Asn>(text);
        judge_read::<AfiSafi>(text);
        judge_read::<BgpIdentifier>(text);
        judge_read::<Community>(text);
        judge_read::<LargeCommunity>(text);
        judge_read::<ExtendedCommunity>(text);
        judge_read::<Ipv6ExtendedCommunity>(text);
        // The empty path prints as nothing, which is no text.
        if !text.trim_ascii().is_empty() {
            judge_read::<AsPath>(text);
        }
        judge_read::<NextHop>(text);
        judge_read::<Aggregator>(text);
        judge_read::<Origin>(text);
    }
    let input = || Input::new(input);
    let number = input().four_octets();
    judge_printed(&Asn(number));
    judge_printed(&BgpIdentifier::from(number));
    judge_printed(&Community(number));
    let (mut large, mut family) = (input(), input());
    let mut word = || large.four_octets();
    judge_printed(&LargeCommunity::new(word(), word(), word()));
    judge_printed(&AfiSafi::new(Afi(family.two_octets()), Safi(family.octet())));
    judge_printed(&ExtendedCommunity(input().array()));
    judge_printed(&Ipv6ExtendedCommunity(input().array()));
}

fn judge_printed<T: Debug + Display + FromStr<Err: Debug> + PartialEq>(value: &T) {
    let text = value.to_string();
    judge_text(&text);
    match text.parse::<T>() {
        Ok(back) => assert_eq!(back, *value, "{text}"),
        Err(error) => panic!("{value:?} prints as {text}, which does not read: {error:?}"),
    }
}

fn judge_read<T: Debug + Display + FromStr<Err: Debug + Display> + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => judge_printed(&value),
        Err(error) => judge_text(&error.to_string()),
    }
}
