use schemars::JsonSchema;
use serde::Deserialize;

use super::{Fault, FaultInfo, FaultKind, Injected, LinkEffect, Nemesis, Rate, add_link_effects, remove_link_effects};

/// Datagrams that arrive twice. Streams discard the copies.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Duplicate {
    /// The share of datagrams that arrive twice, from 0.0 to 1.0.
    rate: Rate,
}

const INFO: FaultInfo = FaultInfo {
    name: "duplicate",
    about: "delivers datagrams twice; streams discard the copies",
    samples: &[("rate", &["0.05", "0.5"])],
    ..FaultInfo::ON_LINKS
};

impl FaultKind for Duplicate {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for Duplicate {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Duplicate(self.rate.ppm()));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }
}
