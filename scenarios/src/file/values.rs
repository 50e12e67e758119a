//! Single values of files: bounded numbers, ranges and fractions.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use fencepost_sim::faults::Rate;
use fencepost_sim::units::Span;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::words::{kebab_case, quoted};

/// Reads a whole number from `MIN` to `MAX`.
pub(crate) fn whole<'de, D, T, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    deserializer.deserialize_any(Whole::<T, MIN, MAX>(PhantomData))
}

/// Reads a whole number from `MIN` to `MAX`, for an optional key.
pub(super) fn maybe_whole<'de, D, T, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    whole::<D, T, MIN, MAX>(deserializer).map(Some)
}

struct Whole<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

impl<T: TryFrom<u64>, const MIN: u64, const MAX: u64> Visitor<'_> for Whole<T, MIN, MAX> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from {MIN} to {MAX}")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        let outside = || E::invalid_value(Unexpected::Unsigned(value), &self);
        if !(MIN..=MAX).contains(&value) {
            return Err(outside());
        }
        T::try_from(value).map_err(|_| outside())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }
}

/// The shortest and the longest interval between events.
const INTERVALS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);

/// Reads an interval between events.
pub(crate) fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let length = duration(deserializer)?;
    let valid = INTERVALS.contains(&length);
    valid.then_some(length).ok_or_else(|| D::Error::custom("an interval must be from `1ms` to `24h`"))
}

/// Reads a duration with a unit.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Span::deserialize(deserializer).map(|span| span.0)
}

/// Reads the name of a scenario or suite.
pub(super) fn maybe_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    match kebab_case(&name) {
        Ok(()) => Ok(Some(name)),
        Err(help) => Err(D::Error::custom(format!("{} is not a valid name: {help}", quoted(&name)))),
    }
}

/// Reads a fraction from 0 to 1, and returns it in ppm.
pub(super) fn per_million<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    Rate::deserialize(deserializer).map(Rate::ppm)
}

/// The maximum quantity of one order.
const MOST_UNITS: u32 = 1_000_000;

/// Reads a quantity: an integer, or a range such as "1..=3".
pub(crate) fn quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RangeInclusive<u32>, D::Error> {
    deserializer.deserialize_any(Quantity)
}

/// Returns the schema of a quantity.
pub(crate) fn quantity_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": r"^\s*\d+\s*(\.\.=\s*\d+\s*)?$" }],
        "default": "1..=1"
    })
}

struct Quantity;

impl Visitor<'_> for Quantity {
    type Value = RangeInclusive<u32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 1 to {MOST_UNITS}, or a range such as \"1..=3\"")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        let units = u32::try_from(value).ok().filter(|units| (1..=MOST_UNITS).contains(units));
        units.map(|units| units..=units).ok_or_else(|| E::invalid_value(Unexpected::Signed(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let wrong = || E::invalid_value(Unexpected::Str(text), &self);
        let (low, high) = match text.split_once("..") {
            // In Rust, a range without `=` excludes its end, which is rarely intended here.
            Some((_, high)) if !high.starts_with('=') => {
                return Err(E::custom(format!("`{text}` does not say whether its end is included: write \"1..=3\"")));
            }
            Some((low, high)) => (low, &high[1..]),
            None => (text, text),
        };
        let number = |text: &str| text.trim().parse::<u32>().ok().filter(|units| (1..=MOST_UNITS).contains(units));
        let (low, high) = (number(low).ok_or_else(wrong)?, number(high).ok_or_else(wrong)?);
        if low > high {
            return Err(E::custom(format!("`{text}` is an empty range: write the smaller end first")));
        }
        Ok(low..=high)
    }
}
