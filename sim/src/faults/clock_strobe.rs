use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, CauseWeights, ClockChange, Fault, FaultFamily, FaultInfo, FaultKind, Injected, Nemesis, Phrases,
    Preset,
};
use crate::stream::Stream;
use crate::units::{SignedSpan, Span};

/// A wall clock that steps forward and back repeatedly, as with Jepsen's `strobe-time` (jepsen, nemesis/time.clj). The
/// monotonic clock does not change. At the end, the wall clock reads as if it had never been strobed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStrobe {
    /// The size of the step; negative steps backward. A value in a range is drawn uniformly.
    by: SignedSpan,
    /// The time between two steps.
    period: Period,
}

/// The time between two steps. Jepsen's shortest is 1 ms.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Span")]
struct Period(#[schemars(with = "Span")] Duration);

const SHORTEST: Duration = Duration::from_millis(1);

impl TryFrom<Span> for Period {
    type Error = String;

    fn try_from(period: Span) -> Result<Self, String> {
        if period.0 < SHORTEST {
            return Err(format!("`period` must be at least \"1ms\", not `{period}`"));
        }
        Ok(Period(period.0))
    }
}

const INFO: FaultInfo = FaultInfo {
    name: "clock-strobe",
    about: "steps a node's wall clock forward and back, repeatedly",
    family: FaultFamily::Clock,
    clock: Some(ClockChange::Strobe),
    cause: CauseWeights::OF_CLOCKS,
    phrases: Phrases {
        began: "wall clock started to step forward and back{fault}",
        ended: "wall clock stopped stepping after {duration}{fault}",
        active: "wall clock of {nodes} steps forward and back{fault}",
        past: "the wall clock of {nodes} stepped forward and back{until}{fault}",
        ..Phrases::GENERAL
    },
    presets: PRESETS,
    samples: &[("by", &["\"5s\"", "\"-5s\""]), ("period", &["\"50ms\""])],
    ..FaultInfo::ON_NODES
};

const PRESETS: &[Preset] = &[Preset {
    name: "jepsen-strobe",
    about: "Jepsen's strobe: 4 ms to 262 s, every 1 ms to 1 s, for up to 32 s",
    source: "jepsen, src/jepsen/nemesis/time.clj",
    keys: "by = \"4ms..262s\"\nperiod = \"100ms\"\nlasts = \"1s..32s\"",
}];

impl FaultKind for ClockStrobe {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for ClockStrobe {
    fn draw(&self, stream: &mut Stream) -> i64 {
        self.by.draw(stream)
    }

    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.strobe_clock(node, injection.id, injection.drawn, self.period.0);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.unstrobe_clock(node, injection.id);
        }
    }

    fn events(&self, lasts: Duration) -> u64 {
        u64::try_from(lasts.as_nanos() / self.period.0.as_nanos()).unwrap_or(u64::MAX)
    }

    fn fixed_key(&self, drawn: i64) -> Option<(&'static str, String)> {
        Some(("by", SignedSpan::constant(drawn).to_string()))
    }

    fn allowance(&self, drawn: i64, _: Duration) -> BoundAllowance {
        let by = Duration::from_nanos(drawn.unsigned_abs());
        BoundAllowance { stepped_back: by, apart: by, ..BoundAllowance::default() }
    }
}
