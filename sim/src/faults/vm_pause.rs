use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BoundAllowance, DurationRule, Fault, FaultKind, Injected, Nemesis, TargetRule};

/// A pause of the whole virtual machine, as in a live migration: the monotonic clock stops too, and the wall clock
/// steps forward on resume.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VmPause {}

impl FaultKind for VmPause {
    const NAME: &'static str = "vm-pause";
    const ABOUT: &'static str =
        "stops a node's whole machine: its monotonic clock stops, its wall clock steps on resume";
    const TARGET: TargetRule = TargetRule::Nodes;
    const DURATION: DurationRule = DurationRule::Required;
}

impl Fault for VmPause {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.freeze(node, injection.id);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.resume(node, injection.id);
        }
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance { machine_stopped: lasts, ..BoundAllowance::for_silence(lasts) }
    }
}
