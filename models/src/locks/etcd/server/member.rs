//! One member of an etcd cluster, beside the log.

use std::time::Duration;

use fencepost_sim::{Caller, Mono, NodeId, Session, TimerId};

use super::keyspace::{Command, Key, Keyspace, LeaseId, Revision};
use super::lessor::{LOOP, Lessor, Renewal};
use super::message::EtcdMessage;
use super::renewals::{RETRY, Renewals, Requester};
use crate::history::{Event, GrantId, ResourceId};
use crate::servers::raft::{Applied, Core, RaftApp, RequestError};
use crate::wire::Env;

/// The configuration of a member.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The shortest lease, whatever was requested.
    pub least_seconds: u64,
    /// Proposes revocations without checking that this member still leads: a bug.
    pub stuck_leader: bool,
}

/// A member.
pub struct Member {
    settings: Settings,
    /// Its number in the cluster, from 1.
    number: u64,
    /// The number of leases it has created. Real IDs start with the time, and so never repeat either.
    numbered: u64,
    lessor: Lessor,
    /// The time and the timer of the lessor's next turn.
    turn: Option<(Mono, TimerId)>,
    watches: Vec<Watch>,
    /// Renewals of expired leases, which wait for the revocation.
    blocked: Vec<(LeaseId, Requester)>,
    renewals: Renewals,
    /// Whether the timer of the renewals is set.
    retries: bool,
    /// Revocations that wait for a stuck raft loop.
    stuck: Vec<LeaseId>,
}

struct Watch {
    from: Caller,
    key: Key,
    since: Revision,
}

/// The purpose of a proposal or a read.
pub enum Ticket {
    /// A client's proposal.
    Propose(Caller),
    /// A client's read.
    Read(Caller, Read),
    /// A check that this member still leads, so that it may revoke these.
    Revoke(Vec<LeaseId>),
}

/// A client's read.
pub enum Read {
    /// [`EtcdMessage::Before`].
    Before(ResourceId, Revision),
    /// [`EtcdMessage::Get`].
    Get(Key),
    /// [`EtcdMessage::GetRow`].
    Row(GrantId),
}

const TURN: u64 = 0;
const RENEWALS: u64 = 1;
const UNSTUCK: u64 = 2;

type MemberEnv<'a> = Env<'a, EtcdMessage>;

impl Member {
    /// The n-th member, from 1.
    pub fn new(settings: Settings, number: u64) -> Self {
        Member {
            settings,
            number,
            numbered: 0,
            lessor: Lessor::default(),
            turn: None,
            watches: Vec::new(),
            blocked: Vec::new(),
            renewals: Renewals::default(),
            retries: false,
            stuck: Vec::new(),
        }
    }

    fn grant_lease(&mut self, seconds: u64) -> Command {
        self.numbered += 1;
        let lease = LeaseId(self.number << 32 | self.numbered);
        Command::GrantLease { lease, seconds: seconds.max(self.settings.least_seconds) }
    }

    /// Renews a lease, which only the leader can do.
    fn renew(&mut self, env: &mut MemberEnv<'_>, lease: LeaseId, requester: Requester) {
        if !self.lessor.primary() {
            return self.forward_renewal(env, lease, requester);
        }
        match self.lessor.renew(env, lease) {
            Renewal::Alive(seconds) => requester.answer(env, seconds),
            Renewal::Gone => requester.answer(env, 0),
            Renewal::Expired => self.blocked.push((lease, requester)),
        }
    }

    fn forward_renewal(&mut self, env: &mut MemberEnv<'_>, lease: LeaseId, requester: Requester) {
        match requester {
            Requester::Member(member, number) => env.send(member, EtcdMessage::Renewed { number, seconds: None }),
            Requester::Client(from) => {
                self.renewals.add(from, lease, env.mono());
                if !std::mem::replace(&mut self.retries, true) {
                    env.set_timer(Duration::ZERO, RENEWALS);
                }
            }
        }
    }

    fn retry_renewals(&mut self, env: &mut MemberEnv<'_>, core: &Core<Self>) {
        if self.lessor.primary() {
            for waiting in self.renewals.take_all() {
                self.renew(env, waiting.lease, Requester::Client(waiting.from));
            }
        }
        self.renewals.forward(env, core.leader(), core.config().request_timeout);
        self.retries = !self.renewals.is_empty();
        if self.retries {
            env.set_timer(RETRY, RENEWALS);
        }
    }

    /// The lessor's turn. A leader that was stuck makes sure that it still leads before it revokes (`ensureLeadership`,
    /// etcd-io/etcd#16822). It trusts a tick less than three heartbeats ago, and asks a quorum otherwise.
    ///
    /// A pause stops the lessor and the raft loop together here, and the lessor runs first afterwards. The fix has a
    /// gap if the raft loop ticks first, which is not modelled.
    fn take_turn(&mut self, env: &mut MemberEnv<'_>, core: &mut Core<Self>) {
        let due = self.turn.map_or(env.mono(), |(due, _)| due);
        let late = env.mono() - due;
        self.schedule_turn(env);
        let expired = self.lessor.expired(env);
        if expired.is_empty() {
            return;
        }
        if self.settings.stuck_leader {
            self.revoke_when_unstuck(env, expired);
        } else if late > 3 * core.config().heartbeat {
            core.read(Ticket::Revoke(expired));
        } else {
            revoke(core, &expired);
        }
    }

    /// Proposes revocations after everything that waits for the raft loop. If that deposes this member, raft forwards
    /// them to the new leader, which takes them for a follower's proposals.
    fn revoke_when_unstuck(&mut self, env: &mut MemberEnv<'_>, expired: Vec<LeaseId>) {
        self.stuck.extend(expired);
        env.set_timer(Duration::ZERO, UNSTUCK);
    }

    fn schedule_turn(&mut self, env: &mut MemberEnv<'_>) {
        self.turn = Some((env.mono() + LOOP, env.set_timer(LOOP, TURN)));
    }

    fn cancel_turn(&mut self, env: &mut MemberEnv<'_>) {
        if let Some((_, timer)) = self.turn.take() {
            env.cancel_timer(timer);
        }
    }

    fn notify_watches(&mut self, env: &mut MemberEnv<'_>, core: &Core<Self>) {
        let revision = core.machine().revision();
        self.watches.retain(|watch| {
            let deleted = core.machine().deleted_since(watch.key, watch.since);
            if deleted {
                env.reply(watch.from, EtcdMessage::Found { key: None, revision });
            }
            !deleted
        });
    }

    fn read(&mut self, env: &mut MemberEnv<'_>, machine: &Keyspace, from: Caller, read: &Read) {
        let revision = machine.revision();
        let reply = match *read {
            Read::Before(resource, most) => EtcdMessage::Found { key: machine.last_before(resource, most), revision },
            Read::Get(key) => EtcdMessage::Found { key: machine.find(key), revision },
            Read::Row(grant) => {
                env.note(Event::ReadAccepted { grant, version: machine.row().version });
                EtcdMessage::Row(machine.row())
            }
        };
        env.reply(from, reply);
    }
}

fn revoke(core: &mut Core<Member>, leases: &[LeaseId]) {
    for lease in leases {
        core.submit(&Command::RevokeLease { lease: *lease });
    }
}

impl RaftApp for Member {
    type Machine = Keyspace;
    type Message = EtcdMessage;
    type Ticket = Ticket;

    fn on_request(&mut self, env: &mut MemberEnv<'_>, core: &mut Core<Self>, from: Caller, message: EtcdMessage) {
        match message {
            EtcdMessage::GrantLease { seconds } => core.propose(&self.grant_lease(seconds), Ticket::Propose(from)),
            EtcdMessage::KeepAlive { lease } => self.renew(env, lease, Requester::Client(from)),
            EtcdMessage::Lock { key, attempt } => {
                core.propose(&Command::Lock { key, attempt }, Ticket::Propose(from));
            }
            EtcdMessage::Unlock { key, on_behalf } => {
                core.propose(&Command::Unlock { key, on_behalf }, Ticket::Propose(from));
            }
            EtcdMessage::PutRow { key, created, write } => {
                core.propose(&Command::PutRow { key, created, write }, Ticket::Propose(from));
            }
            EtcdMessage::Before { resource, most } => core.read(Ticket::Read(from, Read::Before(resource, most))),
            EtcdMessage::Get { key } => core.read(Ticket::Read(from, Read::Get(key))),
            EtcdMessage::GetRow { grant, .. } => core.read(Ticket::Read(from, Read::Row(grant))),
            EtcdMessage::Watch { key, from: since } => {
                self.watches.push(Watch { from, key, since });
                self.notify_watches(env, core);
            }
            EtcdMessage::Ping => env.reply(from, EtcdMessage::Pong),
            _ => {}
        }
    }

    fn on_peer(&mut self, env: &mut MemberEnv<'_>, _: &mut Core<Self>, from: NodeId, message: EtcdMessage) {
        match message {
            EtcdMessage::Renew { lease, number } => self.renew(env, lease, Requester::Member(from, number)),
            EtcdMessage::Renewed { number, seconds } => self.renewals.on_answer(env, number, seconds),
            _ => {}
        }
    }

    fn on_applied(&mut self, env: &mut MemberEnv<'_>, core: &mut Core<Self>, applied: Applied<Self>) {
        match applied.command {
            Command::GrantLease { lease, seconds } => self.lessor.grant(env, lease, seconds),
            Command::RevokeLease { lease } => {
                self.lessor.revoke(lease);
                for (_, requester) in self.blocked.extract_if(.., |(blocked, _)| *blocked == lease) {
                    requester.answer(env, 0);
                }
            }
            _ => {}
        }
        if let Some(Ticket::Propose(from)) = applied.ticket {
            env.reply(from, EtcdMessage::from(applied.answer));
        }
        self.notify_watches(env, core);
    }

    fn on_read(&mut self, env: &mut MemberEnv<'_>, core: &mut Core<Self>, ticket: Ticket) {
        match ticket {
            Ticket::Read(from, read) => self.read(env, core.machine(), from, &read),
            Ticket::Revoke(leases) if core.leader() == Some(env.node()) => revoke(core, &leases),
            Ticket::Revoke(_) | Ticket::Propose(..) => {}
        }
    }

    fn on_failed(&mut self, env: &mut MemberEnv<'_>, _: &mut Core<Self>, ticket: Ticket, _: RequestError) {
        if let Ticket::Propose(from) | Ticket::Read(from, _) = ticket {
            env.reply(from, EtcdMessage::Unavailable);
        }
    }

    fn on_leader(&mut self, env: &mut MemberEnv<'_>, core: &mut Core<Self>) {
        self.lessor.promote(env, core.machine().leases(), core.config().election);
        self.cancel_turn(env);
        self.schedule_turn(env);
    }

    fn on_deposed(&mut self, env: &mut MemberEnv<'_>, _: &mut Core<Self>) {
        if self.settings.stuck_leader {
            // The lessor had its turns while the raft loop was stuck.
            let expired = self.lessor.expired(env);
            self.revoke_when_unstuck(env, expired);
        }
        self.lessor.demote();
        self.cancel_turn(env);
        for (lease, requester) in std::mem::take(&mut self.blocked) {
            self.forward_renewal(env, lease, requester);
        }
    }

    fn on_restored(&mut self, env: &mut MemberEnv<'_>, core: &mut Core<Self>) {
        self.notify_watches(env, core);
    }

    fn on_timer(&mut self, env: &mut MemberEnv<'_>, core: &mut Core<Self>, tag: u64) {
        match tag {
            TURN => self.take_turn(env, core),
            RENEWALS => self.retry_renewals(env, core),
            UNSTUCK => revoke(core, &std::mem::take(&mut self.stuck)),
            _ => {}
        }
    }

    fn on_disconnect(&mut self, _: &mut MemberEnv<'_>, _: &mut Core<Self>, session: Session) {
        self.watches.retain(|watch| watch.from.session() != session);
        self.renewals.remove(session);
        self.blocked
            .retain(|(_, requester)| !matches!(requester, Requester::Client(from) if from.session() == session));
    }

    fn on_crash(&mut self, _: &mut MemberEnv<'_>) {
        *self = Member { numbered: self.numbered, ..Member::new(self.settings, self.number) };
    }
}
