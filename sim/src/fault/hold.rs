use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Fault, FaultKind, Harm, Injected, Lasting, LinkEffect, Nemesis, Place, relieve_all, strain_all};

/// A black hole that gives everything back when it ends: messages arrive late, once, in order.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {}

impl FaultKind for Hold {
    const NAME: &'static str = "hold";
    const ABOUT: &'static str = "black-holes links, then delivers late all that was sent meanwhile";
    const PLACE: Place = Place::Links;
    const LASTS: Lasting = Lasting::Required;
}

impl Fault for Hold {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        strain_all(nemesis, injection, LinkEffect::Hold);
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        relieve_all(nemesis, injection);
    }

    fn harm(&self, _: i64, lasts: Duration) -> Harm {
        Harm::of_silence(lasts)
    }
}
