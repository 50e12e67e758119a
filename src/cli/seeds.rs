//! Ranges of seeds and shards, as written on the command line and in run.json.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use fencepost_scenarios::file::quoted;
use fencepost_sim::stream::SEED_LIMIT;
use serde::{Deserialize, Serialize};

/// A half-open range of seeds: `N` is `0..N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Seeds {
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Part `number` of `of`, counted from 1. Seeds are dealt to the parts in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) struct Shard {
    pub(super) number: u64,
    pub(super) of: u64,
}

impl Seeds {
    pub(super) fn first(count: u64) -> Self {
        Seeds { start: 0, end: count }
    }

    pub(super) fn range(self) -> Range<u64> {
        self.start..self.end
    }

    pub(super) fn count(self) -> u64 {
        self.end - self.start
    }
}

/// Parses one seed.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u64>() {
        Ok(seed) if seed < SEED_LIMIT => Ok(seed),
        _ if digits => Err(format!("the seed {} is too large: seeds are below 2^53", quoted(text))),
        _ => Err(format!("{} is not a seed: write a whole number from 0", quoted(text))),
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| {
            let number = digits.trim().parse::<u64>().ok().filter(|number| *number <= SEED_LIMIT);
            number.ok_or_else(|| format!("`{digits}` is not a whole number up to 2^53: write `200` or `100..200`"))
        };
        let seeds = match text.split_once("..") {
            Some((start, end)) => Seeds { start: number(start)?, end: number(end)? },
            None => Seeds::first(number(text)?),
        };
        if seeds.start > seeds.end {
            return Err(format!("the range ends before it begins: did you mean `{}..{}`?", seeds.end, seeds.start));
        }
        Ok(seeds)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err("write `i/n` with i from 1 to n, for example `1/4`".into()),
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Serializes both types as the text that users write.
macro_rules! serialize_as_text {
    ($($kind:ty),*) => {$(
        impl From<$kind> for String {
            fn from(value: $kind) -> String {
                value.to_string()
            }
        }

        impl TryFrom<String> for $kind {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

serialize_as_text!(Seeds, Shard);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_half_open() {
        assert_eq!("200".parse(), Ok(Seeds { start: 0, end: 200 }));
        assert_eq!("5..9".parse(), Ok(Seeds { start: 5, end: 9 }));
        assert_eq!("5..9".parse::<Seeds>().map(|seeds| seeds.to_string()), Ok("5..9".into()));
        for wrong in ["", "x", "-1", "1..", "9..5", "1..=5", "18446744073709551615"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn seeds_are_below_the_limit_and_errors_name_the_mistake() {
        assert_eq!(seed("9007199254740991"), Ok(SEED_LIMIT - 1));
        for large in ["9007199254740992", "18446744073709551615", "99999999999999999999"] {
            assert!(seed(large).is_err_and(|why| why.contains("too large")), "{large}");
        }
        for wrong in ["", "x", "-1", "1.5"] {
            assert!(seed(wrong).is_err_and(|why| why.contains("is not a seed")), "{wrong}");
        }
    }

    #[test]
    fn shards_count_from_one() {
        assert_eq!("1/4".parse(), Ok(Shard { number: 1, of: 4 }));
        for wrong in ["0/4", "5/4", "1", "1/0", "a/b", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
