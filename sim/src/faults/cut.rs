use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, Fault, FaultFamily, FaultInfo, FaultKind, Injected, LinkEffect, Nemesis, add_link_effects,
    remove_link_effects,
};

/// Links that nothing gets through. A partition names groups or a shape; this names the links.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cut {}

const INFO: FaultInfo = FaultInfo {
    name: "cut",
    about: "cuts links, one way or both",
    family: FaultFamily::Partition,
    cuts_links: true,
    ..FaultInfo::ON_LINKS
};

impl FaultKind for Cut {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for Cut {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Cut);
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(lasts)
    }
}
