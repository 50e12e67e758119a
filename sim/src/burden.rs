//! What holds nodes up in their work: slowness, and disks that stall, crawl or lie. And clocks that strobe.
//!
//! A process that waits for its disk, or is slow, does nothing else meanwhile, and what it was about to send leaves only
//! afterwards: servers here have one thread, as a Redis server, or the raft loop of etcd, which sends no heartbeat while
//! it waits for its log: "failed to send out heartbeat; took too long, server is overloaded likely from slow disk" (etcd,
//! server/etcdserver/raft.go).

use std::time::Duration;

use crate::agenda::Pending;
use crate::disk::DiskFate;
use crate::faults::{Nemesis, Slowdown};
use crate::message::Message;
use crate::node::{NodeId, Stop};
use crate::schedule::InjectionId;
use crate::service::Service;
use crate::stream::Stream;
use crate::world::World;

/// A slowdown on a node.
pub(crate) struct ActiveSlowdown {
    pub by: InjectionId,
    pub slowdown: Slowdown,
    pub stream: Stream,
}

/// A wall clock that jumps away and back.
pub(crate) struct Strobe {
    pub by: InjectionId,
    pub nanos: i64,
    pub period: Duration,
    pub away: bool,
}

impl ActiveSlowdown {
    /// For how long it holds up work in which the disk was synced so often; without end while the fault lasts.
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

    fn concerns_disk(&self) -> bool {
        !matches!(self.slowdown, Slowdown::Slow(_))
    }
}

enum Delay {
    For(Duration),
    UntilEnd,
}

/// How often a service has synced its disk.
pub(crate) fn syncs<M: Message, N: Message>(service: &mut dyn Service<M, N>) -> u64 {
    let mut sum = 0;
    service.disks(&mut |disk| sum += disk.syncs());
    sum
}

impl<M: Message, N: Message> World<M, N> {
    /// Whether anything holds the node up.
    pub(crate) fn slowed(&self, id: NodeId) -> bool {
        let node = &self.nodes[id.index()];
        node.up && !node.slowdowns.is_empty()
    }

    /// A client's code is about to run. If the client is slow, what it sends is held back.
    pub(crate) fn begin_run(&mut self, id: NodeId) {
        let slow = |active: &ActiveSlowdown| !active.concerns_disk();
        if self.slowed(id) && self.nodes[id.index()].slowdowns.iter().any(slow) {
            self.nodes[id.index()].holds_back = true;
            self.ran = Some(id);
        }
    }

    /// The node's code has run, and synced its disk so often: if anything holds it up, it stands still for as long, and
    /// then sends what it had to send.
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
            self.nodes[id.index()].stopped_by.push(Stop { by: *by, machine: false });
            if let Delay::For(time) = delay {
                self.schedule_at(self.now + *time, Pending::Unblock { node: id, incarnation, by: *by });
            }
        }
        if delays.is_empty() {
            self.send_unsent(id);
        }
    }

    /// The node is done with what held it up.
    pub(crate) fn unblock(&mut self, id: NodeId, by: InjectionId) {
        self.settle_disks(id, by);
        self.resume(id, by);
    }

    /// Sends what was held back, unless its connection is gone.
    pub(crate) fn send_unsent(&mut self, id: NodeId) {
        for mut packet in std::mem::take(&mut self.nodes[id.index()].unsent) {
            if self.conns[packet.session.conn.0 as usize].epoch == packet.session.epoch {
                packet.sent = self.now;
                self.transmit(packet);
            }
        }
    }

    /// Syncs make nothing safe while the disk lies, or until they return.
    pub(crate) fn withhold_syncs(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        let withholds = node.slowdowns.iter().any(ActiveSlowdown::concerns_disk);
        if let Some(service) = &mut node.service {
            service.disks(&mut |disk| disk.withhold(withholds));
        }
    }

    /// A sync that `by` held up returned: what it was for is safe, unless the disk lies or the sync waits for another
    /// stall, too. A stall that began meanwhile does not hold it up.
    pub(crate) fn settle_disks(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let waits_for = |other: InjectionId| node.stopped_by.iter().any(|stop| stop.by == other);
        let unsafe_still = |active: &ActiveSlowdown| match active.slowdown {
            Slowdown::DiskLies => true,
            Slowdown::DiskStalls => active.by != by && waits_for(active.by),
            Slowdown::DiskIsSlow(_) | Slowdown::Slow(_) => false,
        };
        if node.slowdowns.iter().any(unsafe_still) {
            return;
        }
        if let Some(service) = &mut node.service {
            service.disks(&mut |disk| disk.settle());
        }
    }

    /// The lies of its disk made a difference if a crash loses what they claimed.
    pub(crate) fn touch_lies(&mut self, id: NodeId, fate: DiskFate) {
        let node = &mut self.nodes[id.index()];
        let lies = std::mem::take(&mut node.lies);
        let still_on = |by: &InjectionId| node.slowdowns.iter().any(|active| active.by == *by);
        node.lies = lies.iter().copied().filter(still_on).collect();
        let mut has_unsynced = false;
        if let Some(service) = node.service.as_mut().filter(|_| fate == DiskFate::Unsynced) {
            service.disks(&mut |disk| has_unsynced |= disk.has_unsynced());
        }
        for by in lies.into_iter().filter(|_| has_unsynced) {
            self.touch(by, &[id]);
        }
    }

    /// The clock jumps away or back.
    pub(crate) fn strobe(&mut self, id: NodeId, by: InjectionId) {
        let node = &mut self.nodes[id.index()];
        let Some(strobe) = node.strobes.iter_mut().find(|strobe| strobe.by == by) else { return };
        strobe.away = !strobe.away;
        node.clock.step(if strobe.away { strobe.nanos } else { -strobe.nanos });
        let period = strobe.period;
        self.schedule_at(self.now + period, Pending::Strobe { node: id, by });
    }
}
