use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, Exploration, ExploreLength, ExploreSite, ExploreValue, Fault, FaultInfo, FaultKind, Injected,
    LinkEffect, Nemesis, Preset, Rate, add_link_effects, remove_link_effects,
};

/// Lost messages. A stream retransmits them, so they arrive late.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The share of messages lost, from 0.0 to 1.0.
    rate: Rate,
}

const INFO: FaultInfo = FaultInfo {
    name: "loss",
    about: "loses messages on links; streams retransmit after 200 ms, with exponential back-off",
    explore: Some(Exploration {
        name: "drop",
        about: "One message is lost.",
        by_default: false,
        site: ExploreSite::Link,
        lasts: ExploreLength::Moment,
        keys: &[("rate", ExploreValue::Number(1.0))],
    }),
    samples: &[("rate", &["0.05", "0.5"])],
    presets: PRESETS,
    ..FaultInfo::ON_LINKS
};

const PRESETS: &[Preset] = &[Preset {
    name: "wonky-rack",
    about: "a rack that loses half of its packets",
    source: "Dean, Designs, Lessons and Advice from Building Large Distributed Systems (LADIS 2009)",
    keys: "rate = 0.5\nlasts = \"30m\"",
}];

impl FaultKind for Loss {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for Loss {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Lose(self.rate.ppm()));
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(lasts)
    }
}
