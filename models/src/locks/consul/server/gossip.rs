//! The failure detection by gossip (hashicorp/memberlist, state.go: `probeNode`, `suspectNode`; suspicion.go), as far as
//! sessions notice it.
//!
//! An agent runs beside each client, on the same host. Its probes are not messages here: a node answers if its host and
//! the links to it work. A node that no reachable member can reach is suspected after the probe. The suspicion ends after
//! 4 s if two other members confirm it, and later if fewer do. The leader then sets the node's check `serfHealth` to
//! critical, which ends the node's sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fencepost_sim::{Mono, NodeId};

use super::ConsulMessage;
use super::machine::Change;
use super::replica::Consul;
use crate::servers::raft::Core;
use crate::wire::Env;

/// The interval of probes, which is also the time after which a probe has failed (memberlist, config.go,
/// `DefaultLANConfig`: `ProbeInterval`).
pub(super) const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// `SuspicionMult`: the shortest suspicion in probe intervals, for up to ten nodes (util.go, `suspicionTimeout`).
const SUSPICION: u32 = 4;

/// `SuspicionMaxTimeoutMult`: the ratio of the longest suspicion to the shortest.
const LONGEST: u32 = 6;

/// The number of confirmations that shorten a suspicion to the shortest (state.go, `suspectNode`: `k`).
const CONFIRMATIONS: usize = 2;

/// The knowledge of a server about clients' nodes.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    /// The nodes that did not answer, with the time of the first failed probe.
    silent: BTreeMap<NodeId, Mono>,
    failed: BTreeSet<NodeId>,
}

impl Gossip {
    pub fn is_failed(&self, node: NodeId) -> bool {
        self.failed.contains(&node)
    }
}

impl Consul {
    /// Probes the nodes of all sessions. The leader ends the sessions of failed nodes.
    pub(super) fn probe(&mut self, env: &mut Env<'_, ConsulMessage>, core: &mut Core<Self>) {
        let (own, now) = (env.node(), env.mono());
        let mut nodes: BTreeSet<NodeId> = core.machine().sessions().map(|(_, terms)| terms.node).collect();
        nodes.extend(self.gossip.silent.keys());
        let members: BTreeSet<NodeId> = nodes.iter().chain(core.members()).copied().collect();
        let near: Vec<NodeId> = members.iter().copied().filter(|member| env.hosts_connected(own, *member)).collect();
        for node in nodes {
            if near.iter().any(|member| *member != node && env.hosts_connected(*member, node)) {
                self.gossip.silent.remove(&node);
                self.gossip.failed.remove(&node);
                continue;
            }
            let since = *self.gossip.silent.entry(node).or_insert(now);
            if now - since >= PROBE_INTERVAL + suspicion(members.len(), near.len().saturating_sub(1)) {
                self.gossip.failed.insert(node);
            }
        }
        if core.leads() {
            let dead: Vec<_> =
                core.machine().sessions().filter(|(_, terms)| self.gossip.is_failed(terms.node)).collect();
            for (session, _) in dead {
                core.submit(&Change::Destroy { session, expired: true });
            }
        }
    }
}

/// The length of a suspicion (suspicion.go, `remainingSuspicionTime`).
fn suspicion(members: usize, confirmations: usize) -> Duration {
    let shortest = PROBE_INTERVAL * SUSPICION;
    // Too few members could confirm it.
    if members < CONFIRMATIONS + 2 || confirmations >= CONFIRMATIONS {
        return shortest;
    }
    let longest = shortest * LONGEST;
    match confirmations {
        0 => longest,
        // One of two confirmations: log(2) / log(3) of the difference is saved.
        _ => longest - (longest - shortest) * 631 / 1_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn confirmations_shorten_a_suspicion() {
        let seconds = [0, 1, 2, 5].map(|confirmations| suspicion(6, confirmations).as_secs_f64());
        assert_eq!((seconds[0], seconds[2], seconds[3]), (24.0, 4.0, 4.0));
        assert!((11.3..11.4).contains(&seconds[1]), "{seconds:?}");
        assert_eq!(suspicion(3, 0), Duration::from_secs(4), "no two others can confirm it");
    }
}
