//! Who wants the lock, and who of them could get it as far as faults are concerned.

#[cfg(test)]
mod tests;

use fencepost_models::ResourceId;
use fencepost_models::history::Event;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::ledger::Ledger;

/// The clients that want the lock. A client waits from the first attempt of an order until it acquires or the order
/// is resolved, between its attempts too; outside orders (a probe) it waits for one attempt.
pub(crate) struct Waiters {
    clients: Vec<NodeId>,
    /// Since when each client waits, if it does.
    since: Vec<SimTime>,
    /// For what each client waits, if it does.
    wants: Vec<ResourceId>,
    /// How many faults are on each client.
    faults: Vec<u32>,
    server_faults: u32,
    waiting: u64,
    in_order: u64,
    faulty: u64,
    /// When a fault last began or ended on the servers or on a waiter.
    calm_since: SimTime,
    /// Clients that a fault hindered while they waited.
    excused: u64,
    /// How many grants of what each client waits for went to others since.
    overtaken: Vec<u32>,
    just_ended: Option<Wait>,
}

/// A wait that the latest event ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(crate) since: SimTime,
    pub(crate) in_order: bool,
    /// How often others got what it waited for.
    pub(crate) overtaken: u32,
    /// A fault hindered it for some of the time.
    pub(crate) excused: bool,
}

impl Waiters {
    pub(crate) fn new(clients: Vec<NodeId>) -> Self {
        let n = clients.len();
        assert!(n <= 64, "faults name clients by a set of 64 bits");
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
            Event::OrderStarted { client, .. } => self.put_in_order(client, true),
            Event::AcquireInvoked { client, resource, .. } => self.begin_wait(at, client, resource),
            Event::Acquired { client, .. } | Event::ClientDone { client } => self.end_wait(client),
            Event::NotAcquired { client, .. } if !self.is_in(self.in_order, client) => self.end_wait(client),
            Event::OrderResolved { client, .. } => {
                self.end_wait(client);
                self.put_in_order(client, false);
            }
            Event::ClientCrashed { client } => {
                if self.is_in(self.waiting, client) {
                    self.calm_since = at;
                }
                self.end_wait(client);
                self.put_in_order(client, false);
            }
            Event::FaultBegan { clients, servers } => self.change_faults(at, clients, servers, |n| n + 1),
            Event::FaultEnded { clients, servers } => self.change_faults(at, clients, servers, |n| n.saturating_sub(1)),
            Event::Healed => self.heal(at),
            _ => {}
        }
    }

    /// Since when a waiter for this resource whom no fault hinders has been waiting with nothing in its way: no fault on
    /// the servers, and none that began or ended on them or on any waiter.
    pub(crate) fn qualified_since(&self, resource: ResourceId) -> Option<SimTime> {
        let longest = self.longest_since(self.qualified(), resource)?;
        Some(longest.max(self.calm_since))
    }

    /// Whether somebody waits who could acquire, as far as faults are concerned.
    pub(crate) fn any_qualified(&self) -> bool {
        self.qualified() != 0
    }

    /// Whether somebody waits for this resource who could acquire it, as far as faults are concerned.
    pub(crate) fn is_wanted(&self, resource: ResourceId) -> bool {
        bits(self.qualified()).any(|i| self.wants[i] == resource)
    }

    /// How many clients there are.
    pub(crate) fn clients(&self) -> usize {
        self.clients.len()
    }

    /// The waits that are still on.
    pub(crate) fn open_waits(&self) -> impl Iterator<Item = Wait> {
        bits(self.waiting).map(|i| self.wait(i))
    }

    /// Since when the client waits that has waited longest for this resource, fault or no fault.
    pub(crate) fn longest_waiting_for(&self, resource: ResourceId) -> Option<SimTime> {
        self.longest_since(self.waiting, resource)
    }

    /// Since when this client waits for this resource.
    pub(crate) fn waits_for(&self, client: NodeId, resource: ResourceId) -> Option<SimTime> {
        let i = self.place(client).filter(|i| has(self.waiting, *i) && self.wants[*i] == resource)?;
        Some(self.since[i])
    }

    /// When a fault last began or ended on the servers or on a waiter.
    pub(crate) fn calm_since(&self) -> SimTime {
        self.calm_since
    }

    /// Whether a fault is on this client or on the servers.
    pub(crate) fn is_hindered(&self, client: NodeId) -> bool {
        self.server_faults > 0 || self.place(client).is_some_and(|i| self.faults[i] > 0)
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
        let Some(i) = self.place(client) else { return };
        if !has(self.waiting, i) {
            put(&mut self.waiting, i, true);
            put(&mut self.excused, i, has(self.faulty, i));
            self.since[i] = at;
            self.overtaken[i] = 0;
        }
        self.wants[i] = resource;
    }

    fn end_wait(&mut self, client: NodeId) {
        let Some(i) = self.place(client) else { return };
        if has(self.waiting, i) {
            put(&mut self.waiting, i, false);
            self.just_ended = Some(self.wait(i));
        }
    }

    fn wait(&self, i: usize) -> Wait {
        let [in_order, excused] = [self.in_order, self.excused].map(|set| has(set, i));
        Wait { since: self.since[i], in_order, overtaken: self.overtaken[i], excused }
    }

    /// Somebody got this resource, before all others that want it.
    fn overtake(&mut self, resource: ResourceId, winner: Option<NodeId>) {
        for i in bits(self.waiting).filter(|i| self.wants[*i] == resource && Some(self.clients[*i]) != winner) {
            self.overtaken[i] += 1;
        }
    }

    fn change_faults(&mut self, at: SimTime, clients: u64, servers: bool, change: fn(u32) -> u32) {
        for i in bits(clients).take_while(|i| *i < self.clients.len()) {
            self.faults[i] = change(self.faults[i]);
            put(&mut self.faulty, i, self.faults[i] > 0);
            if has(self.faulty, i) {
                put(&mut self.excused, i, true);
            }
        }
        if servers {
            self.server_faults = change(self.server_faults);
        }
        if servers || clients & self.waiting != 0 {
            self.calm_since = at;
        }
    }

    /// Nothing more will be healed: a permanent fault no longer excuses anything either.
    fn heal(&mut self, at: SimTime) {
        self.faults.fill(0);
        self.faulty = 0;
        self.server_faults = 0;
        self.calm_since = at;
    }

    fn put_in_order(&mut self, client: NodeId, is_in: bool) {
        if let Some(i) = self.place(client) {
            put(&mut self.in_order, i, is_in);
        }
    }

    fn is_in(&self, set: u64, client: NodeId) -> bool {
        self.place(client).is_some_and(|i| has(set, i))
    }

    fn place(&self, client: NodeId) -> Option<usize> {
        // Clients are deployed first, so that most often their place is their number.
        if self.clients.get(client.index()) == Some(&client) {
            return Some(client.index());
        }
        self.clients.iter().position(|c| *c == client)
    }
}

fn has(set: u64, place: usize) -> bool {
    set & (1 << place) != 0
}

fn put(set: &mut u64, place: usize, is_in: bool) {
    if is_in {
        *set |= 1 << place;
    } else {
        *set &= !(1 << place);
    }
}

/// The places of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (place < 64).then_some(place)
    })
}
