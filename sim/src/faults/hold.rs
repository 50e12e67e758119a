use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, Exploration, ExploreLength, ExploreSite, Fault, FaultInfo, FaultKind, Injected, LinkEffect,
    Nemesis, Preset, add_link_effects, remove_link_effects,
};

/// Links that hold all messages until the fault ends. The messages then arrive once and in order.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {}

const INFO: FaultInfo = FaultInfo {
    name: "hold",
    about: "black-holes links, then delivers what was sent in the meantime",
    explore: Some(Exploration {
        name: "hold",
        about: "Messages on a link are held back and arrive late.",
        by_default: true,
        site: ExploreSite::Link,
        lasts: ExploreLength::Chosen,
        keys: &[],
    }),
    presets: PRESETS,
    ..FaultInfo::ON_LINKS
};

const PRESETS: &[Preset] = &[Preset {
    name: "switch-black-hole",
    about: "a switch that holds all traffic for 90 s, then delivers it",
    source: "GitHub, Downtime last Saturday (2012)",
    keys: r#"lasts = "90s""#,
}];

impl FaultKind for Hold {
    const INFO: &'static FaultInfo = &INFO;
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
