//! Observers of a world.

use crate::clock::Clock;
use crate::message::Message;
use crate::node::NodeId;
use crate::schedule::Placement;
use crate::time::{Mono, SimTime, Wall};
use crate::trace::Occurrence;

/// Observes a world. It cannot change the world, except that it can end a phase early.
pub trait Observer<M: Message, N: Message> {
    /// Called when a node records a note. Returns whether to end the phase now.
    fn note(&mut self, at: SimTime, note: &N) -> bool;

    /// Called when a node crashes.
    fn crashed(&mut self, _at: SimTime, _node: NodeId) {}

    /// Called when a node restarts.
    fn restarted(&mut self, _at: SimTime, _node: NodeId) {}

    /// Called when an injection begins or ends at this placement.
    fn fault(&mut self, _at: SimTime, _began: bool, _placement: &Placement) {}

    /// Called when all faults are healed.
    fn healed(&mut self, _at: SimTime) {}

    /// Returns whether to call `occurrence`, which takes time.
    fn sees_occurrences(&self) -> bool {
        false
    }

    /// Called for every event in the trace, with the clocks of all nodes.
    fn occurrence(&mut self, _at: SimTime, _what: &Occurrence<'_, M, N>, _clocks: &Clocks) {}
}

/// The clocks of all nodes at one moment.
#[derive(Debug)]
pub struct Clocks(Vec<(Mono, Wall)>);

impl Clocks {
    pub(crate) fn new<'a>(now: SimTime, clocks: impl Iterator<Item = &'a Clock>) -> Self {
        Clocks(clocks.map(|clock| (clock.mono(now), clock.wall(now))).collect())
    }

    /// Returns the readings of the node's monotonic and wall clocks.
    pub fn reading(&self, node: NodeId) -> (Mono, Wall) {
        self.0[node.index()]
    }
}
