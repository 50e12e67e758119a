use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{BoundAllowance, DurationRule, Fault, FaultKind, Injected, LinkEffect, Nemesis, TargetRule};
use crate::node::NodeId;

/// A failover that the leader is the last to learn of: the other servers lose it from sight and choose another one,
/// while its clients still reach it. That is what makes failovers dangerous, whatever a product calls its command: one
/// that the leader takes part in (`SENTINEL FAILOVER`, `move-leader`, a switchover) costs time only.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// Whether the clients lose the old leader from sight, too.
    #[serde(default)]
    clients_too: bool,
}

impl FaultKind for Failover {
    const NAME: &'static str = "failover";
    const ABOUT: &'static str = "takes the leader out of the other servers' sight, so that they replace it";
    const TARGET: TargetRule = TargetRule::Leader;
    const DURATION: DurationRule = DurationRule::Required;
}

impl Fault for Failover {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for (a, b) in self.links(nemesis, injection) {
            nemesis.add_link_effect(a, b, injection.id, LinkEffect::Cut);
        }
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        for (a, b) in self.links(nemesis, injection) {
            nemesis.remove_link_effect(a, b, injection.id);
        }
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(lasts)
    }
}

impl Failover {
    fn links(&self, nemesis: &dyn Nemesis, injection: &Injected<'_>) -> Vec<(NodeId, NodeId)> {
        let clients: &[NodeId] = if self.clients_too { nemesis.clients() } else { &[] };
        let others: Vec<NodeId> = nemesis.servers().iter().chain(clients).copied().collect();
        let mut links = Vec::new();
        for &leader in &injection.at.nodes {
            for &other in others.iter().filter(|other| **other != leader) {
                links.extend([(leader, other), (other, leader)]);
            }
        }
        links
    }
}
