use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, Exploration, ExploreLength, ExploreSite, ExploreValue, Fault, FaultInfo, FaultKind, Injected,
    LinkEffect, Nemesis, add_link_effects, remove_link_effects,
};
use crate::units::Dist;

/// Additional latency.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// The latency added to each message.
    add: Dist,
}

const INFO: FaultInfo = FaultInfo {
    name: "latency",
    about: "adds latency to links",
    explore: Some(Exploration {
        name: "late",
        about: "One message arrives late.",
        by_default: false,
        site: ExploreSite::Link,
        lasts: ExploreLength::Moment,
        keys: &[("add", ExploreValue::Chosen)],
    }),
    samples: &[("add", &["\"20ms\"", "\"400ms\""])],
    ..FaultInfo::ON_LINKS
};

impl FaultKind for Latency {
    const INFO: &'static FaultInfo = &INFO;
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
