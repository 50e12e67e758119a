use schemars::JsonSchema;
use serde::Deserialize;

use super::{DurationRule, Fault, FaultKind, Injected, Nemesis, TargetRule};

/// A stop-the-world pause of a process: a garbage collection, a SIGSTOP, a page fault on a slow disk. Its clocks run on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

impl FaultKind for Pause {
    const NAME: &'static str = "pause";
    const ABOUT: &'static str = "stops a node's process (GC, SIGSTOP); its clocks run on";
    const TARGET: TargetRule = TargetRule::Nodes;
    const DURATION: DurationRule = DurationRule::Required;
}

impl Fault for Pause {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.pause(node, injection.id);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.resume(node, injection.id);
        }
    }
}
