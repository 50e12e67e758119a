//! Slow nodes, and nodes that wait for their disk. Both are paused for a while after each piece of work.
//!
//! A process that waits for its disk does nothing else, and sends its messages only afterwards. Servers here have one
//! thread, like a Redis server or etcd's raft loop. That loop sends no heartbeat while it waits for its log: "failed to send
//! out heartbeat; took too long, server is overloaded likely from slow disk" (etcd, server/etcdserver/raft.go).

use std::time::Duration;

use super::pause::{Pause, Pauses};
use crate::event_queue::Pending;
use crate::message::Message;
use crate::node::NodeId;
use crate::schedule::InjectionId;
use crate::service::Service;
use crate::stream::Stream;
use crate::units::Dist;
use crate::world::World;

/// Slows nodes down.
pub trait Slowdowns {
    /// Begins a slowdown of the node. `drawn` seeds its random stream.
    fn begin_slowdown(&mut self, node: NodeId, by: InjectionId, slowdown: Slowdown, drawn: i64);
    /// Ends the slowdowns by this injection.
    fn end_slowdown(&mut self, node: NodeId, by: InjectionId);
}

/// A slowdown of a node or its disk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slowdown {
    /// A disk sync returns only when the fault ends, and blocks the process.
    DiskStalls,
    /// Each disk sync takes this long, and blocks the process.
    DiskIsSlow(Dist),
    /// The disk confirms syncs without doing them.
    DiskLies,
    /// Each message, timer or step takes longer by this amount.
    Slow(Duration),
}

/// A slowdown of a node that has not ended.
pub(crate) struct ActiveSlowdown {
    pub by: InjectionId,
    pub slowdown: Slowdown,
    pub stream: Stream,
}

impl ActiveSlowdown {
    /// Returns how long this slowdown delays work that synced the disk `syncs` times.
    fn delay(&mut self, syncs: u64) -> Option<Delay> {
        match self.slowdown {
            Slowdown::DiskStalls if syncs > 0 => Some(Delay::UntilEnd),
            Slowdown::DiskIsSlow(each) if syncs > 0 => {
                Some(Delay::For((0..syncs).map(|_| each.draw(&mut self.stream)).sum()))
            }
            Slowdown::Slow(each) => Some(Delay::For(each)),
            _ => None,
        }
    }

    pub(crate) fn concerns_disk(&self) -> bool {
        !matches!(self.slowdown, Slowdown::Slow(_))
    }
}

enum Delay {
    For(Duration),
    UntilEnd,
}

/// Returns the total number of syncs of a service's disks.
pub(crate) fn syncs<M: Message, N: Message>(service: &mut dyn Service<M, N>) -> u64 {
    let mut sum = 0;
    service.disks(&mut |disk| sum += disk.syncs());
    sum
}

impl<M: Message, N: Message> Slowdowns for World<M, N> {
    fn begin_slowdown(&mut self, id: NodeId, by: InjectionId, slowdown: Slowdown, drawn: i64) {
        let stream = self.stream(&["slowdown", self.name(id), &drawn.to_string()]);
        let node = &mut self.nodes[id.index()];
        if slowdown == Slowdown::DiskLies {
            node.lies.push(by);
        }
        node.slowdowns.push(ActiveSlowdown { by, slowdown, stream });
        self.withhold_syncs(id);
    }

    fn end_slowdown(&mut self, id: NodeId, by: InjectionId) {
        self.settle_disks(id, by);
        self.nodes[id.index()].slowdowns.retain(|active| active.by != by);
        self.withhold_syncs(id);
        self.resume(id, by);
    }
}

impl<M: Message, N: Message> World<M, N> {
    /// Returns whether any slowdown of the node is active.
    pub(crate) fn slowed(&self, id: NodeId) -> bool {
        let node = &self.nodes[id.index()];
        node.up && !node.slowdowns.is_empty()
    }

    /// Called before a client's code runs. If the client is slow, its messages are held back.
    pub(crate) fn begin_run(&mut self, id: NodeId) {
        let slow = |active: &ActiveSlowdown| !active.concerns_disk();
        if self.slowed(id) && self.nodes[id.index()].slowdowns.iter().any(slow) {
            self.nodes[id.index()].holds_back = true;
            self.ran = Some(id);
        }
    }

    /// Called after a node's code has run and synced its disk `syncs` times. If the node is slow, it is paused for that time,
    /// and then sends its messages.
    pub(crate) fn end_work(&mut self, id: NodeId, syncs: u64) {
        let node = &mut self.nodes[id.index()];
        node.holds_back = false;
        if !node.up {
            return;
        }
        let delays: Vec<_> = (node.slowdowns.iter_mut())
            .filter_map(|active| Some((active.by, active.delay(syncs)?)))
            .filter(|(_, delay)| !matches!(delay, Delay::For(Duration::ZERO)))
            .collect();
        let incarnation = node.incarnation;
        let matters = !node.unsent.is_empty() || self.busy(id);
        for (by, delay) in &delays {
            if matters {
                self.touch(*by, &[id]);
            }
            self.nodes[id.index()].paused_by.push(Pause { by: *by, machine: false });
            if let Delay::For(time) = delay {
                self.schedule_at(self.now + *time, Pending::Unblock { node: id, incarnation, by: *by });
            }
        }
        if delays.is_empty() {
            self.send_unsent(id);
        }
    }

    /// Completes the node's delayed work.
    pub(crate) fn unblock(&mut self, id: NodeId, by: InjectionId) {
        self.settle_disks(id, by);
        self.resume(id, by);
    }

    /// Sends the messages that were held back, except on closed connections.
    pub(crate) fn send_unsent(&mut self, id: NodeId) {
        for mut packet in std::mem::take(&mut self.nodes[id.index()].unsent) {
            if self.conns[packet.session.conn.0 as usize].epoch == packet.session.epoch {
                packet.sent = self.now;
                self.transmit(packet);
            }
        }
    }
}
