use schemars::JsonSchema;
use serde::Deserialize;

use super::{Fault, FaultKind, Injected, Lasting, LinkEffect, Nemesis, Place, Rate, relieve_all, strain_all};

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
    const PLACE: Place = Place::Links;
    const LASTS: Lasting = Lasting::Required;
}

impl Fault for Duplicate {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        strain_all(nemesis, injection, LinkEffect::Duplicate(self.rate.per_million()));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        relieve_all(nemesis, injection);
    }
}
