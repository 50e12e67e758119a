use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BoundAllowance, DurationRule, Fault, FaultKind, Injected, Nemesis, TargetRule};

/// Clocks that run fast (or slow, if negative) by parts in a million. Both clocks of the node are affected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockRate {
    ppm: Ppm,
}

/// Parts in a million by which a clock is fast; slow if negative. A clock cannot stop or run backwards.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Ppm(#[schemars(range(min = -900_000, max = 9_000_000))] i64);

impl TryFrom<i64> for Ppm {
    type Error = String;

    fn try_from(ppm: i64) -> Result<Self, String> {
        match ppm {
            -900_000..=9_000_000 => Ok(Ppm(ppm)),
            _ => Err(format!("a clock's rate is from -900000 to 9000000 ppm, not {ppm}")),
        }
    }
}

impl FaultKind for ClockRate {
    const NAME: &'static str = "clock-rate";
    const ABOUT: &'static str = "lets a node's clocks run fast or slow";
    const TARGET: TargetRule = TargetRule::Nodes;
    const DURATION: DurationRule = DurationRule::Required;
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
    fn a_wrong_rate_takes_clocks_apart_either_way() {
        let apart = |ppm| ClockRate { ppm: Ppm(ppm) }.allowance(0, Duration::from_secs(10)).apart;
        assert_eq!(apart(-500_000), Duration::from_secs(5));
        assert_eq!(apart(200_000), Duration::from_secs(2));
    }
}
