//! One direction of a connection: messages sent, received and waiting for retransmission.

use std::collections::VecDeque;

use super::{Body, PEER_TIMEOUT, Packet, RETRANSMIT_FIRST, RETRANSMIT_LONGEST};
use crate::time::SimTime;

/// One direction of a connection.
pub(crate) struct Lane<M> {
    pub last_arrival: SimTime,
    /// The period without arrivals, while the retransmissions of one message take longer than [`PEER_TIMEOUT`].
    pub late: (SimTime, SimTime),
    /// The number of messages sent.
    pub sent: u32,
    /// The number of messages received in order.
    pub received: u32,
    /// Messages that arrived out of order.
    pub early: Vec<Packet<M>>,
    /// Messages that wait for retransmission, oldest first.
    pub stalled: VecDeque<Packet<M>>,
    pub stalled_since: SimTime,
    pub flush_pending: bool,
}

impl<M> Default for Lane<M> {
    fn default() -> Self {
        Lane {
            last_arrival: SimTime(0),
            late: (SimTime(0), SimTime(0)),
            sent: 0,
            received: 0,
            early: Vec::new(),
            stalled: VecDeque::new(),
            stalled_since: SimTime(0),
            flush_pending: false,
        }
    }
}

impl<M> Lane<M> {
    pub fn blocked(&self) -> bool {
        self.flush_pending || !self.stalled.is_empty()
    }

    /// Records that the last message sent will arrive at `arrival`.
    pub fn expect(&mut self, now: SimTime, arrival: SimTime) {
        self.last_arrival = arrival;
        let (since, until) = self.late;
        if arrival.since(now) > PEER_TIMEOUT {
            self.late = (if until > now { since } else { now }, arrival);
        }
    }

    /// Returns whether no message has arrived for [`PEER_TIMEOUT`] although the link is open.
    pub fn is_late(&self, now: SimTime) -> bool {
        let (since, until) = self.late;
        until > now && now.since(since) > PEER_TIMEOUT
    }

    /// Keeps a message for retransmission, in the order of sending.
    pub fn stall(&mut self, now: SimTime, packet: Packet<M>) {
        if self.stalled.is_empty() {
            self.stalled_since = now;
        }
        let index = self.stalled.partition_point(|other| other.order <= packet.order);
        self.stalled.insert(index, packet);
    }

    /// Returns the message if it is the next in order, and keeps it otherwise. Resets are not reordered.
    pub fn receive(&mut self, packet: Packet<M>) -> Option<Packet<M>> {
        if matches!(packet.body, Body::Reset | Body::Refuse) {
            return Some(packet);
        }
        if packet.order != self.received {
            self.early.push(packet);
            return None;
        }
        self.received += 1;
        Some(packet)
    }

    /// Takes the next message in order, if it has already arrived.
    pub fn next_early(&mut self) -> Option<Packet<M>> {
        let index = self.early.iter().position(|packet| packet.order == self.received)?;
        Some(self.early.swap_remove(index))
    }

    /// Returns the time of the first retransmission at or after `now`.
    pub fn next_retransmission(&self, now: SimTime) -> SimTime {
        let (mut at, mut wait) = (self.stalled_since, RETRANSMIT_FIRST);
        loop {
            at = at + wait;
            if at >= now {
                return at;
            }
            wait = (wait * 2).min(RETRANSMIT_LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_back_off_from_200_ms_by_doubling() {
        let lane = Lane::<()>::default();
        assert_eq!(lane.next_retransmission(SimTime(1)), SimTime(200_000_000));
        assert_eq!(lane.next_retransmission(SimTime(1_000_000_000)), SimTime(1_400_000_000));
    }
}
