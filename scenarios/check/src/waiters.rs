//! The clients that want the lock, and the faults that affect them.

#[cfg(test)]
mod tests;

use fencepost_models::ResourceId;
use fencepost_models::history::Event;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::ledger::Ledger;

/// The clients that want the lock. Within an order, a client waits from its first attempt until it acquires or the
/// order is resolved, including the time between attempts. Outside orders (a probe), it waits only during one attempt.
pub(crate) struct Waiters {
    clients: Vec<NodeId>,
    /// When the wait of each waiting client began.
    since: Vec<SimTime>,
    /// The resource that each waiting client wants.
    wants: Vec<ResourceId>,
    /// The number of active faults on each client.
    faults: Vec<u32>,
    server_faults: u32,
    waiting: u64,
    in_order: u64,
    faulty: u64,
    /// When a fault last began or ended on the servers or on a waiter.
    calm_since: SimTime,
    /// Clients that a fault affected during their wait.
    excused: u64,
    /// For each waiting client, the number of grants of its resource to other clients since its wait began.
    overtaken: Vec<u32>,
    just_ended: Option<Wait>,
}

/// A wait that the latest event ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) since: SimTime,
    pub(crate) in_order: bool,
    /// The number of grants of the resource to other clients during the wait.
    pub(crate) overtaken: u32,
    /// Whether a fault affected the client during the wait.
    pub(crate) excused: bool,
}

impl Waiters {
    pub(crate) fn new(clients: Vec<NodeId>) -> Self {
        let n = clients.len();
        assert!(n <= 64, "fault events identify clients by a 64-bit set");
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

    /// Returns the time since which a waiter for this resource has waited undisturbed: no fault affects it or the
    /// servers, and no fault began or ended on the servers or on any waiter.
    pub(crate) fn qualified_since(&self, resource: ResourceId) -> Option<SimTime> {
        let longest = self.longest_since(self.qualified(), resource)?;
        Some(longest.max(self.calm_since))
    }

    /// Returns whether any client that no fault affects is waiting.
    pub(crate) fn any_qualified(&self) -> bool {
        self.qualified() != 0
    }

    /// Returns whether any client that no fault affects is waiting for this resource.
    pub(crate) fn is_wanted(&self, resource: ResourceId) -> bool {
        bits(self.qualified()).any(|i| self.wants[i] == resource)
    }

    /// Returns the number of clients.
    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Returns the waits that have not ended.
    pub(crate) fn open_waits(&self) -> impl Iterator<Item = Wait> {
        bits(self.waiting).map(|i| self.wait(i))
    }

    /// Returns the start of the longest current wait for this resource, whether or not a fault affects the waiter.
    pub(crate) fn longest_waiting_for(&self, resource: ResourceId) -> Option<SimTime> {
        self.longest_since(self.waiting, resource)
    }

    /// Returns the start of the client's wait for this resource, or `None` if it is not waiting for it.
    pub(crate) fn waits_for(&self, client: NodeId, resource: ResourceId) -> Option<SimTime> {
        let i = self.index_of(client).filter(|i| has(self.waiting, *i) && self.wants[*i] == resource)?;
        Some(self.since[i])
    }

    /// Returns when a fault last began or ended on the servers or on a waiter.
    pub(crate) fn calm_since(&self) -> SimTime {
        self.calm_since
    }

    /// Returns whether a fault affects this client or the servers.
    pub(crate) fn is_affected(&self, client: NodeId) -> bool {
        self.server_faults > 0 || self.index_of(client).is_some_and(|i| self.faults[i] > 0)
    }

    /// Returns the wait that the latest event ended, if any.
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

    /// Counts a grant of this resource to `winner` for all other clients that wait for it.
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

    /// Ends all faults. Permanent faults no longer excuse waits after healing.
    fn heal(&mut self, at: SimTime) {
        self.faults.fill(0);
        self.faulty = 0;
        self.server_faults = 0;
        self.calm_since = at;
    }

    fn set_in_order(&mut self, client: NodeId, value: bool) {
        if let Some(i) = self.index_of(client) {
            set_bit(&mut self.in_order, i, value);
        }
    }

    fn is_in(&self, set: u64, client: NodeId) -> bool {
        self.index_of(client).is_some_and(|i| has(set, i))
    }

    fn index_of(&self, client: NodeId) -> Option<usize> {
        // Clients are deployed first, so their index usually equals their node number.
        if self.clients.get(client.index()) == Some(&client) {
            return Some(client.index());
        }
        self.clients.iter().position(|c| *c == client)
    }
}

fn has(set: u64, index: usize) -> bool {
    set & (1 << index) != 0
}

fn set_bit(set: &mut u64, index: usize, value: bool) {
    if value {
        *set |= 1 << index;
    } else {
        *set &= !(1 << index);
    }
}

/// Returns the indices of the bits that are set, in ascending order.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (index < 64).then_some(index)
    })
}
