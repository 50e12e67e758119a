use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BoundAllowance, DurationRule, Fault, FaultKind, Injected, Nemesis, TargetRule};
use crate::disk::DiskFate;
use crate::net::RETRANSMIT_LONGEST;
use crate::units::Span;

/// A crash. What dies decides who learns of it: the peers of a crashed process at once, those of a crashed host only
/// when their own timeouts tell them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// What crashes.
    #[serde(default)]
    what: CrashWhat,
    /// How long it stays down; left out, it comes back when the faults are healed.
    restart_after: Option<Span>,
    /// It never comes back, not even when the faults are healed.
    #[serde(default)]
    permanent: bool,
    /// What the disk loses.
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
    /// The host: peers learn nothing until a timeout of their own, or until it is back and resets them.
    Host,
}

impl FaultKind for Crash {
    const NAME: &'static str = "crash";
    const ABOUT: &'static str = "crashes a node's process or host; disk kept, unsynced writes lost, or wiped";
    const TARGET: TargetRule = TargetRule::Nodes;
    const DURATION: DurationRule = DurationRule::Instant;
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
