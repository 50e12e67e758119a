//! The kinds of fault. Each has one file with its keys, its effects on the world, its extension of recovery bounds, and its
//! description for scenario files, searches and reports ([`FaultInfo`]).
//!
//! To add a kind, write its file and add it to the lists below. The effects of faults on each part of a node are a trait
//! next to that part: [`Pauses`], [`Crashes`], [`ClockChanges`], [`Slowdowns`], [`LinkEffects`].

mod allowance;
mod clock_rate;
mod clock_step;
mod clock_strobe;
mod crash;
mod disk_stall;
mod duplicate;
mod failover;
mod hold;
mod info;
mod injection;
mod latency;
mod loss;
mod partition;
mod pause;
mod slow;
pub(crate) mod triggers;
mod vm_pause;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use self::allowance::BoundAllowance;
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
pub use crate::clock::changes::ClockChanges;
use crate::message::Message;
pub use crate::net::link::{LinkEffect, LinkEffects};
use crate::node::NodeId;
pub use crate::process::crash::Crashes;
pub use crate::process::pause::Pauses;
pub use crate::process::slowdown::{Slowdown, Slowdowns};
use crate::schedule::{InjectionId, Placement};
use crate::stream::Stream;
use crate::world::World;

/// A configured fault.
pub trait Fault: fmt::Debug + Send + Sync {
    /// Draws, in advance, the number that distinguishes this injection from others. `begin` receives it.
    fn draw(&self, _stream: &mut Stream) -> i64 {
        0
    }

    /// Begins an injection.
    fn begin(&self, nemesis: &mut dyn Nemesis, injection: &Injected<'_>);

    /// Ends an injection that has a duration.
    fn end(&self, _nemesis: &mut dyn Nemesis, _injection: &Injected<'_>) {}

    /// Returns how long the effect of a fault without `lasts` lasts, such as `restart_after` of a crash.
    fn own_duration(&self) -> Option<Duration> {
        None
    }

    /// Returns the approximate number of events that an injection schedules.
    fn events(&self, _lasts: Duration) -> u64 {
        1
    }

    /// Returns how far an injection may extend the bounds on a lock's recovery.
    fn allowance(&self, _drawn: i64, _lasts: Duration) -> BoundAllowance {
        BoundAllowance::default()
    }

    /// Returns whether healing leaves this fault in effect.
    fn permanent(&self) -> bool {
        false
    }

    /// Returns the key and value, as TOML text, that pin the result of [`draw`](Fault::draw); `None` if no key does.
    fn fixed_key(&self, _drawn: i64) -> Option<(&'static str, String)> {
        None
    }

    /// Returns where a fault with [`TargetRule::Own`] acts. `pick` / 2⁶⁴ is the fraction drawn for this injection.
    ///
    /// # Errors
    /// If the topology has no such nodes or links, such as a minority of one server.
    fn place(&self, _topology: &dyn Topology, _pick: u64) -> Result<Placement, String> {
        Ok(Placement::default())
    }
}

/// A kind of fault: its description, and the type that its keys are parsed into.
pub trait FaultKind: Fault + DeserializeOwned + JsonSchema + 'static {
    /// The description of this kind.
    const INFO: &'static FaultInfo;
}

/// A visitor of the kinds of fault, as types.
pub trait KindVisitor {
    /// Visits one kind.
    fn visit<F: FaultKind>(&mut self);
}

macro_rules! standard_kinds {
    ($($kind:ident),* $(,)?) => {
        /// The descriptions of all standard kinds, in the order of lists and reports.
        pub const STANDARD: &[&FaultInfo] = &[$($kind::INFO),*];

        /// Passes all standard kinds to `visitor`, in the order of [`STANDARD`].
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

/// Returns the description of the standard kind with this name.
pub fn standard(name: &str) -> Option<&'static FaultInfo> {
    STANDARD.iter().copied().find(|info| info.name == name)
}

/// An injection, as passed to its fault.
#[derive(Debug)]
pub struct Injected<'a> {
    /// Which injection this is.
    pub id: InjectionId,
    /// Where it acts.
    pub at: &'a Placement,
    /// The result of [`Fault::draw`].
    pub drawn: i64,
}

/// The nodes of a world by role.
pub trait Topology {
    /// Returns the clients, in order.
    fn clients(&self) -> &[NodeId];
    /// Returns the lock's servers, in order.
    fn servers(&self) -> &[NodeId];
    /// Returns the guarded store. For a lock inside its store, this is the lock's own server.
    fn store(&self) -> NodeId;
    /// Returns all nodes.
    fn all(&self) -> Vec<NodeId>;
    /// Returns the node with this name.
    fn named(&self, name: &str) -> Option<NodeId>;
}

/// The effects of faults on a world. Each effect carries the injection that causes it, so overlapping effects combine and
/// end one by one.
pub trait Nemesis: Topology + Pauses + Crashes + ClockChanges + Slowdowns + LinkEffects {}

impl<M: Message, N: Message> Nemesis for World<M, N> {}

/// Adds the effect to every link of the placement.
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

/// A share of messages, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
pub struct Rate(#[schemars(range(min = 0.0, max = 1.0))] f64);

impl Rate {
    /// Returns the share in ppm.
    pub fn ppm(self) -> u32 {
        (self.0 * 1e6) as u32
    }
}

impl TryFrom<f64> for Rate {
    type Error = String;

    fn try_from(rate: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&rate) {
            Ok(Rate(rate))
        } else {
            Err(format!("a rate must be from 0.0 to 1.0, not {rate}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_unique_name_a_description_and_a_family() {
        for info in STANDARD {
            assert!(!info.name.is_empty() && !info.about.is_empty(), "{info:?}");
            assert!(info.family != FaultFamily::Other, "{info:?}");
            assert_eq!(standard(info.name), Some(*info), "two kinds have this name");
        }
    }

    #[test]
    fn phrases_use_only_the_documented_placeholders() {
        const KNOWN: [&str; 11] =
            ["fault", "kind", "nodes", "was", "its", "duration", "lasted", "until", "restart", "step", "drift"];
        for info in STANDARD {
            let Phrases { began, ended, active, past, lane } = info.phrases;
            for phrase in [began, ended, active, past, lane] {
                let mut placeholders = phrase.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
                assert!(placeholders.all(|name| KNOWN.contains(&name)), "{info:?}: {phrase}");
            }
        }
    }
}
