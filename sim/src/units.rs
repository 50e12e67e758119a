//! Durations and distributions as users write them: `"250ms"`, `"1ms..10ms"`, `"exp(5s)"`, `"lognormal(20ms, 1.0)"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::stream::Stream;
use crate::time::nanos;

/// The longest duration allowed in a scenario: about 115 days. Longer ones are probably typos.
pub const LONGEST: Duration = Duration::from_secs(10_000_000);

/// A duration, written as a number and a unit: `"250ms"`, `"1m 30s"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// A duration that may be negative (`"-30s"`), or a uniform range of durations (`"-30s..30s"`), in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedSpan {
    low: i64,
    high: i64,
}

/// A distribution of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dist {
    /// Always this duration.
    Constant(Duration),
    /// Uniform, including both ends.
    Uniform(Duration, Duration),
    /// Exponential with this mean.
    Exponential(Duration),
    /// Log-normal with this median and this standard deviation of the logarithm.
    LogNormal(Duration, f64),
}

/// An error in the text of a duration or distribution, with a fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError(String);

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UnitError {}

impl Dist {
    /// Draws one duration. A constant uses no number of the stream, a log-normal two, and the others one.
    pub fn draw(&self, stream: &mut Stream) -> Duration {
        match *self {
            Dist::Constant(value) => value,
            Dist::Uniform(low, high) => Duration::from_nanos(stream.between(nanos(low), nanos(high))),
            Dist::Exponential(mean) => scale(mean, -libm::log(1.0 - stream.unit())),
            Dist::LogNormal(median, sigma) => scale(median, libm::exp(sigma * stream.normal())),
        }
    }

    /// Returns the longest possible draw; [`LONGEST`] if there is no bound.
    pub fn longest(&self) -> Duration {
        match *self {
            Dist::Constant(value) => value,
            Dist::Uniform(_, high) => high,
            Dist::Exponential(_) | Dist::LogNormal(..) => LONGEST,
        }
    }

    /// Returns whether every draw is zero.
    pub fn is_zero(&self) -> bool {
        self.longest().is_zero()
    }
}

fn scale(unit: Duration, factor: f64) -> Duration {
    let ns = libm::round(nanos(unit) as f64 * factor);
    Duration::from_nanos(ns.clamp(0.0, nanos(LONGEST) as f64) as u64)
}

impl SignedSpan {
    /// Creates a span of exactly `value` nanoseconds.
    pub fn constant(value: i64) -> Self {
        SignedSpan { low: value, high: value }
    }

    /// Draws one value in nanoseconds. Uses exactly one number of the stream.
    pub fn draw(&self, stream: &mut Stream) -> i64 {
        let width = self.high.abs_diff(self.low);
        self.low.saturating_add_unsigned(stream.between(0, width))
    }
}

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if text.starts_with('-') {
            return Err(UnitError(format!("`{text}` is negative: a duration here must be zero or longer")));
        }
        if text == "0" {
            return Ok(Span(Duration::ZERO));
        }
        let value = humantime::parse_duration(text).map_err(|_| {
            UnitError(format!(
                "`{text}` is not a duration: write a number and a unit (ns, us, ms, s, m, h), such as \"1500ms\""
            ))
        })?;
        if value > LONGEST {
            return Err(UnitError(format!("`{text}` is too long: the longest duration is 10000000s (115 days)")));
        }
        Ok(Span(value))
    }
}

impl FromStr for SignedSpan {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (low, high) = match text.split_once("..") {
            Some((low, high)) => (signed(low)?, signed(high)?),
            None => (signed(text)?, signed(text)?),
        };
        if low > high {
            return Err(UnitError(format!("`{text}` is an empty range: write the smaller end first")));
        }
        Ok(SignedSpan { low, high })
    }
}

fn signed(text: &str) -> Result<i64, UnitError> {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(magnitude) => Ok(-(nanos(magnitude.parse::<Span>()?.0) as i64)),
        None => Ok(nanos(text.parse::<Span>()?.0) as i64),
    }
}

impl FromStr for Dist {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        if let Some(mean) = call(text, "exp") {
            return Ok(Dist::Exponential(mean.parse::<Span>()?.0));
        }
        if let Some(arguments) = call(text, "lognormal") {
            return log_normal(text, arguments);
        }
        if let Some((name, _)) = text.split_once('(') {
            return Err(UnitError(format!(
                "`{name}` is not a distribution: write a duration, \"1ms..10ms\", \"exp(5s)\" or \"lognormal(20ms, 1.0)\""
            )));
        }
        match text.split_once("..") {
            None => Ok(Dist::Constant(text.parse::<Span>()?.0)),
            Some((low, high)) => {
                let (low, high) = (low.parse::<Span>()?.0, high.trim_start_matches('=').parse::<Span>()?.0);
                if low > high {
                    return Err(UnitError(format!("`{text}` is an empty range: write the shorter end first")));
                }
                Ok(Dist::Uniform(low, high))
            }
        }
    }
}

fn call<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')')
}

fn log_normal(text: &str, arguments: &str) -> Result<Dist, UnitError> {
    let wrong =
        || UnitError(format!("`{text}` needs a median and a sigma from 0 to 10, such as \"lognormal(20ms, 1.0)\""));
    let (median, sigma) = arguments.split_once(',').ok_or_else(wrong)?;
    let sigma: f64 = sigma.trim().parse().map_err(|_| wrong())?;
    if !(0.0..=10.0).contains(&sigma) {
        return Err(wrong());
    }
    Ok(Dist::LogNormal(median.parse::<Span>()?.0, sigma))
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Display for SignedSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |value: i64| {
            let sign = if value < 0 { "-" } else { "" };
            format!("{sign}{}", Span(Duration::from_nanos(value.unsigned_abs())))
        };
        if self.low == self.high {
            f.write_str(&part(self.low))
        } else {
            write!(f, "{}..{}", part(self.low), part(self.high))
        }
    }
}

impl fmt::Display for Dist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Dist::Constant(value) => Span(value).fmt(f),
            Dist::Uniform(low, high) => write!(f, "{}..{}", Span(low), Span(high)),
            Dist::Exponential(mean) => write!(f, "exp({})", Span(mean)),
            Dist::LogNormal(median, sigma) => write!(f, "lognormal({}, {sigma:?})", Span(median)),
        }
    }
}

/// Implements serde and JSON Schema through the text form.
macro_rules! as_text {
    ($type:ty, $description:literal) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "description": $description })
            }
        }
    };
}

as_text!(Span, "A duration: numbers with units (ns, us, ms, s, m, h), such as \"250ms\".");
as_text!(SignedSpan, "A duration with a sign, or a uniform range: \"30s\", \"-2s\", \"-30s..30s\".");
as_text!(Dist, "A duration, \"1ms..10ms\" (uniform), \"exp(5s)\" (mean) or \"lognormal(20ms, 1.0)\" (median, sigma).");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Streams;

    #[test]
    fn texts_survive_a_round_trip() {
        for text in ["250ms", "1ms..10ms", "exp(5s)", "lognormal(20ms, 1.0)", "0s..2s", "1m 30s"] {
            assert_eq!(text.parse::<Dist>().unwrap().to_string(), text);
        }
        for text in ["30s", "-2s", "-30s..30s"] {
            assert_eq!(text.parse::<SignedSpan>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn errors_suggest_a_fix() {
        for (text, fix) in [
            ("5", "a unit"),
            ("1.5 parsecs", "a unit"),
            ("-3s", "negative"),
            ("9s..2s", "shorter end first"),
            ("expo(5s)", "exp(5s)"),
            ("lognormal(5s)", "median and a sigma"),
            ("lognormal(5s, NaN)", "median and a sigma"),
            ("99999999999s", "too long"),
        ] {
            let error = text.parse::<Dist>().unwrap_err().to_string();
            assert!(error.contains(fix), "{text}: {error}");
        }
    }

    #[test]
    fn draws_have_the_stated_mean() {
        let mut stream = Streams::new(7).stream("test");
        let mean = |dist: &str, stream: &mut Stream| {
            let dist: Dist = dist.parse().unwrap();
            (0..20_000).map(|_| dist.draw(stream).as_secs_f64()).sum::<f64>() / 20_000.0
        };
        assert!((mean("exp(5s)", &mut stream) - 5.0).abs() < 0.15);
        assert!((mean("2s..4s", &mut stream) - 3.0).abs() < 0.03);
        // exp(sigma²/2) times the median
        assert!((mean("lognormal(1s, 1.0)", &mut stream) - 1.6487).abs() < 0.1);
    }
}
