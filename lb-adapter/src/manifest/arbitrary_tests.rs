//! Arbitrary input does not panic.

use proptest::prelude::*;

use super::tests::beside_config;
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_octets_do_not_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse("d", &[Source { name: "f".to_owned(), octets }]);
    }

    #[test]
    fn a_manifest_with_any_line_replaced_does_not_panic(line in 0_usize..80, with in "\\PC{0,30}") {
        let text = include_str!("../../../examples/reference/services.yaml");
        let changed: Vec<_> = text.lines().enumerate()
            .map(|(index, old)| if index == line { with.as_str() } else { old })
            .collect();
        let _ = beside_config(&changed.join("\n"));
    }
}
