use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{CauseWeights, Fault, FaultFamily, FaultInfo, FaultKind, Injected, Nemesis, Phrases, Slowdown};

/// A node that does everything more slowly: an overcommitted CPU, swapping, a noisy neighbour. Each message, timer and step
/// of its code keeps it busy. Messages that arrive in the meantime queue up, and its own messages leave afterwards.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// How many times slower the node is. Each message, timer or step takes `factor` − 1 ms longer.
    factor: Factor,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "i64")]
struct Factor(#[schemars(range(min = 2, max = 100_000))] i64);

impl TryFrom<i64> for Factor {
    type Error = String;

    fn try_from(factor: i64) -> Result<Self, String> {
        match factor {
            2..=100_000 => Ok(Factor(factor)),
            _ => Err(format!("`factor` must be from 2 to 100000, not {factor}")),
        }
    }
}

/// The time for one message, timer or step, multiplied by `factor`. Healthy nodes take no time besides network latency.
const WORK: Duration = Duration::from_millis(1);

const INFO: FaultInfo = FaultInfo {
    name: "slow",
    about: "makes a node do everything more slowly",
    family: FaultFamily::Network,
    cause: CauseWeights { holder: Some(9), ..CauseWeights::NONE },
    phrases: Phrases {
        began: "slowed down{fault}: each message, timer and step takes longer",
        ended: "back to normal speed after {duration}{fault}",
        active: "{nodes} slow{fault}",
        past: "{nodes} {was} slow{until}{fault}",
        ..Phrases::GENERAL
    },
    samples: &[("factor", &["10", "1000"])],
    ..FaultInfo::ON_NODES
};

impl FaultKind for Slow {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for Slow {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        let slowdown = Slowdown::Slow(WORK * (self.factor.0 - 1) as u32);
        for &node in &injection.at.nodes {
            nemesis.begin_slowdown(node, injection.id, slowdown, injection.drawn);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for &node in &injection.at.nodes {
            nemesis.end_slowdown(node, injection.id);
        }
    }
}
