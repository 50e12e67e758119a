//! A server's share of the cluster: what it may ask of the replicated log, and how the answers come back.

use std::collections::BTreeMap;

use fencepost_sim::NodeId;

use super::config::{Config, ReadMode};
use super::machine::{Lineage, Machine, Truth};
use super::packet::{Origin, Packet, decode, encode};
use super::reads::Reads;
use super::replica::Replica;
use super::server::{Applied, Duties, Loss};
use crate::wire::Env;

/// The replicated log, as a server sees it.
pub struct Core<D: Duties> {
    pub(super) replica: Replica<D::Machine>,
    config: Config,
    members: Vec<NodeId>,
    me: u8,
    machine: D::Machine,
    applied: u64,
    lineage: Lineage,
    truth: Truth,
    pub(super) next_request: u64,
    /// Proposals that have not been applied here, and the tick at which they were made.
    pending: BTreeMap<u64, (D::Ticket, u64)>,
    /// Those of them that wait for a leader.
    held: Vec<(u64, Vec<u8>)>,
    reads: Reads<D::Ticket>,
    answers: Vec<D::Ticket>,
    losses: Vec<(D::Ticket, Loss)>,
    ticks: u64,
    acts: bool,
    /// Leader and term, to see when they change.
    known: (Option<u64>, u64),
}

/// What does not change while a server runs.
pub(super) struct Place {
    pub config: Config,
    pub members: Vec<NodeId>,
    pub me: u8,
    pub lineage: Lineage,
}

impl<D: Duties> Core<D> {
    pub(super) fn new(place: Place, replica: Replica<D::Machine>, next_request: u64) -> Self {
        let Place { config, members, me, lineage } = place;
        let snapshot = replica.newest_snapshot();
        let (machine, applied) = (snapshot.machine.clone_inner(), snapshot.index);
        let truth = Truth::new(members[usize::from(me) - 1]);
        Core {
            replica,
            config,
            members,
            me,
            machine,
            applied,
            lineage,
            truth,
            next_request,
            pending: BTreeMap::new(),
            held: Vec::new(),
            reads: Reads::default(),
            answers: Vec::new(),
            losses: Vec::new(),
            ticks: 0,
            acts: false,
            known: (None, 0),
        }
    }

    /// Proposes a command, through the leader if this server does not lead. When this server applies it, the ticket comes
    /// back with [`Duties::on_applied`]; or it comes back with [`Duties::on_lost`].
    pub fn propose(&mut self, command: &<D::Machine as Machine>::Command, ticket: D::Ticket) {
        let request = self.next();
        let data = encode(Origin { server: self.me, request }, command);
        if !self.replica.has_leader() && self.config.holds {
            self.held.push((request, data));
        } else if !self.replica.propose(data) {
            return self.losses.push((ticket, Loss::NoLeader));
        }
        self.pending.insert(request, (ticket, self.ticks));
    }

    fn propose_held(&mut self) {
        for (request, data) in std::mem::take(&mut self.held) {
            if self.pending.contains_key(&request) {
                self.replica.propose(data);
            }
        }
    }

    /// Proposes a command whose outcome nobody here waits for. Without a leader it is dropped.
    pub fn submit(&mut self, command: &<D::Machine as Machine>::Command) {
        let request = self.next();
        self.replica.propose(encode(Origin { server: self.me, request }, command));
    }

    /// Asks for a linearizable read. [`Duties::on_read`] gives the ticket back when this server's machine has seen all
    /// that was acknowledged before now; or it comes back with [`Duties::on_lost`].
    pub fn read(&mut self, ticket: D::Ticket) {
        if self.config.reads == ReadMode::Unchecked && self.acts {
            self.answers.push(ticket);
            return;
        }
        self.reads.wait(ticket, self.ticks);
        self.ask();
    }

    /// Takes back all proposals and reads that are waited for. They may still take effect.
    pub fn take_pending(&mut self) -> Vec<D::Ticket> {
        let proposals = std::mem::take(&mut self.pending).into_values().map(|(ticket, _)| ticket);
        proposals.chain(self.reads.take_all()).collect()
    }

    /// Whether this server acts as the leader: it was elected, and has applied the first entry of its term and so all
    /// that any leader before it has acknowledged. A deposed leader does not know yet that it is one.
    pub fn leads(&self) -> bool {
        self.acts
    }

    /// The leader that this server knows of, itself perhaps.
    pub fn leader(&self) -> Option<NodeId> {
        self.replica.leader().map(|leader| self.members[leader as usize - 1])
    }

    /// Its term.
    pub fn term(&self) -> u64 {
        self.replica.term()
    }

    /// The replicated state as far as this server has applied it.
    pub fn machine(&self) -> &D::Machine {
        &self.machine
    }

    /// The index of the last entry that this server has applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The servers of the cluster, in the order of deployment.
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// How the cluster is set up.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn next(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    /// Sends the reads that wait on their way, unless others still are.
    fn ask(&mut self) {
        if self.reads.may_begin() {
            let id = u64::from(self.me) << 56 | self.next();
            self.reads.begin(id, self.ticks);
            self.replica.read(id);
        }
    }

    pub(super) fn tick(&mut self) {
        self.ticks += 1;
        self.replica.tick();
        let give_up = self.config.ticks(self.config.give_up);
        while let Some(oldest) = self.pending.first_entry()
            && self.ticks - oldest.get().1 >= give_up
        {
            self.losses.push((oldest.remove().0, Loss::TimedOut));
        }
        if self.reads.idle() {
            return;
        }
        let (losses, ticks) = (&mut self.losses, self.ticks);
        self.reads.expire(|born| ticks - born >= give_up, |ticket| losses.push((ticket, Loss::TimedOut)));
        let retry = self.config.ticks(self.config.read_retry);
        if let Some(id) = self.reads.overdue(|sent| ticks - sent >= retry, ticks) {
            self.replica.read(id);
        }
    }

    pub(super) fn step(&mut self, packet: Packet<D::Machine>) {
        self.replica.step(packet);
    }

    /// Acts on all that the last input led to.
    pub(super) fn work(&mut self, duties: &mut D, env: &mut Env<'_, D::Message>) {
        loop {
            self.replica.settle();
            for packet in self.replica.output.packets.drain(..) {
                let to = self.members[usize::from(packet.head.to) - 1];
                env.send(to, D::Message::from(packet));
            }
            let mut busy = self.leave_office(duties, env);
            busy |= self.restore(duties, env);
            busy |= self.apply(duties, env);
            busy |= self.take_office(duties, env);
            busy |= self.answer(duties, env);
            if !busy {
                break;
            }
        }
        if self.applied - self.replica.last_compacted() >= self.config.snapshot_every {
            self.replica.compact(self.applied, self.machine.clone());
        }
    }

    fn restore(&mut self, duties: &mut D, env: &mut Env<'_, D::Message>) -> bool {
        let Some(snapshot) = self.replica.output.snapshot.take() else { return false };
        (self.machine, self.applied) = (snapshot.machine.clone_inner(), snapshot.index);
        duties.on_restored(env, self);
        true
    }

    fn apply(&mut self, duties: &mut D, env: &mut Env<'_, D::Message>) -> bool {
        let mut busy = false;
        while let Some(entry) = self.replica.output.entries.pop_front() {
            busy = true;
            (self.applied, self.truth.first) = (entry.index, self.lineage.first(entry.index, entry.term));
            let Some((origin, command)) = decode(&entry) else { continue };
            let answer = self.machine.apply(&mut self.truth, entry.index, &command);
            self.truth.notes.drain(..).for_each(|note| env.note(note));
            let own = origin.server == self.me;
            let ticket = own.then(|| self.pending.remove(&origin.request)).flatten().map(|(ticket, _)| ticket);
            duties.on_applied(env, self, Applied { index: entry.index, command, answer, ticket });
        }
        busy
    }

    fn leave_office(&mut self, duties: &mut D, env: &mut Env<'_, D::Message>) -> bool {
        let known = (self.replica.leader(), self.replica.term());
        let news = known != self.known;
        let deposed = self.acts && (!self.replica.leads() || known.1 != self.known.1);
        self.known = known;
        if deposed {
            self.acts = false;
            env.lead(false);
            duties.on_deposed(env, self);
        }
        if news {
            duties.on_news(env, self);
        }
        if news && known.0.is_some() {
            self.propose_held();
            self.ask_again();
        }
        deposed
    }

    fn take_office(&mut self, duties: &mut D, env: &mut Env<'_, D::Message>) -> bool {
        if self.acts || !self.replica.leads() || !self.replica.is_of_this_term(self.applied) {
            return false;
        }
        self.acts = true;
        env.lead(true);
        self.ask_again();
        duties.on_leader(env, self);
        true
    }

    /// A new leader knows nothing of the reads that the old one was asked for.
    fn ask_again(&mut self) {
        let ticks = self.ticks;
        if let Some(id) = self.reads.overdue(|_| true, ticks) {
            self.replica.read(id);
        }
    }

    fn answer(&mut self, duties: &mut D, env: &mut Env<'_, D::Message>) -> bool {
        for (id, index) in self.replica.output.reads.drain(..) {
            self.reads.confirm(id, index);
        }
        let mut busy = false;
        if let Some(answered) = self.reads.end(self.applied) {
            busy = true;
            self.answers.extend(answered);
            self.ask();
        }
        for ticket in std::mem::take(&mut self.answers) {
            busy = true;
            duties.on_read(env, self, ticket);
        }
        for (ticket, loss) in std::mem::take(&mut self.losses) {
            busy = true;
            duties.on_lost(env, self, ticket, loss);
        }
        busy
    }
}
