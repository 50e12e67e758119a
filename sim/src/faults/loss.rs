use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, DurationRule, Fault, FaultKind, Injected, LinkEffect, Nemesis, Rate, TargetRule, add_link_effects,
    remove_link_effects,
};

/// Lost packets. A stream hides them behind retransmission: the message arrives late.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The share of messages lost, from 0.0 to 1.0.
    rate: Rate,
}

impl FaultKind for Loss {
    const NAME: &'static str = "loss";
    const ABOUT: &'static str = "loses messages on links; streams retransmit after 200 ms, doubling";
    const TARGET: TargetRule = TargetRule::Links;
    const DURATION: DurationRule = DurationRule::Required;
}

impl Fault for Loss {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Lose(self.rate.per_million()));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(lasts)
    }
}
