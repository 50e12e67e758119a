//! Crashes and restarts. Peers of a crashed process learn of it at once, since its operating system closes its
//! connections. Peers of a crashed host learn of it from their own timeouts, or when it is back and resets connections.

use std::time::Duration;

use crate::disk::DiskFate;
use crate::event_queue::Pending;
use crate::faults::CrashWhat;
use crate::message::Message;
use crate::node::{NodeId, Role};
use crate::schedule::InjectionId;
use crate::trace::Occurrence;
use crate::world::World;

/// Crashes nodes.
pub trait Crashes {
    /// Crashes the node's process or host. Without `restart_after`, it stays down until all faults are healed.
    fn crash(
        &mut self,
        node: NodeId,
        by: InjectionId,
        what: CrashWhat,
        disk: DiskFate,
        restart_after: Option<Duration>,
    );
}

impl<M: Message, N: Message> Crashes for World<M, N> {
    fn crash(&mut self, id: NodeId, by: InjectionId, what: CrashWhat, disk: DiskFate, restart_after: Option<Duration>) {
        if !self.nodes[id.index()].up {
            return;
        }
        let fault = &self.schedule.plans[self.schedule.injections[by.0 as usize].fault].fault;
        let permanent = fault.permanent();
        if self.busy(id) {
            self.touch(by, &[id]);
        }
        self.touch_lies(id, disk);
        self.record(&Occurrence::Crashed { node: id });
        self.observer.crashed(self.now, id);
        let now = self.now;
        let node = &mut self.nodes[id.index()];
        node.up = false;
        node.host_down = what == CrashWhat::Host;
        node.never_restarts = permanent;
        node.crashed_by = Some(by);
        node.tags.clear();
        node.withheld.clear();
        node.unsent.clear();
        node.holds_back = false;
        node.alarms.clear();
        if node.paused_by.iter().any(|pause| pause.machine) {
            node.clock.thaw(now);
        }
        node.paused_by.clear();
        let incarnation = node.incarnation;
        self.clock_changed(id);
        self.serve(id, |service, env| service.on_crash(env, disk));
        self.drop_connections(id, what == CrashWhat::Host);
        if self.nodes[id.index()].role == Role::Client {
            self.schedule_at(self.now, Pending::Died { node: id, incarnation });
        }
        if let Some(after) = restart_after {
            self.schedule_at(self.now + after, Pending::Restart { node: id, incarnation });
        }
    }
}

impl<M: Message, N: Message> World<M, N> {
    pub(crate) fn restart(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.index()];
        if node.up {
            return;
        }
        (node.up, node.host_down) = (true, false);
        node.incarnation += 1;
        let incarnation = node.incarnation;
        self.record(&Occurrence::Restarted { node: id });
        self.observer.restarted(self.now, id);
        if self.nodes[id.index()].service.is_some() {
            self.serve(id, |service, env| service.on_start(env));
        } else {
            self.schedule_at(self.now, Pending::Continue { node: id, incarnation, wait: None });
        }
        self.unstall(|_, to| to == id, false);
    }
}
