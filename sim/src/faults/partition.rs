use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    BoundAllowance, Fault, FaultFamily, FaultInfo, FaultKind, Injected, LinkEffect, Nemesis, Preset, TargetRule,
    Topology, add_link_effects, remove_link_effects,
};
use crate::node::NodeId;
use crate::schedule::{Placement, pick_index};

/// A partition into groups that cannot reach each other, or in a named shape. Exactly one of `split` and `shape` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Groups of node names that cannot reach each other; nodes in no group are unaffected.
    split: Option<Vec<Vec<String>>>,
    /// A named shape. If several placements fit, one is drawn.
    shape: Option<Shape>,
}

/// The shapes of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One node is cut off from all others.
    Isolate,
    /// A minority of the lock's servers is cut off from every other node.
    Minority,
    /// A majority of the lock's servers is cut off from every other node.
    Majority,
    /// Each of the lock's servers hears a majority, but no two hear the same one. With five servers, each hears its two
    /// neighbours in a ring; with three, each hears only one other server.
    Ring,
    /// The lock's servers form two halves, connected only through one server that reaches both. Clients reach all servers.
    Bridge,
    /// One node receives no messages, but others receive from it.
    OneWay,
    /// The clients are cut off from the lock's servers, but not from the store.
    ClientsFromLock,
    /// The clients are cut off from the store, but not from the lock's servers.
    ClientsFromStore,
}

const INFO: FaultInfo = FaultInfo {
    name: "partition",
    about: "cuts links between groups of nodes, or in a shape",
    family: FaultFamily::Partition,
    target: TargetRule::Own,
    cuts_links: true,
    samples: &[("shape", &["\"minority\"", "\"isolate\"", "\"clients-from-lock\"", "\"clients-from-store\""])],
    presets: PRESETS,
    alternatives: &[("shape", "split")],
    ..FaultInfo::ON_LINKS
};

const PRESETS: &[Preset] = &[
    Preset {
        name: "cloud-blip",
        about: "a partition of a few seconds, as in clouds several times a month",
        source: "Bailis and Kingsbury, The Network is Reliable (ACM Queue 2014)",
        keys: r#"lasts = "1s..5s""#,
    },
    Preset {
        name: "link-repair",
        about: "a link failure in a data centre until its repair: about 5 minutes",
        source: "Gill, Jain and Nagappan, Understanding Network Failures in Data Centers (SIGCOMM 2011)",
        keys: r#"lasts = "lognormal(5m, 1.0)""#,
    },
    Preset {
        name: "wan-software",
        about: "a software fault in a wide-area network: median 2.7 minutes, mean 6",
        source: "Turner et al., California Fault Lines (SIGCOMM 2010): five years of CENIC's network",
        keys: r#"lasts = "lognormal(162s, 1.26)""#,
    },
    Preset {
        name: "deaf-nic",
        about: "a network card that drops incoming packets and sends outgoing ones",
        source: "the bnx2 case in Bailis and Kingsbury, The Network is Reliable (ACM Queue 2014): 5 h",
        keys: "shape = \"one-way\"\nlasts = \"5h\"",
    },
];

impl FaultKind for Partition {
    const INFO: &'static FaultInfo = &INFO;
}

impl Fault for Partition {
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        add_link_effects(nemesis, injection, LinkEffect::Cut);
    }

    fn end(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
        remove_link_effects(nemesis, injection);
    }

    fn place(&self, topology: &dyn Topology, pick: u64) -> Result<Placement, String> {
        let links = match (&self.split, self.shape) {
            (Some(groups), None) => split(topology, groups)?,
            (None, Some(shape)) => shaped(topology, shape, pick)?,
            (Some(_), Some(_)) => return Err("give `split` or `shape`, not both".into()),
            (None, None) => return Err("a partition needs a `split` (groups of nodes) or a `shape`".into()),
        };
        Ok(Placement { nodes: Vec::new(), links })
    }

    fn allowance(&self, _: i64, lasts: Duration) -> BoundAllowance {
        BoundAllowance::for_silence(lasts)
    }
}

type Links = Vec<(NodeId, NodeId)>;

fn split(topology: &dyn Topology, groups: &[Vec<String>]) -> Result<Links, String> {
    if groups.len() < 2 || groups.iter().any(Vec::is_empty) {
        return Err("a split needs at least two groups, none of them empty".into());
    }
    let mut resolved: Vec<Vec<NodeId>> = Vec::new();
    for group in groups {
        let mut nodes = Vec::new();
        for name in group {
            let node = topology.named(name).ok_or_else(|| format!("no node is named `{name}`"))?;
            if nodes.contains(&node) || resolved.iter().flatten().any(|&other| other == node) {
                return Err(format!("`{name}` appears twice in the split: a node can be on only one side"));
            }
            nodes.push(node);
        }
        resolved.push(nodes);
    }
    let mut links = Links::new();
    for (i, left) in resolved.iter().enumerate() {
        for right in &resolved[i + 1..] {
            links.extend(between(left, right));
        }
    }
    Ok(links)
}

fn shaped(topology: &dyn Topology, shape: Shape, pick: u64) -> Result<Links, String> {
    let all = topology.all();
    let servers = topology.servers();
    Ok(match shape {
        Shape::Isolate => cut_off(&all, &[all[pick_index(pick, all.len())]]),
        Shape::Minority => {
            cut_off(&all, part(servers, servers.len().saturating_sub(1) / 2, pick, "minority")?.as_slice())
        }
        Shape::Majority => cut_off(&all, part(servers, servers.len() / 2 + 1, pick, "majority")?.as_slice()),
        Shape::Ring => ring(&drawn_order(servers, pick, "ring")?),
        Shape::Bridge => bridge(&drawn_order(servers, pick, "bridge")?),
        Shape::OneWay => {
            let deaf = all[pick_index(pick, all.len())];
            all.iter().filter(|&&node| node != deaf).map(|&node| (node, deaf)).collect()
        }
        Shape::ClientsFromLock if servers.is_empty() => {
            return Err("this lock has no servers to cut clients off from".into());
        }
        Shape::ClientsFromLock => between(topology.clients(), servers),
        Shape::ClientsFromStore => between(topology.clients(), &[topology.store()]),
    })
}

/// Returns `count` consecutive servers, starting at the one that `pick` selects and wrapping around.
fn part(servers: &[NodeId], count: usize, pick: u64, what: &str) -> Result<Vec<NodeId>, String> {
    if servers.len() < 2 || count == 0 {
        return Err(format!("{} server(s) have no {what} to cut off", servers.len()));
    }
    let first = pick_index(pick, servers.len());
    Ok((0..count).map(|i| servers[(first + i) % servers.len()]).collect())
}

/// Returns the servers in the order that `pick` selects.
fn drawn_order(servers: &[NodeId], mut pick: u64, what: &str) -> Result<Vec<NodeId>, String> {
    if servers.len() < 3 {
        return Err(format!("a {what} needs at least 3 servers, not {}", servers.len()));
    }
    let mut order = servers.to_vec();
    for last in (1..order.len()).rev() {
        let choices = last as u64 + 1;
        order.swap(last, (pick % choices) as usize);
        pick /= choices;
    }
    Ok(order)
}

/// Returns the links cut by `majorities-ring-perfect` (jepsen, src/jepsen/nemesis.clj): each node still receives from the
/// majority of consecutive nodes with itself in the middle.
fn ring(order: &[NodeId]) -> Links {
    let (count, majority) = (order.len(), order.len() / 2 + 1);
    let mut links = Links::new();
    for first in 0..count {
        let heard: Vec<NodeId> = (0..majority).map(|i| order[(first + i) % count]).collect();
        let middle = heard[majority / 2];
        links.extend(order.iter().filter(|node| !heard.contains(node)).map(|&unheard| (unheard, middle)));
    }
    links.sort_unstable();
    links
}

/// Returns the links cut by `bridge` (jepsen, src/jepsen/nemesis.clj): two halves, with one node between them.
fn bridge(order: &[NodeId]) -> Links {
    let half = order.len() / 2;
    between(&order[..half], &order[half + 1..])
}

fn cut_off(all: &[NodeId], group: &[NodeId]) -> Links {
    let rest: Vec<NodeId> = all.iter().copied().filter(|node| !group.contains(node)).collect();
    between(group, &rest)
}

/// Returns the links between two groups, in both directions.
fn between(left: &[NodeId], right: &[NodeId]) -> Links {
    left.iter().flat_map(|&a| right.iter().flat_map(move |&b| [(a, b), (b, a)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(count: u16) -> Vec<NodeId> {
        (0..count).map(NodeId).collect()
    }

    #[test]
    fn in_a_ring_each_server_hears_a_different_majority() {
        for count in 3..=7 {
            let all = nodes(count);
            let cut = ring(&all);
            let heard = |to: NodeId| all.iter().filter(|from| !cut.contains(&(**from, to))).collect::<Vec<_>>();
            let mut sets: Vec<_> = all.iter().map(|node| heard(*node)).collect();
            assert!(sets.iter().all(|set| set.len() == all.len() / 2 + 1), "{count}");
            sets.sort_unstable();
            sets.dedup();
            assert_eq!(sets.len(), all.len());
        }
    }

    #[test]
    fn a_bridge_reaches_both_halves_which_do_not_reach_each_other() {
        let cut = bridge(&nodes(5));
        let sees_all = |node: u16| !cut.iter().any(|(from, to)| [*from, *to].contains(&NodeId(node)));
        assert_eq!((0..5).filter(|node| sees_all(*node)).collect::<Vec<_>>(), [2]);
        assert!(cut.contains(&(NodeId(0), NodeId(4))) && cut.contains(&(NodeId(3), NodeId(1))));
        assert!(!cut.contains(&(NodeId(0), NodeId(1))) && !cut.contains(&(NodeId(3), NodeId(4))));
    }

    #[test]
    fn every_order_can_be_drawn() {
        let orders = (0..6).map(|pick| drawn_order(&nodes(3), pick, "ring").unwrap());
        assert_eq!(orders.collect::<std::collections::BTreeSet<_>>().len(), 6);
        assert!(drawn_order(&nodes(2), 0, "ring").is_err());
    }
}
