use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BoundAllowance, CauseWeights, DurationRule, Exploration, ExploreLength, ExploreSite, ExploreValue, Fault,
    FaultFamily, FaultInfo, FaultKind, Injected, Nemesis, Phrases, Preset, Stops,
};
use crate::disk::DiskFate;
use crate::net::RETRANSMIT_LONGEST;
use crate::units::Span;

/// A crash. Peers of a crashed process learn of it at once; peers of a crashed host learn of it from their own timeouts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// What crashes.
    #[serde(default)]
    what: CrashWhat,
    /// How long the node stays down. By default, it restarts when all faults are healed.
    restart_after: Option<Span>,
    /// If true, the node never restarts, not even when all faults are healed.
    #[serde(default)]
    permanent: bool,
    /// Which records the disk loses.
    #[serde(default)]
    disk: DiskFate,
}

/// What crashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CrashWhat {
    /// The process: its operating system closes its connections, so peers learn at once.
    #[default]
    Process,
    /// The host: peers learn of it from their own timeouts, or when the host is back and resets their connections.
    Host,
}

const INFO: FaultInfo = FaultInfo {
    name: "crash",
    about: "crashes a node's process or host; disk kept, unsynced writes lost, or wiped",
    family: FaultFamily::Crash,
    duration: DurationRule::Instant,
    stops: Some(Stops::UntilRestart),
    cause: CauseWeights { holder: Some(8), grantor: Some(9), server: Some(7), ..CauseWeights::NONE },
    phrases: Phrases {
        began: "crashed{fault}",
        ended: "restarted",
        active: "{nodes} crashed{fault}",
        past: "{nodes} crashed{restart}{fault}",
        lane: "crashed{lasted}{fault}",
    },
    explore: Some(Exploration {
        name: "crash",
        about: "A process crashes.",
        by_default: true,
        site: ExploreSite::NodeOrStep,
        lasts: ExploreLength::Absent,
        keys: &[("restart_after", ExploreValue::Text("1s")), ("disk", ExploreValue::Text("unsynced"))],
    }),
    samples: &[("restart_after", &["\"500ms\"", "\"3s\""])],
    presets: PRESETS,
    alternatives: &[("restart_after", "permanent")],
    ..FaultInfo::ON_NODES
};

const PRESETS: &[Preset] = &[Preset {
    name: "cell-outage",
    about: "a typical outage of a lock service: back within 30 s",
    source: "Burrows, The Chubby lock service (OSDI 2006), section 4: 52 of 61 outages took under 30 s",
    keys: "what = \"host\"\nrestart_after = \"30s\"",
}];

impl FaultKind for Crash {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for Crash {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.crash(node, injection.id, self.what, self.disk, self.own_duration());
        }
    }

    fn own_duration(&self) -> Option<Duration> {
        self.restart_after.filter(|_| !self.permanent).map(|span| span.0)
    }

    fn permanent(&self) -> bool {
        self.permanent
    }

    fn allowance(&self, _: i64, _: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(self.own_duration().unwrap_or(RETRANSMIT_LONGEST))
    }
}
