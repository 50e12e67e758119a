use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, CauseWeights, ClockChange, Fault, FaultFamily, FaultInfo, FaultKind, Injected, Nemesis, Phrases,
    Preset,
};

/// Clocks that run fast or slow. Both clocks of the node are affected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockRate {
    ppm: Ppm,
}

/// How fast a clock runs, in ppm; slow if negative. A clock cannot stop or run backwards.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Ppm(#[schemars(range(min = -900_000, max = 9_000_000))] i64);

impl TryFrom<i64> for Ppm {
    type Error = String;

    fn try_from(ppm: i64) -> Result<Self, String> {
        match ppm {
            -900_000..=9_000_000 => Ok(Ppm(ppm)),
            _ => Err(format!("a clock's rate must be from -900000 to 9000000 ppm, not {ppm}")),
        }
    }
}

const INFO: FaultInfo = FaultInfo {
    name: "clock-rate",
    about: "makes a node's clocks run fast or slow",
    family: FaultFamily::Clock,
    clock: Some(ClockChange::Rate),
    cause: CauseWeights::OF_CLOCKS,
    phrases: Phrases {
        began: "clocks started to run at a wrong rate{fault}",
        ended: "clocks returned to the right rate after {duration}{fault}",
        active: "clocks of {nodes} run at a wrong rate{drift}{fault}",
        past: "the clocks of {nodes} ran at a wrong rate{until}{drift}{fault}",
        ..Phrases::GENERAL
    },
    samples: &[("ppm", &["-100000", "100000"])],
    presets: PRESETS,
    ..FaultInfo::ON_NODES
};

const PRESETS: &[Preset] = &[
    Preset {
        name: "ntp-slew",
        about: "a clock slewed at the maximum rate of ntpd",
        source: "ntpd manual: at most 500 ppm; 5 minutes take about 7 days",
        keys: "ppm = 500\nlasts = \"24h\"",
    },
    Preset {
        name: "quartz-drift",
        about: "an uncorrected quartz clock",
        source: "Mills, Computer Network Time Synchronization (CRC Press): the median of 20,000 hosts was 78 ppm",
        keys: "ppm = 78\nlasts = \"24h\"",
    },
    Preset {
        name: "spanner-drift",
        about: "the worst drift that Spanner assumes between two synchronizations",
        source: "Corbett et al., Spanner (OSDI 2012), section 3: 200 us a second",
        keys: "ppm = 200\nlasts = \"30s\"",
    },
    Preset {
        name: "leap-smear",
        about: "a leap second smeared from noon to noon",
        source: "Google Public NTP, Leap Smear: 24 h, 11.6 ppm slower",
        keys: "ppm = -12\nlasts = \"24h\"",
    },
];

impl FaultKind for ClockRate {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for ClockRate {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.skew_clock(node, injection.id, self.ppm.0);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.unskew_clock(node, injection.id);
        }
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        let apart = lasts * self.ppm.0.unsigned_abs() as u32 / 1_000_000;
        BoundAllowance { slowest_ppm: self.ppm.0.min(0).unsigned_abs() as u32, apart, ..BoundAllowance::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_drift_apart_at_a_rate_that_is_too_slow_or_too_fast() {
        let apart = |ppm| ClockRate { ppm: Ppm(ppm) }.allowance(0, Duration::from_secs(10)).apart;
        assert_eq!(apart(-500_000), Duration::from_secs(5));
        assert_eq!(apart(200_000), Duration::from_secs(2));
    }
}
