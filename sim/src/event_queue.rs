//! Pending events, earliest first. Events at the same time are in the order in which they were scheduled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use slab::Slab;

use crate::net::{ConnId, Packet, Way};
use crate::node::{NodeId, WaitKey};
use crate::schedule::InjectionId;
use crate::time::SimTime;

/// The pending events.
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

    /// Pops the next event and its time, unless it is after `limit`.
    pub fn pop(&mut self, limit: SimTime) -> Option<(SimTime, Pending<M>)> {
        if self.heap.peek()?.0.at() > limit {
            return None;
        }
        let Reverse(due) = self.heap.pop()?;
        Some((due.at(), self.pending.remove(due.slot())))
    }
}

/// A heap entry: the event's time (64 bits), its sequence number (40 bits) and its slot (24 bits). They are packed into one
/// number because a heap spends most of its time on comparisons.
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

/// A pending event.
pub(crate) enum Pending<M> {
    Arrival(Packet<M>),
    /// Handles a message that arrived while its node was paused or had earlier messages to handle.
    Resumed(Packet<M>),
    Tick {
        node: NodeId,
    },
    NoticeTick {
        node: NodeId,
    },
    /// Fires one timer that expired during a pause.
    DueAlarm {
        node: NodeId,
    },
    /// Starts or continues a client's task.
    Continue {
        node: NodeId,
        incarnation: u32,
        wait: Option<WaitKey>,
    },
    FaultBegins(InjectionId),
    FaultEnds(InjectionId),
    /// Resumes a node that was slow or waited for its disk.
    Unblock {
        node: NodeId,
        incarnation: u32,
        by: InjectionId,
    },
    /// Steps a strobing clock again.
    Strobe {
        node: NodeId,
        by: InjectionId,
    },
    Restart {
        node: NodeId,
        incarnation: u32,
    },
    /// Drops the code of a client whose process crashed.
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
