use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, CauseWeights, ClockChange, Fault, FaultFamily, FaultInfo, FaultKind, Injected, Nemesis, Phrases,
    Preset, Stops,
};

/// A pause of the whole virtual machine, as in a live migration. The monotonic clock also stops, and the wall clock steps
/// forward on resume. The effects are in `process/pause.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VmPause {}

const INFO: FaultInfo = FaultInfo {
    name: "vm-pause",
    about: "pauses a node's machine: its monotonic clock stops, its wall clock steps forward on resume",
    family: FaultFamily::VmPause,
    stops: Some(Stops::Machine),
    clock: Some(ClockChange::Freeze),
    cause: CauseWeights { holder: Some(9), ..CauseWeights::NONE },
    phrases: Phrases {
        began: "machine paused{fault}",
        ended: "machine resumed after {duration}{fault}; its monotonic clock did not advance",
        active: "machine of {nodes} paused{fault}",
        past: "the machine of {nodes} was paused{until}{fault}, and its monotonic clock stopped",
        lane: "machine paused{lasted}{fault}",
    },
    presets: PRESETS,
    ..FaultInfo::ON_NODES
};

const PRESETS: &[Preset] = &[
    Preset {
        name: "vm-migration",
        about: "the pause of a live migration",
        source: "Azure documentation, Maintenance for virtual machines: typically no more than 5 s",
        keys: r#"lasts = "1s..5s""#,
    },
    Preset {
        name: "vm-maintenance",
        about: "memory-preserving maintenance of the host",
        source: "Azure documentation, Maintenance for virtual machines: mostly less than 10 s, rarely 30 s",
        keys: r#"lasts = "lognormal(7s, 0.5)""#,
    },
];

impl FaultKind for VmPause {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for VmPause {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.pause_machine(node, injection.id);
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
