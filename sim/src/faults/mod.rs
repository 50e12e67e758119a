//! The kinds of fault. Each is one file: what a user may write about it, and what it does to the world.

mod clock_rate;
mod clock_step;
mod clock_strobe;
mod crash;
mod disk_stall;
mod duplicate;
mod failover;
mod hold;
mod info;
mod latency;
mod loss;
mod partition;
mod pause;
mod slow;
mod vm_pause;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use self::clock_rate::ClockRate;
pub use self::clock_step::ClockStep;
pub use self::clock_strobe::ClockStrobe;
pub use self::crash::{Crash, CrashWhat};
pub use self::disk_stall::DiskStall;
pub use self::duplicate::Duplicate;
pub use self::failover::Failover;
pub use self::hold::Hold;
pub use self::info::{
    CauseWeights, ClockChange, DurationRule, Exploration, ExploreLength, ExploreSite, ExploreValue, FaultFamily,
    FaultInfo, Phrases, Preset, Stops, TargetRule,
};
pub use self::latency::Latency;
pub use self::loss::Loss;
pub use self::partition::{Partition, Shape};
pub use self::pause::Pause;
pub use self::slow::Slow;
pub use self::vm_pause::VmPause;
use crate::disk::DiskFate;
use crate::net::{RETRANSMIT_FIRST, RETRANSMIT_LONGEST};
use crate::node::NodeId;
use crate::schedule::{InjectionId, Placement};
use crate::stream::Stream;
use crate::units::Dist;

/// A fault as configured: what its injections do.
pub trait Fault: fmt::Debug + Send + Sync {
    /// Draws what differs between injections, up front, as one number that `begin` gets back.
    fn draw(&self, _stream: &mut Stream) -> i64 {
        0
    }

    /// Begins an injection.
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>);

    /// Ends an injection that lasts.
    fn end(&self, _nemesis: &mut dyn Nemesis, _injection: &Injected<'_>) {}

    /// How long its effect outlives its beginning by itself, without a `lasts` (a crash's `restart_after`).
    fn own_duration(&self) -> Option<Duration> {
        None
    }

    /// About how many events of its own an injection makes.
    fn events(&self, _lasts: Duration) -> u64 {
        1
    }

    /// How an injection may lengthen the bounds within which a lock recovers.
    fn allowance(&self, _drawn: i64, _lasts: Duration) -> BoundAllowance {
        BoundAllowance::default()
    }

    /// Whether healing leaves it as it is.
    fn permanent(&self) -> bool {
        false
    }

    /// The key and value, as TOML text, that fix what [`draw`](Fault::draw) gave, if the fault's keys leave it open.
    fn fixed_key(&self, _drawn: i64) -> Option<(&'static str, String)> {
        None
    }

    /// How a fault that places itself (`TargetRule::Own`) does so. `pick` is the fraction drawn for this injection.
    ///
    /// # Errors
    /// If the world has no such place, such as a minority of one server.
    fn place(&self, _topology: &dyn Topology, _pick: u64) -> Result<Placement, String> {
        Ok(Placement::default())
    }
}

/// A kind of fault: its facts, and the type that its keys are read into.
pub trait FaultKind: Fault + DeserializeOwned + JsonSchema + 'static {
    /// What it says about itself.
    const INFO: &'static FaultInfo;
}

/// Receives each kind of fault as a type.
pub trait KindVisitor {
    /// Called once for each kind.
    fn visit<F: FaultKind>(&mut self);
}

macro_rules! standard_kinds {
    ($($kind:ident),* $(,)?) => {
        /// The facts of all kinds that fencepost ships, in the order of lists and reports.
        pub const STANDARD: &[&FaultInfo] = &[$($kind::INFO),*];

        /// Passes all kinds that fencepost ships to `visitor`, in the order of [`STANDARD`].
        pub fn visit_standard(visitor: &mut impl KindVisitor) {
            $(visitor.visit::<$kind>();)*
        }
    };
}

standard_kinds! {
    Pause,
    VmPause,
    Crash,
    ClockStep,
    ClockRate,
    ClockStrobe,
    Partition,
    Latency,
    Loss,
    Duplicate,
    Hold,
    Slow,
    DiskStall,
    Failover,
}

/// The facts of the standard kind of this name.
pub fn standard(name: &str) -> Option<&'static FaultInfo> {
    STANDARD.iter().copied().find(|info| info.name == name)
}

/// What faults can do to the bounds within which locks recover, summed over a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoundAllowance {
    /// All backward steps of wall clocks together.
    pub stepped_back: Duration,
    /// How far the wall clocks of two nodes may have come apart: all steps either way, and what wrong rates add up to.
    pub apart: Duration,
    /// All times together for which machines were stopped, their monotonic clocks with them.
    pub machine_stopped: Duration,
    /// How slow the slowest clock ran, in parts in a million.
    pub slowest_ppm: u32,
    /// How long a stream may take after a fault until it gets through again: its retransmissions back off for as long as
    /// the fault lasted, but not beyond the longest back-off.
    pub reconnect: Duration,
}

impl BoundAllowance {
    /// The sum of both.
    pub fn plus(self, other: BoundAllowance) -> BoundAllowance {
        BoundAllowance {
            stepped_back: self.stepped_back + other.stepped_back,
            apart: self.apart + other.apart,
            machine_stopped: self.machine_stopped + other.machine_stopped,
            slowest_ppm: self.slowest_ppm.max(other.slowest_ppm),
            reconnect: self.reconnect.max(other.reconnect),
        }
    }

    /// The allowance of a fault that blocks streams for this long.
    pub fn for_silence(lasts: Duration) -> BoundAllowance {
        BoundAllowance { reconnect: (lasts + RETRANSMIT_FIRST).min(RETRANSMIT_LONGEST), ..BoundAllowance::default() }
    }

    /// How long a deadline by a server's wall clock can take that was `expiry` away.
    pub fn stretch_wall(&self, expiry: Duration) -> Duration {
        self.stretch_rate(expiry + self.stepped_back) + self.machine_stopped
    }

    /// How long a deadline by a server's monotonic clock can take that was `expiry` away.
    pub fn stretch_mono(&self, expiry: Duration) -> Duration {
        self.stretch_rate(expiry) + self.machine_stopped
    }

    fn stretch_rate(&self, expiry: Duration) -> Duration {
        expiry * 1_000_000 / (1_000_000 - self.slowest_ppm.min(900_000))
    }
}

/// One injection as its fault sees it.
#[derive(Debug)]
pub struct Injected<'a> {
    /// Which injection this is.
    pub id: InjectionId,
    /// Where it acts.
    pub at: &'a Placement,
    /// What [`Fault::draw`] gave.
    pub drawn: i64,
}

/// The nodes of a world, by what they are.
pub trait Topology {
    /// The clients, in order.
    fn clients(&self) -> &[NodeId];
    /// The lock's servers, in order.
    fn servers(&self) -> &[NodeId];
    /// The guarded store; the lock's own server where the lock lives in its store.
    fn store(&self) -> NodeId;
    /// All nodes.
    fn all(&self) -> Vec<NodeId>;
    /// The node of this name.
    fn named(&self, name: &str) -> Option<NodeId>;
}

/// What faults can do to a world. Each effect carries the injection that causes it, so that effects which overlap add
/// up to their union and end one by one.
pub trait Nemesis: Topology {
    /// Stops the node's process; its clocks run on.
    fn pause(&mut self, node: NodeId, by: InjectionId);
    /// Stops the node's whole machine: its monotonic clock stops too.
    fn freeze(&mut self, node: NodeId, by: InjectionId);
    /// Ends a pause or freeze.
    fn resume(&mut self, node: NodeId, by: InjectionId);
    /// Crashes the node's process or host.
    fn crash(
        &mut self,
        node: NodeId,
        by: InjectionId,
        what: CrashWhat,
        disk: DiskFate,
        restart_after: Option<Duration>,
    );
    /// Steps the node's wall clock by nanoseconds.
    fn step_clock(&mut self, node: NodeId, by: InjectionId, nanos: i64);
    /// Lets the node's clocks run fast or slow until the injection ends.
    fn skew_clock(&mut self, node: NodeId, by: InjectionId, ppm: i64);
    /// Ends a skew.
    fn unskew_clock(&mut self, node: NodeId, by: InjectionId);
    /// Lets the node's wall clock jump by nanoseconds and back, each period.
    fn strobe_clock(&mut self, node: NodeId, by: InjectionId, nanos: i64, period: Duration);
    /// Ends a strobe; the clock is where it would be without it.
    fn unstrobe_clock(&mut self, node: NodeId, by: InjectionId);
    /// Puts a slowdown on the node. `drawn` keys its randomness.
    fn begin_slowdown(&mut self, node: NodeId, by: InjectionId, slowdown: Slowdown, drawn: i64);
    /// Takes the slowdowns of the injection from the node.
    fn end_slowdown(&mut self, node: NodeId, by: InjectionId);
    /// Adds an effect to a link, one way.
    fn add_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId, effect: LinkEffect);
    /// Removes all effects of the injection from a link, one way.
    fn remove_link_effect(&mut self, from: NodeId, to: NodeId, by: InjectionId);
}

/// What holds a node up in its work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slowdown {
    /// A sync of its disk returns only when the fault is over, and the process waits for it.
    DiskStalls,
    /// A sync of its disk takes so long, and the process waits for it.
    DiskIsSlow(Dist),
    /// Its disk says that it synced, and did not.
    DiskLies,
    /// Whatever it deals with takes so much longer.
    Slow(Duration),
}

/// What a fault does to a link, one way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkEffect {
    /// Nothing gets through. Streams retransmit after it heals, datagrams are lost.
    Cut,
    /// Nothing gets through, but all of it arrives when the hold ends.
    Hold,
    /// Every message takes longer.
    Delay(Dist),
    /// Messages are lost, so many in a million. Streams retransmit.
    Lose(u32),
    /// Datagrams arrive twice, so many in a million.
    Duplicate(u32),
}

/// The ways of most link faults: the effect is on every link of the placement.
fn add_link_effects(nemesis: &mut dyn Nemesis, injection: &Injected<'_>, effect: LinkEffect) {
    for &(from, to) in &injection.at.links {
        nemesis.add_link_effect(from, to, injection.id, effect);
    }
}

fn remove_link_effects(nemesis: &mut dyn Nemesis, injection: &Injected<'_>) {
    for &(from, to) in &injection.at.links {
        nemesis.remove_link_effect(from, to, injection.id);
    }
}

/// A share of messages, from 0 to 1, as so many in a million.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
pub struct Rate(#[schemars(range(min = 0.0, max = 1.0))] f64);

impl Rate {
    /// So many in a million.
    pub fn per_million(self) -> u32 {
        (self.0 * 1e6) as u32
    }
}

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&rate) { Ok(Rate(rate)) } else { Err(format!("a rate is from 0.0 to 1.0, not {rate}")) }
    }
}
