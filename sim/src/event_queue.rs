//! What will happen, soonest first; at the same time, in the order in which it was decided.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

use crate::net::{ConnId, Packet, Way};
use crate::node::{NodeId, WaitKey};
use crate::schedule::InjectionId;
use crate::time::SimTime;

/// The events that will happen.
pub(crate) struct EventQueue<M> {
    heap: BinaryHeap<Reverse<Due>>,
    next_seq: u64,
    pending: Slab<Pending<M>>,
}

impl<M> Default for EventQueue<M> {
    fn default() -> Self {
        EventQueue { heap: BinaryHeap::new(), next_seq: 0, pending: Slab::new() }
    }
}

impl<M> EventQueue<M> {
    pub fn add(&mut self, at: SimTime, event: Pending<M>) {
        let slot = self.pending.insert(event);
        self.heap.push(Reverse(Due::new(at, self.next_seq, slot)));
        self.next_seq += 1;
    }

    /// The next event and its time, if it happens by `limit`.
    pub fn pop(&mut self, limit: SimTime) -> Option<(SimTime, Pending<M>)> {
        if self.heap.peek()?.0.at() > limit {
            return None;
        }
        let Reverse(due) = self.heap.pop()?;
        Some((due.at(), self.pending.remove(due.slot())))
    }
}

/// What stands in the heap: when (64 bits), in which order among equals (40), and where the event itself lies (24). One
/// number, since comparing is most of what a heap does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due(u128);

impl Due {
    const SLOT_BITS: u32 = 24;

    fn new(at: SimTime, seq: u64, slot: usize) -> Self {
        assert!(slot < 1 << Self::SLOT_BITS && seq < 1 << (64 - Self::SLOT_BITS), "too many events for one world");
        Due(u128::from(at.0) << 64 | u128::from(seq << Self::SLOT_BITS | slot as u64))
    }

    fn at(self) -> SimTime {
        SimTime((self.0 >> 64) as u64)
    }

    fn slot(self) -> usize {
        self.0 as usize & ((1 << Self::SLOT_BITS) - 1)
    }
}

/// An event that will happen.
pub(crate) enum Pending<M> {
    Arrival(Packet<M>),
    /// A message that came out of the network earlier is dealt with: its node was paused, or had others to deal with.
    Resumed(Packet<M>),
    Tick {
        node: NodeId,
    },
    NoticeTick {
        node: NodeId,
    },
    /// One timer that came due during a pause is dealt with on resume.
    DueAlarm {
        node: NodeId,
    },
    /// A client's task starts, or goes on.
    Continue {
        node: NodeId,
        incarnation: u32,
        wait: Option<WaitKey>,
    },
    FaultBegins(InjectionId),
    FaultEnds(InjectionId),
    /// A node that was slow, or waited for its disk, is done.
    Unblock {
        node: NodeId,
        incarnation: u32,
        by: InjectionId,
    },
    /// A strobing clock jumps again.
    Strobe {
        node: NodeId,
        by: InjectionId,
    },
    Restart {
        node: NodeId,
        incarnation: u32,
    },
    /// A client's process crashed: its task is to drop it.
    Died {
        node: NodeId,
        incarnation: u32,
    },
    Flush {
        conn: ConnId,
        way: Way,
        epoch: u32,
    },
    KeepAlive {
        conn: ConnId,
        epoch: u32,
    },
}
