//! The fault schedule: data, drawn in advance from the seed. Each fault has its own random stream, so removing a fault
//! leaves all others unchanged.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::faults::{BoundAllowance, Fault, FaultInfo, Topology};
use crate::net::RETRANSMIT_LONGEST;
use crate::node::NodeId;
use crate::stream::{Stream, Streams};
use crate::time::SimTime;
use crate::units::Dist;

/// Identifies an injection by its index in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct InjectionId(pub u32);

/// Where an injection acts: on nodes, or on one-way links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// The nodes.
    pub nodes: Vec<NodeId>,
    /// The links, as pairs of source and destination.
    pub links: Vec<(NodeId, NodeId)>,
}

/// A fault as a scenario configures it.
#[derive(Clone, Debug)]
pub struct FaultPlan {
    /// The name: selects the fault's random stream, and appears in results.
    pub name: String,
    /// The description of the fault's kind.
    pub kind: &'static FaultInfo,
    /// The effects.
    pub fault: Arc<dyn Fault>,
    /// When the injections begin.
    pub trigger: Trigger,
    /// Where the injections act.
    pub aim: Aim,
    /// How long an injection lasts; `None` for an instant fault.
    pub lasts: Option<Dist>,
}

/// When a fault's injections begin.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// Once at this time.
    At(Duration),
    /// Repeatedly, with this interval between starts.
    Every(Dist),
    /// When a client reaches a step.
    On(OnStep),
}

/// A step of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct OnStep {
    /// The client's name; `None` means any client.
    pub client: Option<String>,
    /// The step, such as `acquired`.
    pub step: String,
    /// Which occurrence of the step counts, from 1.
    pub nth: u32,
    /// The delay after the step.
    pub after: Duration,
}

/// Where a fault acts, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aim {
    /// On nodes.
    Nodes(Target),
    /// On the links from the first target to the second, and optionally back.
    #[expect(missing_docs, reason = "the names suffice")]
    Between { from: Target, to: Target, both_ways: bool },
    /// On all links of these nodes.
    LinksOf(Target),
    /// On the server that is the leader.
    Leader,
    /// Where the fault's own keys say.
    Own,
}

/// Which nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The node with this name.
    Named(String),
    /// Some clients.
    Clients(Which),
    /// Some of the lock's servers.
    Servers(Which),
}

/// Which members of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// One member, drawn for each injection.
    Any,
    /// All members.
    All,
    /// The members that believe they hold the lock.
    Holder,
    /// The leader.
    Leader,
    /// A minority, drawn for each injection.
    Minority,
    /// A majority, drawn for each injection.
    Majority,
}

/// An injection as drawn from the seed.
#[derive(Clone, Debug)]
pub struct Injection {
    /// The fault, as an index into the plans.
    pub fault: usize,
    /// When the injection begins; `None` if a step triggers it.
    pub at: Option<SimTime>,
    /// How long the injection lasts.
    pub lasts: Option<Duration>,
    /// `pick` / 2⁶⁴ is the fraction that selects the nodes or links when the injection begins.
    pub pick: u64,
    /// The result of [`Fault::draw`].
    pub drawn: i64,
}

/// All injections of a case.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// The faults.
    pub plans: Arc<[FaultPlan]>,
    /// The injections, fault by fault.
    pub injections: Vec<Injection>,
}

/// The most injections that one fault may have in a case.
pub const MOST_INJECTIONS: usize = 100_000;

impl Schedule {
    /// Draws the schedule of a case whose faults begin before `until`.
    pub fn draw(plans: &Arc<[FaultPlan]>, streams: &Streams, until: SimTime) -> Self {
        let mut injections = Vec::new();
        for (fault, plan) in plans.iter().enumerate() {
            let mut stream = streams.stream(&format!("fault {}", plan.name));
            match &plan.trigger {
                Trigger::At(at) => injections.push(plan.draw_one(fault, Some(SimTime(0) + *at), &mut stream)),
                Trigger::On(_) => injections.push(plan.draw_one(fault, None, &mut stream)),
                Trigger::Every(gap) => {
                    let mut at = SimTime(0);
                    for _ in 0..MOST_INJECTIONS {
                        at = at + gap.draw(&mut stream);
                        if at >= until {
                            break;
                        }
                        injections.push(plan.draw_one(fault, Some(at), &mut stream));
                    }
                }
            }
        }
        Schedule { plans: plans.clone(), injections }
    }

    /// Returns how far all injections together may extend the bounds on a lock's recovery.
    pub fn allowance(&self) -> BoundAllowance {
        let allowances: Vec<(&Injection, BoundAllowance)> = (self.injections.iter())
            .map(|injection| {
                let fault = &self.plans[injection.fault].fault;
                (injection, fault.allowance(injection.drawn, injection.lasts.unwrap_or_default()))
            })
            .collect();
        let together = allowances.iter().fold(BoundAllowance::default(), |sum, (_, allowance)| sum.plus(*allowance));
        BoundAllowance {
            reconnect: longest_silence(&allowances),
            slowest_ppm: slowest_together(&allowances),
            ..together
        }
    }
}

/// Returns how long a stream may need to deliver again after overlapping faults. It has been silent since the first of them
/// began, and its next retransmission follows after at most the same time again.
fn longest_silence(allowances: &[(&Injection, BoundAllowance)]) -> Duration {
    let mut spans: Vec<(SimTime, Duration)> =
        allowances.iter().filter_map(|(injection, allowance)| Some((injection.at?, allowance.reconnect))).collect();
    spans.retain(|(_, length)| !length.is_zero());
    spans.sort_unstable();
    let (mut longest, mut since, mut silent) = (Duration::ZERO, SimTime(0), Duration::ZERO);
    for (at, length) in spans {
        if at > since + 2 * silent {
            (since, silent) = (at, length);
        }
        silent = silent.max((at + length).since(since));
        longest = longest.max(silent);
    }
    // The time of a step is not known in advance, so a fault that waits for one may prolong any silence.
    let at_steps: Duration =
        allowances.iter().filter(|(i, _)| i.at.is_none()).map(|(_, allowance)| allowance.reconnect).sum();
    (longest + at_steps).min(RETRANSMIT_LONGEST)
}

/// Returns how slowly a clock may run under overlapping faults, in ppm. Their rates add up.
fn slowest_together(allowances: &[(&Injection, BoundAllowance)]) -> u32 {
    let mut changes: Vec<(SimTime, bool, u64)> = Vec::new();
    // The time of a step is not known in advance, so faults that wait for one may overlap with any other.
    let mut now = 0;
    for (injection, allowance) in allowances.iter().filter(|(_, allowance)| allowance.slowest_ppm > 0) {
        let ppm = allowance.slowest_ppm.into();
        let Some(at) = injection.at else {
            now += ppm;
            continue;
        };
        changes.push((at, false, ppm));
        changes.push((at + injection.lasts.unwrap_or_default(), true, ppm));
    }
    changes.sort_unstable();
    let mut slowest = now;
    for (_, ends, ppm) in changes {
        now = if ends { now - ppm } else { now + ppm };
        slowest = slowest.max(now);
    }
    u32::try_from(slowest).unwrap_or(u32::MAX)
}

impl FaultPlan {
    fn draw_one(&self, fault: usize, at: Option<SimTime>, stream: &mut Stream) -> Injection {
        let pick = stream.number();
        let lasts = self.lasts.map(|lasts| lasts.draw(stream));
        let drawn = self.fault.draw(stream);
        Injection { fault, at, lasts, pick, drawn }
    }

    /// Checks whether this plan can act in a world with these nodes.
    ///
    /// # Errors
    /// If it cannot act. The error is a message for users.
    pub fn applicable(&self, topology: &dyn Topology) -> Result<(), String> {
        resolve(self, topology, 0, &|_| Vec::new()).map(|_| ())
    }
}

/// Resolves a plan's aim to nodes and links. `tagged` returns the nodes with a tag (`holder`, `leader`).
///
/// # Errors
/// If the topology has no such nodes.
pub fn resolve(
    plan: &FaultPlan,
    topology: &dyn Topology,
    pick: u64,
    tagged: &dyn Fn(&str) -> Vec<NodeId>,
) -> Result<Placement, String> {
    let nodes = |target: &Target| target.resolve(topology, pick, tagged);
    Ok(match &plan.aim {
        Aim::Nodes(target) => Placement { nodes: nodes(target)?, links: Vec::new() },
        Aim::LinksOf(target) => {
            let (chosen, all) = (nodes(target)?, topology.all());
            links_between(&chosen, &all, true)
        }
        Aim::Between { from, to, both_ways } => links_between(&nodes(from)?, &nodes(to)?, *both_ways),
        Aim::Leader => Placement { nodes: nodes(&Target::Servers(Which::Leader))?, links: Vec::new() },
        Aim::Own => plan.fault.place(topology, pick)?,
    })
}

fn links_between(from: &[NodeId], to: &[NodeId], both_ways: bool) -> Placement {
    let mut links = Vec::new();
    for &a in from {
        for &b in to.iter().filter(|&&b| b != a) {
            links.push((a, b));
            if both_ways {
                links.push((b, a));
            }
        }
    }
    links.sort_unstable();
    links.dedup();
    Placement { nodes: Vec::new(), links }
}

impl Target {
    fn resolve(
        &self,
        topology: &dyn Topology,
        pick: u64,
        tagged: &dyn Fn(&str) -> Vec<NodeId>,
    ) -> Result<Vec<NodeId>, String> {
        let (group, which, what) = match self {
            Target::Named(name) => {
                return topology.named(name).map(|node| vec![node]).ok_or_else(|| format!("no node is named `{name}`"));
            }
            Target::Clients(which) => (topology.clients(), which, "clients"),
            Target::Servers(which) => (topology.servers(), which, "servers"),
        };
        if group.is_empty() {
            return Err(format!("this lock has no {what}"));
        }
        let some = |count: usize, name: &str| match count {
            0 => Err(format!("{} server(s) have no {name}", group.len())),
            _ => Ok((0..count).map(|i| group[(pick_index(pick, group.len()) + i) % group.len()]).collect()),
        };
        match which {
            Which::Any => some(1, "member"),
            Which::All => Ok(group.to_vec()),
            Which::Holder => Ok(tagged("holder")),
            // A single server is the leader. Among several, the leader has the tag.
            Which::Leader if group.len() == 1 => Ok(group.to_vec()),
            Which::Leader => Ok(tagged("leader")),
            Which::Minority => some(group.len().saturating_sub(1) / 2, "minority"),
            Which::Majority if group.len() < 2 => some(0, "majority apart from a minority"),
            Which::Majority => some(group.len() / 2 + 1, "majority"),
        }
    }
}

/// Returns the index into `len` items for the fraction `pick` / 2⁶⁴.
pub fn pick_index(pick: u64, len: usize) -> usize {
    ((u128::from(pick) * len as u128) >> 64) as usize
}
