use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BoundAllowance, DurationRule, Fault, FaultKind, Injected, Nemesis, TargetRule};
use crate::stream::Stream;
use crate::units::SignedSpan;

/// A step of the wall clock, as NTP or an operator makes it. Monotonic clocks do not notice.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// How far: forward, or backward if negative; a range is drawn from uniformly.
    by: SignedSpan,
}

impl FaultKind for ClockStep {
    const NAME: &'static str = "clock-step";
    const ABOUT: &'static str = "steps a node's wall clock, forward or back";
    const TARGET: TargetRule = TargetRule::Nodes;
    const DURATION: DurationRule = DurationRule::Instant;
}

impl Fault for ClockStep {
    fn draw(&self, stream: &mut Stream) -> i64 {
        self.by.draw(stream)
    }

    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.step_clock(node, injection.id, injection.drawn);
        }
    }

    fn allowance(&self, drawn: i64, _: Duration) -> BoundAllowance {
        let back = Duration::from_nanos(drawn.min(0).unsigned_abs());
        BoundAllowance {
            stepped_back: back,
            apart: Duration::from_nanos(drawn.unsigned_abs()),
            ..BoundAllowance::default()
        }
    }
}
