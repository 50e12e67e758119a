use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, DurationRule, Fault, FaultKind, Injected, LinkEffect, Nemesis, TargetRule, add_link_effects,
    remove_link_effects,
};

/// A black hole that gives everything back when it ends: messages arrive late, once, in order.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {}

impl FaultKind for Hold {
    const NAME: &'static str = "hold";
    const ABOUT: &'static str = "black-holes links, then delivers late all that was sent meanwhile";
    const TARGET: TargetRule = TargetRule::Links;
    const DURATION: DurationRule = DurationRule::Required;
}

impl Fault for Hold {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Hold);
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(lasts)
    }
}
