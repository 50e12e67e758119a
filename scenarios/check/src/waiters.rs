//! The clients that want the lock, and which of them faults do not hinder.

#[cfg(test)]
mod tests;

use fencepost_models::ResourceId;
use fencepost_models::history::Event;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::ledger::Ledger;

/// The clients that want the lock. Within an order, a client waits from its first attempt until it acquires or the order
/// is resolved, also between attempts. Outside orders (a probe), it waits for one attempt.
pub(crate) struct Waiters {
    clients: Vec<NodeId>,
    /// Since when each client waits, if it waits.
    since: Vec<SimTime>,
    /// What each client waits for, if it waits.
    wants: Vec<ResourceId>,
    /// The number of faults on each client.
    faults: Vec<u32>,
    server_faults: u32,
    waiting: u64,
    in_order: u64,
    faulty: u64,
    /// When a fault last began or ended on the servers or on a waiter.
    calm_since: SimTime,
    /// Clients that a fault hindered during their wait.
    excused: u64,
    /// For each waiting client, the number of grants of its resource that went to others since.
    overtaken: Vec<u32>,
    just_ended: Option<Wait>,
}

/// A wait that the latest event ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) since: SimTime,
    pub(crate) in_order: bool,
    /// The number of grants of its resource that went to others.
    pub(crate) overtaken: u32,
    /// A fault hindered the client during it.
    pub(crate) excused: bool,
}

impl Waiters {
    pub(crate) fn new(clients: Vec<NodeId>) -> Self {
        let n = clients.len();
        assert!(n <= 64, "fault events identify clients by a set of 64 bits");
        Waiters {
            since: vec![SimTime::default(); n],
            wants: vec![ResourceId::default(); n],
            faults: vec![0; n],
            clients,
            server_faults: 0,
            waiting: 0,
            in_order: 0,
            faulty: 0,
            calm_since: SimTime::default(),
            excused: 0,
            overtaken: vec![0; n],
            just_ended: None,
        }
    }

    pub(crate) fn observe(&mut self, at: SimTime, event: &Event, ledger: &Ledger) {
        self.just_ended = None;
        if let Some(grant) = ledger.new_grant() {
            self.overtake(ledger.resource_of(grant), ledger.info(grant).client);
        }
        match *event {
            Event::OrderStarted { client, .. } => self.set_in_order(client, true),
            Event::AcquireInvoked { client, resource, .. } => self.begin_wait(at, client, resource),
            Event::Acquired { client, .. } | Event::ClientDone { client } => self.end_wait(client),
            Event::NotAcquired { client, .. } if !self.is_in(self.in_order, client) => self.end_wait(client),
            Event::OrderResolved { client, .. } => {
                self.end_wait(client);
                self.set_in_order(client, false);
            }
            Event::ClientCrashed { client } => {
                if self.is_in(self.waiting, client) {
                    self.calm_since = at;
                }
                self.end_wait(client);
                self.set_in_order(client, false);
            }
            Event::FaultBegan { clients, servers } => self.change_faults(at, clients, servers, |n| n + 1),
            Event::FaultEnded { clients, servers } => self.change_faults(at, clients, servers, |n| n.saturating_sub(1)),
            Event::Healed => self.heal(at),
            _ => {}
        }
    }

    /// Since when a waiter for this resource has waited undisturbed: no fault on it or on the servers, and none that
    /// began or ended on the servers or on any waiter.
    pub(crate) fn qualified_since(&self, resource: ResourceId) -> Option<SimTime> {
        let longest = self.longest_since(self.qualified(), resource)?;
        Some(longest.max(self.calm_since))
    }

    /// Whether a client waits that no fault hinders.
    pub(crate) fn any_qualified(&self) -> bool {
        self.qualified() != 0
    }

    /// Whether a client waits for this resource that no fault hinders.
    pub(crate) fn is_wanted(&self, resource: ResourceId) -> bool {
        bits(self.qualified()).any(|i| self.wants[i] == resource)
    }

    /// The number of clients.
    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The waits that have not ended.
    pub(crate) fn open_waits(&self) -> impl Iterator<Item = Wait> {
        bits(self.waiting).map(|i| self.wait(i))
    }

    /// The start of the longest current wait for this resource, hindered or not.
    pub(crate) fn longest_waiting_for(&self, resource: ResourceId) -> Option<SimTime> {
        self.longest_since(self.waiting, resource)
    }

    /// Since when this client waits for this resource.
    pub(crate) fn waits_for(&self, client: NodeId, resource: ResourceId) -> Option<SimTime> {
        let i = self.index_of(client).filter(|i| has(self.waiting, *i) && self.wants[*i] == resource)?;
        Some(self.since[i])
    }

    /// When a fault last began or ended on the servers or on a waiter.
    pub(crate) fn calm_since(&self) -> SimTime {
        self.calm_since
    }

    /// Whether a fault is on this client or on the servers.
    pub(crate) fn is_hindered(&self, client: NodeId) -> bool {
        self.server_faults > 0 || self.index_of(client).is_some_and(|i| self.faults[i] > 0)
    }

    /// The wait that the latest event ended.
    pub(crate) fn just_ended(&self) -> Option<Wait> {
        self.just_ended
    }

    fn qualified(&self) -> u64 {
        if self.server_faults > 0 { 0 } else { self.waiting & !self.faulty }
    }

    fn longest_since(&self, among: u64, resource: ResourceId) -> Option<SimTime> {
        bits(among).filter(|i| self.wants[*i] == resource).map(|i| self.since[i]).min()
    }

    fn begin_wait(&mut self, at: SimTime, client: NodeId, resource: ResourceId) {
        let Some(i) = self.index_of(client) else { return };
        if !has(self.waiting, i) {
            set_bit(&mut self.waiting, i, true);
            set_bit(&mut self.excused, i, has(self.faulty, i));
            self.since[i] = at;
            self.overtaken[i] = 0;
        }
        self.wants[i] = resource;
    }

    fn end_wait(&mut self, client: NodeId) {
        let Some(i) = self.index_of(client) else { return };
        if has(self.waiting, i) {
            set_bit(&mut self.waiting, i, false);
            self.just_ended = Some(self.wait(i));
        }
    }

    fn wait(&self, i: usize) -> Wait {
        let [in_order, excused] = [self.in_order, self.excused].map(|set| has(set, i));
        Wait { since: self.since[i], in_order, overtaken: self.overtaken[i], excused }
    }

    /// The winner got this resource before all others that want it.
    fn overtake(&mut self, resource: ResourceId, winner: Option<NodeId>) {
        for i in bits(self.waiting).filter(|i| self.wants[*i] == resource && Some(self.clients[*i]) != winner) {
            self.overtaken[i] += 1;
        }
    }

    fn change_faults(&mut self, at: SimTime, clients: u64, servers: bool, change: fn(u32) -> u32) {
        for i in bits(clients).take_while(|i| *i < self.clients.len()) {
            self.faults[i] = change(self.faults[i]);
            set_bit(&mut self.faulty, i, self.faults[i] > 0);
            if has(self.faulty, i) {
                set_bit(&mut self.excused, i, true);
            }
        }
        if servers {
            self.server_faults = change(self.server_faults);
        }
        if servers || clients & self.waiting != 0 {
            self.calm_since = at;
        }
    }

    /// From now on, permanent faults no longer excuse a wait.
    fn heal(&mut self, at: SimTime) {
        self.faults.fill(0);
        self.faulty = 0;
        self.server_faults = 0;
        self.calm_since = at;
    }

    fn set_in_order(&mut self, client: NodeId, is_in: bool) {
        if let Some(i) = self.index_of(client) {
            set_bit(&mut self.in_order, i, is_in);
        }
    }

    fn is_in(&self, set: u64, client: NodeId) -> bool {
        self.index_of(client).is_some_and(|i| has(set, i))
    }

    fn index_of(&self, client: NodeId) -> Option<usize> {
        // Clients are deployed first: usually their index is their number.
        if self.clients.get(client.index()) == Some(&client) {
            return Some(client.index());
        }
        self.clients.iter().position(|c| *c == client)
    }
}

fn has(set: u64, index: usize) -> bool {
    set & (1 << index) != 0
}

fn set_bit(set: &mut u64, index: usize, is_in: bool) {
    if is_in {
        *set |= 1 << index;
    } else {
        *set &= !(1 << index);
    }
}

/// The indices of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (index < 64).then_some(index)
    })
}
