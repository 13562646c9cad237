//! The jitter of RFC 4271, section 10, drawn from a seed: the same seed gives the same run.

use std::time::Duration;

/// A source of jitter.
#[derive(Clone, Debug)]
pub(super) struct Jitter {
    state: u64,
}

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns `base` times a factor spread evenly over 0.75 to 1.0.
    pub(super) fn apply(&mut self, base: Duration) -> Duration {
        // 768 to 1023 parts of 1024. Without floating point the result is the same on every machine.
        let parts = 768 + u32::from(self.next_octet());
        base.saturating_mul(parts) / 1024
    }

    /// The next octet of SplitMix64, which is small, has its full period for any seed, and keeps peers out of step. The last step of
    /// that generator is left out: it does not change the highest octet, the only one that is used.
    fn next_octet(&mut self) -> u8 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [octet, ..] = z.to_be_bytes();
        octet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_between_three_quarters_and_the_whole() {
        let mut jitter = Jitter::new(7);
        let base = Duration::from_secs(30);
        let drawn: Vec<_> = (0..1000).map(|_| jitter.apply(base)).collect();
        assert!(drawn.iter().all(|d| *d >= base * 3 / 4 && *d < base));
        assert!(
            drawn.iter().any(|d| *d < base * 4 / 5) && drawn.iter().any(|d| *d > base * 19 / 20)
        );
    }

    #[test]
    fn the_octets_are_the_highest_of_splitmix64() {
        let mut jitter = Jitter::new(0);
        let octets: Vec<_> = (0..5).map(|_| jitter.next_octet()).collect();
        assert_eq!(octets, [0xe2, 0x6e, 0x06, 0xf8, 0x1b]);
    }

    #[test]
    fn equal_seeds_give_equal_jitter_and_different_seeds_do_not() {
        let run = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..8).map(|_| jitter.apply(Duration::from_secs(1))).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
