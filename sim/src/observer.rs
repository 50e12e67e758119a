//! Observation of a world from outside.

use crate::clock::Clock;
use crate::message::Message;
use crate::node::NodeId;
use crate::schedule::Placement;
use crate::time::{Mono, SimTime, Wall};
use crate::trace::Occurrence;

/// Observes a world. It cannot change the world, except that it can end a phase early.
pub trait Observer<M: Message, N: Message> {
    /// A node recorded a note. Returns whether the phase ends now.
    fn note(&mut self, at: SimTime, note: &N) -> bool;

    /// A node crashed.
    fn crashed(&mut self, _at: SimTime, _node: NodeId) {}

    /// A node restarted.
    fn restarted(&mut self, _at: SimTime, _node: NodeId) {}

    /// An injection began or ended at this placement.
    fn fault(&mut self, _at: SimTime, _began: bool, _placement: &Placement) {}

    /// All faults were healed.
    fn healed(&mut self, _at: SimTime) {}

    /// Whether `occurrence` is called. It costs time.
    fn sees_occurrences(&self) -> bool {
        false
    }

    /// Something happened.
    fn occurrence(&mut self, _at: SimTime, _what: &Occurrence<'_, M, N>, _clocks: &Clocks) {}
}

/// The clocks of all nodes at one moment.
#[derive(Debug)]
pub struct Clocks(Vec<(Mono, Wall)>);

impl Clocks {
    pub(crate) fn new<'a>(now: SimTime, clocks: impl Iterator<Item = &'a Clock>) -> Self {
        Clocks(clocks.map(|clock| (clock.mono(now), clock.wall(now))).collect())
    }

    /// The readings of the node's monotonic and wall clock.
    pub fn reading(&self, node: NodeId) -> (Mono, Wall) {
        self.0[node.index()]
    }
}
