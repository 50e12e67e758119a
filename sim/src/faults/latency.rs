use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, DurationRule, Fault, FaultKind, Injected, LinkEffect, Nemesis, TargetRule, add_link_effects,
    remove_link_effects,
};
use crate::units::Dist;

/// Latency on top of what the network has.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The latency added to each message.
    add: Dist,
}

impl FaultKind for Latency {
    const NAME: &'static str = "latency";
    const ABOUT: &'static str = "adds latency to links";
    const TARGET: TargetRule = TargetRule::Links;
    const DURATION: DurationRule = DurationRule::Required;
}

impl Fault for Latency {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Delay(self.add));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(lasts)
    }
}
