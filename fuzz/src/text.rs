//! Text formats: any value reads back from its text, and so does any value that was read from text.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bgp_core::wire::{
    Aggregator, AsPath, Community, ExtendedCommunity, Ipv6ExtendedCommunity, LargeCommunity,
    NextHop, Origin,
};
use bgp_core::{Afi, AfiSafi, Asn, BgpIdentifier, Safi};

use crate::input::Input;
use crate::judge::judge_text;

/// The input is both a text and the octets of a value of each type.
pub fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        judge_read::<Asn>(text);
        judge_read::<AfiSafi>(text);
        judge_read::<BgpIdentifier>(text);
        judge_read::<Community>(text);
        judge_read::<LargeCommunity>(text);
        judge_read::<ExtendedCommunity>(text);
        judge_read::<Ipv6ExtendedCommunity>(text);
        // The empty path prints as nothing, which `judge_text` does not allow.
        if !text.trim_ascii().is_empty() {
            judge_read::<AsPath>(text);
        }
        judge_read::<NextHop>(text);
        judge_read::<Aggregator>(text);
        judge_read::<Origin>(text);
    }

    // Each value is read from the start of the input.
    let input = Input::new(input);
    let number = input.clone().four_octets();
    judge_printed(&Asn(number));
    judge_printed(&BgpIdentifier::from(number));
    judge_printed(&Community(number));

    let mut family = input.clone();
    judge_printed(&AfiSafi::new(Afi(family.two_octets()), Safi(family.octet())));
    let mut large = input.clone();
    let (global, first) = (large.four_octets(), large.four_octets());
    judge_printed(&LargeCommunity::new(global, first, large.four_octets()));
    judge_printed(&ExtendedCommunity(input.clone().array()));
    judge_printed(&Ipv6ExtendedCommunity(input.clone().array()));
}

fn judge_printed<T: Debug + Display + FromStr<Err: Debug> + PartialEq>(value: &T) {
    let text = value.to_string();
    judge_text(&text);
    match text.parse::<T>() {
        Ok(back) => assert_eq!(back, *value, "{text}"),
        Err(error) => panic!("{value:?} prints as {text}, which does not read back: {error:?}"),
    }
}

fn judge_read<T: Debug + Display + FromStr<Err: Debug + Display> + PartialEq>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => judge_printed(&value),
        Err(error) => judge_text(&error.to_string()),
    }
}
