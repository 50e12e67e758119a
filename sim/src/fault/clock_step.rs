use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Fault, FaultKind, Harm, Injected, Lasting, Nemesis, Place};
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
    const PLACE: Place = Place::Nodes;
    const LASTS: Lasting = Lasting::Instant;
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

    fn harm(&self, drawn: i64, _: Duration) -> Harm {
        let back = Duration::from_nanos(drawn.min(0).unsigned_abs());
        Harm { stepped_back: back, apart: Duration::from_nanos(drawn.unsigned_abs()), ..Harm::default() }
    }
}
