use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, CauseWeights, Fault, FaultFamily, FaultInfo, FaultKind, Injected, LinkEffect, Nemesis, Phrases,
    TargetRule,
};
use crate::node::NodeId;

/// A failover without the leader's knowledge. The other servers cannot reach it and elect a new leader, while clients still
/// reach the old one. This is the dangerous kind. A failover with the leader's cooperation (`SENTINEL FAILOVER`,
/// `move-leader`, a switchover) costs only time.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// Whether clients cannot reach the old leader either.
    #[serde(default)]
    clients_too: bool,
}

const INFO: FaultInfo = FaultInfo {
    name: "failover",
    about: "isolates the leader from the other servers, so that they replace it",
    family: FaultFamily::Crash,
    target: TargetRule::Leader,
    cuts_links: true,
    cause: CauseWeights { server: Some(8), ..CauseWeights::NONE },
    phrases: Phrases {
        began: "isolated from the other servers{fault}",
        ended: "reachable by the other servers after {duration}{fault}",
        active: "{nodes} isolated from the other servers{fault}",
        past: "{nodes} {was} isolated from the other servers{until}{fault}",
        ..Phrases::GENERAL
    },
    ..FaultInfo::ON_NODES
};

impl FaultKind for Failover {
    const INFO: &'static FaultInfo = &INFO;
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
