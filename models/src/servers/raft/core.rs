//! The interface of a server to the replicated log, and the interface of the log to the server.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Caller, Message, NodeId, Session};

use super::config::{Config, ReadMode};
use super::machine::{AppliedEntries, GroundTruthLog, Machine};
use super::packet::{Carries, Kind, Origin, Packet, decode, encode};
use super::reads::Reads;
use super::replica::Replica;
use super::watch::Watch;
use crate::wire::Env;

/// The part of a server beside the log: client requests, and the work of the leader. All of it is in memory only.
///
/// Each function may propose, read, reply, push and set timers. Every timer tag except the two highest is
/// free.
pub trait RaftApp: Sized + 'static {
    /// The replicated state.
    type Machine: Machine;
    /// The messages of servers and clients, including the replicas' packets.
    type Message: Message + Carries<Packet<Self::Machine>>;
    /// Identifies who waits for a proposal or a read, such as a [`Caller`]. It never leaves the server.
    type Ticket: 'static;

    /// The process started. The log on its disk is applied afterwards.
    fn on_start(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// A client sent a request.
    fn on_request(
        &mut self,
        env: &mut Env<'_, Self::Message>,
        core: &mut Core<Self>,
        from: Caller,
        message: Self::Message,
    );

    /// Another server sent a message other than a packet of the replicas.
    fn on_peer(
        &mut self,
        _env: &mut Env<'_, Self::Message>,
        _core: &mut Core<Self>,
        _from: NodeId,
        _message: Self::Message,
    ) {
    }

    /// This server applied an entry; `core.machine()` is the state just after it.
    fn on_applied(&mut self, env: &mut Env<'_, Self::Message>, core: &mut Core<Self>, applied: Applied<Self>);

    /// The read may be answered from `core.machine()`.
    fn on_read(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _ticket: Self::Ticket) {}

    /// A proposal or a read failed.
    fn on_failed(
        &mut self,
        env: &mut Env<'_, Self::Message>,
        core: &mut Core<Self>,
        ticket: Self::Ticket,
        error: RequestError,
    );

    /// This server leads now, and has applied all that was acknowledged before.
    fn on_leader(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// This server learnt that it no longer leads, and must drop the state of a leader.
    fn on_deposed(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// This server learnt of another leader, of a new term, or of the loss of its leader.
    fn on_leadership_change(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// This server lagged so far behind that the leader sent it the whole state.
    fn on_restored(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>) {}

    /// A timer with this tag expired.
    fn on_timer(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _tag: u64) {}

    /// A client connected.
    fn on_connect(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _session: Session) {}

    /// A connection closed.
    fn on_disconnect(&mut self, _env: &mut Env<'_, Self::Message>, _core: &mut Core<Self>, _session: Session) {}

    /// The process crashed and must drop its memory. The log is handled elsewhere.
    fn on_crash(&mut self, env: &mut Env<'_, Self::Message>);
}

/// An applied entry.
pub struct Applied<A: RaftApp> {
    /// Its index in the log.
    pub index: u64,
    /// Its command.
    pub command: <A::Machine as Machine>::Command,
    /// The result of the command.
    pub answer: <A::Machine as Machine>::Answer,
    /// The ticket, if this server proposed the command since it last started and has not failed it.
    pub ticket: Option<A::Ticket>,
}

/// Why a proposal or a read failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// There was no leader, and the proposal was not queued: it certainly does not take effect.
    NoLeader,
    /// No answer came in time: a proposal may have taken effect, or may still.
    TimedOut,
}

/// The replicated log, as a server uses it.
pub struct Core<A: RaftApp> {
    pub(super) replica: Replica<A::Machine>,
    config: Config,
    members: Vec<NodeId>,
    me: u8,
    machine: A::Machine,
    applied: u64,
    applied_by_any: AppliedEntries,
    truth: GroundTruthLog,
    pub(super) next_request: u64,
    /// Proposals that this server has not applied, with the tick at which they were made.
    pending: BTreeMap<u64, (A::Ticket, u64)>,
    /// Pending proposals that wait for a leader.
    queued: Vec<(u64, Vec<u8>)>,
    reads: Reads<A::Ticket>,
    confirmed_reads: Vec<A::Ticket>,
    failures: Vec<(A::Ticket, RequestError)>,
    ticks: u64,
    watch: Option<Watch>,
    /// The tick of the leader's last contact to each other replica, and its term.
    contacts: (u64, BTreeMap<u8, u64>),
    is_leader: bool,
    /// Last known leader and term.
    known_leader: (Option<u64>, u64),
}

/// The part of a server's state that never changes.
pub(super) struct Membership {
    pub config: Config,
    pub members: Vec<NodeId>,
    pub me: u8,
    pub applied_by_any: AppliedEntries,
}

impl<A: RaftApp> Core<A> {
    pub(super) fn new(membership: Membership, replica: Replica<A::Machine>, next_request: u64) -> Self {
        let Membership { config, members, me, applied_by_any } = membership;
        let snapshot = replica.newest_snapshot();
        let (machine, applied) = (snapshot.machine.clone_inner(), snapshot.index);
        let truth = GroundTruthLog::new(members[usize::from(me) - 1]);
        let watch = config.watch.map(|watch| Watch::new(watch, config.election, config.heartbeat));
        Core {
            replica,
            config,
            members,
            me,
            machine,
            applied,
            applied_by_any,
            truth,
            next_request,
            pending: BTreeMap::new(),
            queued: Vec::new(),
            reads: Reads::default(),
            confirmed_reads: Vec::new(),
            failures: Vec::new(),
            ticks: 0,
            watch,
            contacts: (0, BTreeMap::new()),
            is_leader: false,
            known_leader: (None, 0),
        }
    }

    /// Proposes a command, through the leader if this server does not lead. The ticket comes back with
    /// [`RaftApp::on_applied`] when this server applies the command, else with [`RaftApp::on_failed`].
    pub fn propose(&mut self, command: &<A::Machine as Machine>::Command, ticket: A::Ticket) {
        let request = self.next_id();
        let data = encode(Origin { server: self.me, request }, command);
        if !self.replica.has_leader() && self.config.queue_without_leader {
            self.queued.push((request, data));
        } else if !self.replica.propose(data) {
            return self.failures.push((ticket, RequestError::NoLeader));
        }
        self.pending.insert(request, (ticket, self.ticks));
    }

    fn propose_queued(&mut self) {
        for (request, data) in std::mem::take(&mut self.queued) {
            if self.pending.contains_key(&request) {
                self.replica.propose(data);
            }
        }
    }

    /// Proposes a command without waiting for its result. Without a leader the command is dropped.
    pub fn submit(&mut self, command: &<A::Machine as Machine>::Command) {
        let request = self.next_id();
        self.replica.propose(encode(Origin { server: self.me, request }, command));
    }

    /// Starts a linearizable read. [`RaftApp::on_read`] gives the ticket back when this server's state includes every
    /// entry acknowledged before now; on failure, [`RaftApp::on_failed`] does.
    pub fn read(&mut self, ticket: A::Ticket) {
        if self.config.reads == ReadMode::Unchecked && self.is_leader {
            self.confirmed_reads.push(ticket);
            return;
        }
        self.reads.wait(ticket, self.ticks);
        self.begin_read_round();
    }

    /// Removes and returns the tickets of all pending proposals and reads. They may still take effect.
    pub fn take_pending(&mut self) -> Vec<A::Ticket> {
        let proposals = std::mem::take(&mut self.pending).into_values().map(|(ticket, _)| ticket);
        proposals.chain(self.reads.take_all()).collect()
    }

    /// Whether this server acts as the leader: it was elected, and has applied the first entry of its term, thus every
    /// acknowledged entry. A deposed leader may not know yet that it was deposed.
    pub fn leads(&self) -> bool {
        self.is_leader
    }

    /// The leader that this server knows of, possibly itself.
    pub fn leader(&self) -> Option<NodeId> {
        self.replica.leader().map(|leader| self.members[leader as usize - 1])
    }

    /// The current term of this server.
    pub fn term(&self) -> u64 {
        self.replica.term()
    }

    /// The replicated state, as far as this server has applied it.
    pub fn machine(&self) -> &A::Machine {
        &self.machine
    }

    /// The index of the last entry that this server has applied.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The servers of the cluster, in order of deployment.
    pub fn members(&self) -> &[NodeId] {
        &self.members
    }

    /// The configuration of the cluster.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn next_id(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    /// Sends the waiting reads to the leader, unless a round is under way.
    fn begin_read_round(&mut self) {
        if self.reads.can_begin() {
            let id = u64::from(self.me) << 56 | self.next_id();
            self.reads.begin(id, self.ticks);
            self.replica.read(id);
        }
    }

    /// Records that a server left the cluster, so its followers replace it. It returns with its next message.
    pub fn mark_gone(&mut self, server: NodeId) {
        let number = self.members.iter().position(|member| *member == server);
        if let (Some(watch), Some(number)) = (&mut self.watch, number) {
            watch.mark_gone(number as u8 + 1);
        }
    }

    /// Checks the leader by the wall clock. Returns the time until the next check.
    pub(super) fn check_silence(&mut self, env: &mut Env<'_, A::Message>) -> Option<Duration> {
        let watch = self.watch.as_mut()?;
        let config = watch.config();
        if !self.replica.leads() && watch.leader_lost(env, self.replica.leader()) {
            self.replica.campaign();
        }
        Some(config.interval + self.replica.draw(config.jitter))
    }

    pub(super) fn tick(&mut self, env: &mut Env<'_, A::Message>) {
        self.ticks += 1;
        match self.watch.as_mut().filter(|_| self.replica.leads()) {
            Some(watch) => {
                let (me, all) = (self.me, 1..=self.members.len() as u8);
                if watch.quorum_lost(env, self.replica.term(), all.filter(|other| *other != me)) {
                    self.replica.step_down();
                } else if watch.heartbeat_due(env) {
                    self.replica.tick();
                }
            }
            None => self.replica.tick(),
        }
        if let Some(lease) = self.config.leader_lease
            && self.replica.leads()
            && self.lease_is_over(self.config.ticks(lease))
        {
            self.replica.step_down();
        }
        let timeout = self.config.ticks(self.config.request_timeout);
        while let Some(oldest) = self.pending.first_entry()
            && self.ticks - oldest.get().1 >= timeout
        {
            self.failures.push((oldest.remove().0, RequestError::TimedOut));
        }
        if self.reads.is_empty() {
            return;
        }
        let (failures, ticks) = (&mut self.failures, self.ticks);
        self.reads.expire(|born| ticks - born >= timeout, |ticket| failures.push((ticket, RequestError::TimedOut)));
        let retry = self.config.ticks(self.config.read_retry);
        if let Some(id) = self.reads.overdue(|sent| ticks - sent >= retry, ticks) {
            self.replica.read(id);
        }
    }

    /// Whether this leader has had no contact to a quorum for longer than `lease` ticks.
    fn lease_is_over(&mut self, lease: u64) -> bool {
        let (term, ticks) = (self.replica.term(), self.ticks);
        let others = (1..=self.members.len() as u8).filter(|other| *other != self.me);
        if std::mem::replace(&mut self.contacts.0, term) != term {
            self.contacts.1 = others.map(|other| (other, ticks)).collect();
            return false;
        }
        let heard = others.filter(|other| self.contacts.1.get(other).is_some_and(|at| ticks - at <= lease)).count();
        2 * (heard + 1) <= self.members.len()
    }

    pub(super) fn step(&mut self, env: &mut Env<'_, A::Message>, packet: Packet<A::Machine>) {
        let term = self.replica.term();
        if matches!(packet.head.kind, Kind::AppendResponse | Kind::HeartbeatResponse) {
            self.contacts.1.insert(packet.head.from, self.ticks);
        }
        if self.watch.as_mut().is_none_or(|watch| watch.received(env, &packet.head, term)) {
            self.replica.step(packet);
        }
    }

    /// Acts on all output of the replica until nothing is left.
    pub(super) fn process_output(&mut self, app: &mut A, env: &mut Env<'_, A::Message>) {
        loop {
            self.replica.process_ready();
            for packet in self.replica.output.packets.drain(..) {
                if let Some(watch) = &mut self.watch {
                    watch.sent(env, &packet.head);
                }
                let to = self.members[usize::from(packet.head.to) - 1];
                env.send(to, A::Message::from(packet));
            }
            let mut busy = self.update_leader(app, env);
            busy |= self.restore(app, env);
            busy |= self.apply(app, env);
            busy |= self.become_leader(app, env);
            busy |= self.finish_requests(app, env);
            if !busy {
                break;
            }
        }
        if self.applied - self.replica.last_compacted() >= self.config.snapshot_every {
            self.replica.compact(self.applied, self.machine.clone());
        }
    }

    fn restore(&mut self, app: &mut A, env: &mut Env<'_, A::Message>) -> bool {
        let Some(snapshot) = self.replica.output.snapshot.take() else { return false };
        (self.machine, self.applied) = (snapshot.machine.clone_inner(), snapshot.index);
        app.on_restored(env, self);
        true
    }

    fn apply(&mut self, app: &mut A, env: &mut Env<'_, A::Message>) -> bool {
        let mut busy = false;
        while let Some(entry) = self.replica.output.entries.pop_front() {
            busy = true;
            (self.applied, self.truth.is_first) = (entry.index, self.applied_by_any.record(entry.index, entry.term));
            let Some((origin, command)) = decode(&entry) else { continue };
            let answer = self.machine.apply(&mut self.truth, entry.index, &command);
            self.truth.notes.drain(..).for_each(|note| env.note(note));
            let own = origin.server == self.me;
            let ticket = own.then(|| self.pending.remove(&origin.request)).flatten().map(|(ticket, _)| ticket);
            app.on_applied(env, self, Applied { index: entry.index, command, answer, ticket });
        }
        busy
    }

    /// Handles a change of leader or term. Returns whether this server was deposed.
    fn update_leader(&mut self, app: &mut A, env: &mut Env<'_, A::Message>) -> bool {
        let known = (self.replica.leader(), self.replica.term());
        let changed = known != self.known_leader;
        let deposed = self.is_leader && (!self.replica.leads() || known.1 != self.known_leader.1);
        self.known_leader = known;
        if deposed {
            self.is_leader = false;
            env.lead(false);
            app.on_deposed(env, self);
        }
        if changed {
            app.on_leadership_change(env, self);
        }
        if changed && known.0.is_some() {
            self.propose_queued();
            self.resend_read();
        }
        deposed
    }

    fn become_leader(&mut self, app: &mut A, env: &mut Env<'_, A::Message>) -> bool {
        if self.is_leader || !self.replica.leads() || !self.replica.is_of_current_term(self.applied) {
            return false;
        }
        self.is_leader = true;
        env.lead(true);
        self.resend_read();
        app.on_leader(env, self);
        true
    }

    /// A new leader does not know the reads that were sent to the old one.
    fn resend_read(&mut self) {
        let ticks = self.ticks;
        if let Some(id) = self.reads.overdue(|_| true, ticks) {
            self.replica.read(id);
        }
    }

    fn finish_requests(&mut self, app: &mut A, env: &mut Env<'_, A::Message>) -> bool {
        for (id, index) in self.replica.output.reads.drain(..) {
            self.reads.confirm(id, index);
        }
        let mut busy = false;
        if let Some(answered) = self.reads.finish(self.applied) {
            busy = true;
            self.confirmed_reads.extend(answered);
            self.begin_read_round();
        }
        for ticket in std::mem::take(&mut self.confirmed_reads) {
            busy = true;
            app.on_read(env, self, ticket);
        }
        for (ticket, error) in std::mem::take(&mut self.failures) {
            busy = true;
            app.on_failed(env, self, ticket, error);
        }
        busy
    }
}
