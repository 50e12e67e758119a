use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Fault, FaultKind, Harm, Injected, Lasting, LinkEffect, Nemesis, Place, Rate, relieve_all, strain_all};

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
    const PLACE: Place = Place::Links;
    const LASTS: Lasting = Lasting::Required;
}

impl Fault for Loss {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        strain_all(nemesis, injection, LinkEffect::Lose(self.rate.per_million()));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        relieve_all(nemesis, injection);
    }

    fn harm(&self, _: i64, lasts: Duration) -> Harm {
        Harm::of_silence(lasts)
    }
}
