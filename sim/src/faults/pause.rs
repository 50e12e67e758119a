use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    CauseWeights, Exploration, ExploreLength, ExploreSite, Fault, FaultFamily, FaultInfo, FaultKind, Injected, Nemesis,
    Phrases, Preset, Stops,
};

/// A stop-the-world pause of a process: a garbage collection, a SIGSTOP, a page fault on a slow disk. Its clocks keep
/// running. The effects are in `process/pause.rs`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {}

const INFO: FaultInfo = FaultInfo {
    name: "pause",
    about: "pauses a node's process (GC, SIGSTOP); its clocks keep running",
    family: FaultFamily::ProcessPause,
    stops: Some(Stops::Process),
    cause: CauseWeights { holder: Some(9), ..CauseWeights::NONE },
    phrases: Phrases {
        began: "paused{fault}",
        ended: "resumed after {duration}{fault}",
        active: "{nodes} paused{fault}",
        past: "{nodes} {was} paused{until}{fault}; {its} clocks ran on",
        lane: "paused{lasted}{fault}",
    },
    explore: Some(Exploration {
        name: "pause",
        about: "A process stops for a while.",
        by_default: true,
        site: ExploreSite::NodeOrStep,
        lasts: ExploreLength::Chosen,
        keys: &[],
    }),
    presets: PRESETS,
    ..FaultInfo::ON_NODES
};

const PRESETS: &[Preset] = &[
    Preset {
        name: "gc-young",
        about: "an ordinary garbage collection of a JVM: 1 ms to a few hundred ms",
        source: "by common experience; the G1 collector aims at 200 ms at most (`-XX:MaxGCPauseMillis`, HotSpot \
                 Virtual Machine Garbage Collection Tuning Guide)",
        keys: r#"lasts = "lognormal(20ms, 1.0)""#,
    },
    Preset {
        name: "gc-full-old-heap",
        about: "a full collection of an old 8 GB heap: over a minute, at 8 to 10 s for each GB",
        source: "Cloudera, Avoiding Full GCs in Apache HBase with MemStore-Local Allocation Buffers, part 1; \
                 79 s were seen on a region server (xgugeng.com)",
        keys: r#"lasts = "64s..80s""#,
    },
];

impl FaultKind for Pause {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for Pause {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.pause_process(node, injection.id);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.resume(node, injection.id);
        }
    }
}
