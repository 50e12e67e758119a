//! Random streams: one for each purpose and owner, all derived from the case's seed. Draws from one stream never change
//! another, so removing a fault from a schedule removes only that fault's consequences.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The upper limit of seeds, exclusive. JSON readers that parse numbers as doubles read smaller integers exactly.
pub const SEED_LIMIT: u64 = 1 << 53;

/// The source of all streams of one case.
#[derive(Clone, Debug)]
pub struct Streams {
    key: [u8; 32],
}

/// A stream of random numbers. Streams with the same seed and label give the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Streams {
    /// Creates the streams of the case with this seed.
    pub fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..24].copy_from_slice(b"fencepost stream");
        Streams { key }
    }

    /// Returns the stream for a purpose and owner, such as `"latency client-1 store"`.
    pub fn stream(&self, label: &str) -> Stream {
        self.numbered(xxh3_64(label.as_bytes()))
    }

    /// Returns the stream whose label is these words, joined by spaces.
    pub(crate) fn labelled(&self, words: &[&str]) -> Stream {
        let mut label = Xxh3::new();
        for (i, word) in words.iter().enumerate() {
            if i > 0 {
                label.update(b" ");
            }
            label.update(word.as_bytes());
        }
        self.numbered(label.digest())
    }

    fn numbered(&self, number: u64) -> Stream {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(number);
        Stream(rng)
    }
}

impl Stream {
    /// Draws any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a number from `low` to `high`, inclusive. Uses exactly one number of the stream; the bias is below
    /// (high − low) / 2⁶⁴.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high);
        let width = u128::from(high - low) + 1;
        low + ((u128::from(self.number()) * width) >> 64) as u64
    }

    /// Draws a number in [0, 1), a multiple of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.number() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Draws from the standard normal distribution (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(2.0 * std::f64::consts::PI * self.unit())
    }

    /// Returns true with a probability of `per_million` / 1,000,000.
    pub fn chance(&mut self, per_million: u32) -> bool {
        self.between(0, 999_999) < u64::from(per_million)
    }

    /// Shuffles the items.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.between(0, last as u64) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_and_the_label_determine_the_numbers() {
        let mut stream = Streams::new(17).stream("latency client-1 store");
        assert_eq!(stream.number(), Streams::new(17).stream("latency client-1 store").number());
        let mut same = Streams::new(17).labelled(&["latency", "client-1", "store"]);
        same.number();
        assert_eq!(stream.number(), same.number());
        assert_ne!(Streams::new(17).stream("a").number(), Streams::new(17).stream("b").number());
        assert_ne!(Streams::new(17).stream("a").number(), Streams::new(18).stream("a").number());
    }

    #[test]
    fn between_reaches_both_ends_and_nothing_else() {
        let mut stream = Streams::new(1).stream("ends");
        let drawn: Vec<u64> = (0..1_000).map(|_| stream.between(3, 5)).collect();
        assert!((3..=5).all(|n| drawn.contains(&n)));
        assert!(drawn.iter().all(|n| (3..=5).contains(n)));
        assert_eq!(stream.between(9, 9), 9);
        stream.between(0, u64::MAX);
    }
}
