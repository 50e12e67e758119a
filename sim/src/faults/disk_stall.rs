use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CauseWeights, Fault, FaultFamily, FaultInfo, FaultKind, Injected, Nemesis, Phrases, Preset, Slowdown};
use crate::stream::Stream;
use crate::units::Dist;

/// A disk that stalls, is slow, or confirms syncs without doing them. Only services that sync their disk are affected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
#[schemars(with = "Written")]
pub struct DiskStall(Slowdown);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What the disk does.
    #[serde(default)]
    what: What,
    /// How long each sync takes; only for `what = "slow"`. Defaults to 1 s.
    sync: Option<Dist>,
}

/// What the disk does.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum What {
    /// Syncs block until the fault ends, and so does the process.
    #[default]
    Stall,
    /// Each sync takes as long as `sync` says, and blocks the process.
    Slow,
    /// Syncs return at once without effect. A crash with `disk = "unsynced"` loses the records.
    Lie,
}

/// A disk under heavy load: etcd calls a sync of more than 1 s slow (`warnSyncDuration`, server/storage/wal/wal.go).
const SLOW_SYNC: Duration = Duration::from_secs(1);

impl TryFrom<Written> for DiskStall {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match (written.what, written.sync) {
            (What::Slow, sync) => Ok(DiskStall(Slowdown::DiskIsSlow(sync.unwrap_or(Dist::Constant(SLOW_SYNC))))),
            (_, Some(_)) => {
                Err("`sync` beside a disk that is not slow: write `what = \"slow\"`, or take it out".into())
            }
            (What::Stall, None) => Ok(DiskStall(Slowdown::DiskStalls)),
            (What::Lie, None) => Ok(DiskStall(Slowdown::DiskLies)),
        }
    }
}

const INFO: FaultInfo = FaultInfo {
    name: "disk-stall",
    about: "makes a node's disk stall, be slow, or confirm syncs that it does not do",
    family: FaultFamily::Disk,
    cause: CauseWeights { server: Some(8), ..CauseWeights::NONE },
    phrases: Phrases {
        began: "disk degraded{fault}: syncs are late or not durable",
        ended: "disk recovered after {duration}{fault}",
        active: "disk of {nodes} degraded{fault}",
        past: "syncs of {nodes} were late or not durable{until}{fault}",
        ..Phrases::GENERAL
    },
    presets: PRESETS,
    ..FaultInfo::ON_NODES
};

const PRESETS: &[Preset] = &[Preset {
    name: "busy-disk",
    about: "a disk on which a sync takes seconds",
    source: "etcd issue 12528: a heartbeat 4.9 s late",
    keys: r#"lasts = "4900ms""#,
}];

impl FaultKind for DiskStall {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for DiskStall {
    fn draw(&self, stream: &mut Stream) -> i64 {
        stream.number().cast_signed()
    }

    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.begin_slowdown(node, injection.id, self.0, injection.drawn);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.end_slowdown(node, injection.id);
        }
    }
}
