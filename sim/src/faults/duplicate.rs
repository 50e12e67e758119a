use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    DurationRule, Fault, FaultKind, Injected, LinkEffect, Nemesis, Rate, TargetRule, add_link_effects,
    remove_link_effects,
};

/// Packets that arrive twice. Streams discard the copies; datagrams do not.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// The share of datagrams that arrive twice, from 0.0 to 1.0.
    rate: Rate,
}

impl FaultKind for Duplicate {
    const NAME: &'static str = "duplicate";
    const ABOUT: &'static str = "delivers datagrams twice; streams discard the copies";
    const TARGET: TargetRule = TargetRule::Links;
    const DURATION: DurationRule = DurationRule::Required;
}

impl Fault for Duplicate {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Duplicate(self.rate.per_million()));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }
}
