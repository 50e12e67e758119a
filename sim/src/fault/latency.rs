use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Fault, FaultKind, Harm, Injected, Lasting, LinkEffect, Nemesis, Place, relieve_all, strain_all};
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
    const PLACE: Place = Place::Links;
    const LASTS: Lasting = Lasting::Required;
}

impl Fault for Latency {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        strain_all(nemesis, injection, LinkEffect::Delay(self.add));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        relieve_all(nemesis, injection);
    }

    fn harm(&self, _: i64, lasts: Duration) -> Harm {
        Harm::of_silence(lasts)
    }
}
