use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BoundAllowance, DurationRule, Fault, FaultKind, Injected, Nemesis, TargetRule};
use crate::stream::Stream;
use crate::units::{SignedSpan, Span};

/// A wall clock that jumps away and back, as Jepsen's `strobe-time` lets it (jepsen, nemesis/time.clj). Monotonic clocks
/// do not notice, and at the end the clock is where it was.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStrobe {
    /// How far it jumps: forward, or backward if negative; a range is drawn from uniformly.
    by: SignedSpan,
    /// How long it stays away, and then how long it stays back.
    period: Period,
}

/// From one jump to the next. Jepsen's shortest is 1 ms.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Span")]
struct Period(#[schemars(with = "Span")] Duration);

const SHORTEST: Duration = Duration::from_millis(1);

impl TryFrom<Span> for Period {
    type Error = String;

    fn try_from(period: Span) -> Result<Self, String> {
        if period.0 < SHORTEST {
            return Err(format!("a clock strobes once a millisecond at most, not every `{period}`: make it \"1ms\""));
        }
        Ok(Period(period.0))
    }
}

impl FaultKind for ClockStrobe {
    const NAME: &'static str = "clock-strobe";
    const ABOUT: &'static str = "lets a node's wall clock jump away and back, again and again";
    const TARGET: TargetRule = TargetRule::Nodes;
    const DURATION: DurationRule = DurationRule::Required;
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

    fn allowance(&self, drawn: i64, _: Duration) -> BoundAllowance {
        let by = Duration::from_nanos(drawn.unsigned_abs());
        BoundAllowance { stepped_back: by, apart: by, ..BoundAllowance::default() }
    }
}
