use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, CauseWeights, ClockChange, DurationRule, Exploration, ExploreLength, ExploreSite, ExploreValue,
    Fault, FaultFamily, FaultInfo, FaultKind, Injected, Nemesis, Phrases, Preset,
};
use crate::stream::Stream;
use crate::units::SignedSpan;

/// A step of the wall clock, as made by NTP or an operator. The monotonic clock does not change.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockStep {
    /// The size of the step; negative steps backward. A value in a range is drawn uniformly.
    by: SignedSpan,
}

const INFO: FaultInfo = FaultInfo {
    name: "clock-step",
    about: "steps a node's wall clock, forward or back",
    family: FaultFamily::Clock,
    duration: DurationRule::Instant,
    clock: Some(ClockChange::Step),
    cause: CauseWeights::OF_CLOCKS,
    phrases: Phrases {
        began: "clock stepped{step}{fault}",
        active: "clock of {nodes} stepped{step}{fault}",
        past: "the wall clock of {nodes} stepped{step}{fault}",
        ..Phrases::GENERAL
    },
    explore: Some(Exploration {
        name: "clock-step",
        about: "A wall clock steps.",
        by_default: false,
        site: ExploreSite::Node,
        lasts: ExploreLength::Absent,
        keys: &[("by", ExploreValue::Step)],
    }),
    samples: &[("by", &["\"-20s\"", "\"20s\""])],
    presets: PRESETS,
    ..FaultInfo::ON_NODES
};

const PRESETS: &[Preset] = &[
    Preset {
        name: "ntp-step",
        about: "ntpd steps a slow clock: an offset above 128 ms is not slewed",
        source: "ntpd manual: step threshold 0.128 s; it steps by up to 1000 s without asking",
        keys: r#"by = "128ms..1s""#,
    },
    Preset {
        name: "ntp-step-back",
        about: "ntpd steps a fast clock back",
        source: "ntpd manual: step threshold 0.128 s; it steps by up to 1000 s without asking",
        keys: r#"by = "-1s..-128ms""#,
    },
    Preset {
        name: "leap-second",
        about: "a leap second on a host that does not smear it: one second repeats",
        source: "Go proposal 12914, Monotonic Elapsed Time Measurements in Go",
        keys: r#"by = "-1s""#,
    },
    Preset {
        name: "leap-smear-apart",
        about: "a host that smears a leap second, seen by hosts that do not: up to half a second apart",
        source: "Google Public NTP, Leap Smear: half of the second is smeared when it is inserted",
        keys: r#"by = "-500ms..500ms""#,
    },
    Preset {
        name: "clock-hour",
        about: "an operator or a resumed snapshot sets the clock an hour ahead",
        source: "kubernetes issue 125761, etcd issue 12291",
        keys: r#"by = "1h""#,
    },
    Preset {
        name: "jepsen-clock",
        about: "Jepsen's bump: 4 ms to 262 s either way, small steps more often",
        source: "jepsen, src/jepsen/nemesis/time.clj",
        keys: r#"by = "-262s..262s""#,
    },
];

impl FaultKind for ClockStep {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for ClockStep {
    fn draw(&self, stream: &mut Stream) -> i64 {
        self.by.draw(stream)
    }

    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.step_clock(node, injection.id, injection.drawn);
        }
    }

    fn fixed_key(&self, drawn: i64) -> Option<(&'static str, String)> {
        Some(("by", SignedSpan::constant(drawn).to_string()))
    }

    fn allowance(&self, drawn: i64, _: Duration) -> BoundAllowance {
        let back = Duration::from_nanos(drawn.min(0).unsigned_abs());
        BoundAllowance {
            stepped_back: back,
            apart: Duration::from_nanos(drawn.unsigned_abs()),
            ..BoundAllowance::default()
        }
    }
}
