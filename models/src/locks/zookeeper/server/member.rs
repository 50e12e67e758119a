//! A member of the ensemble: its clients' connections, and its work as the leader.

use std::collections::BTreeSet;
use std::time::Duration;

use fencepost_sim::{Caller, NodeId, Session};

use super::connections::Connections;
use super::tracker::{Tracker, until_next};
use super::tree::{Change, Outcome, Requester, Tree};
use super::{Reply, SessionId, ZkMessage};
use crate::history::Event;
use crate::servers::raft::{Applied, Core, RaftApp, RequestError};
use crate::wire::Env as WireEnv;

type Env<'a> = WireEnv<'a, ZkMessage>;

/// A member of the ensemble.
pub struct Member {
    timing: Timing,
    /// The followed leader and its term.
    follows: Option<(NodeId, u64)>,
    connections: Connections,
    /// Sessions active since the leader last asked.
    active: BTreeSet<SessionId>,
    tracker: Tracker,
}

/// The timings of an ensemble.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// `tickTime`: "the basic time unit".
    pub tick: Duration,
    /// The shortest session timeout.
    pub shortest: Duration,
    /// The longest session timeout.
    pub longest: Duration,
}

/// The requester of a change.
pub enum Ticket {
    /// A client.
    Client(Caller),
    /// The leader, which closes a session.
    Expiry(SessionId),
}

impl Member {
    /// A new member.
    pub fn new(timing: Timing) -> Self {
        Member {
            timing,
            follows: None,
            connections: Connections::default(),
            active: BTreeSet::new(),
            tracker: Tracker::default(),
        }
    }

    /// Handles a change of leader. A member without a leader stops serving and closes all connections of clients until
    /// it has found one (QuorumPeer.java: `LOOKING`; Follower.java, `shutdown`). Returns whether it serves.
    fn serves(&mut self, env: &mut Env<'_>, core: &Core<Self>) -> bool {
        let leader = core.leader().map(|leader| (leader, core.term()));
        if leader != self.follows {
            self.follows = leader;
            self.connections.close_all(env);
            self.active.clear();
        }
        leader.is_some()
    }

    /// Records activity of a session; the leader counts it at once.
    fn touch(&mut self, env: &Env<'_>, core: &Core<Self>, session: SessionId) {
        if core.leads() {
            if let Some(timeout) = core.machine().timeout(session) {
                self.tracker.touch(env, session, timeout, self.timing.tick);
            }
        } else {
            self.active.insert(session);
        }
    }

    fn connect(
        &mut self,
        env: &mut Env<'_>,
        core: &mut Core<Self>,
        from: Caller,
        session: Option<SessionId>,
        timeout: Duration,
    ) {
        self.connections.begin_change(from.session());
        let member = env.node().0;
        let change = match session {
            Some(session) => Change::Move { member, session },
            None => Change::Open { member, timeout: timeout.clamp(self.timing.shortest, self.timing.longest) },
        };
        core.propose(&change, Ticket::Client(from));
    }

    fn serve(
        &mut self,
        env: &mut Env<'_>,
        core: &mut Core<Self>,
        from: Caller,
        session: SessionId,
        message: ZkMessage,
    ) {
        let by = Requester { session, member: env.node().0 };
        let change = match message {
            ZkMessage::Ping => return env.push(from.session(), ZkMessage::Pong),
            ZkMessage::Create { resource, attempt } => Change::Create { by, resource, attempt },
            ZkMessage::Delete { path } => Change::Delete { by, path },
            ZkMessage::WriteRow { path, write } => Change::Write { by, path, write },
            read => {
                let now = self.connections.read_in_turn(from, read);
                return now.into_iter().for_each(|read| self.read(env, core, from, read));
            }
        };
        self.connections.begin_change(from.session());
        core.propose(&change, Ticket::Client(from));
    }

    /// Answers from the state that this member has applied.
    fn read(&mut self, env: &mut Env<'_>, core: &Core<Self>, from: Caller, message: ZkMessage) {
        let tree = core.machine();
        let reply = match message {
            ZkMessage::GetChildren { resource } => Reply::Children(tree.children(resource)),
            ZkMessage::GetData { path, watch } => match tree.stat(path) {
                None => Reply::NoNode,
                Some(stat) => {
                    if watch {
                        self.connections.watch(from.session(), path);
                    }
                    Reply::Data(stat)
                }
            },
            ZkMessage::ReadRow { grant, .. } => {
                let row = tree.row();
                env.note(Event::ReadAccepted { grant, version: row.version });
                Reply::Row(row)
            }
            _ => return,
        };
        env.reply(from, ZkMessage::Reply { zxid: core.applied(), reply });
    }

    fn answer(&mut self, env: &mut Env<'_>, core: &Core<Self>, from: Caller, change: &Change, reply: Reply) {
        let opened = match (change, &reply) {
            (Change::Open { .. } | Change::Move { .. }, Reply::Session { id, .. }) => Some(*id),
            _ => None,
        };
        let Some(reads) = self.connections.end_change(from.session(), opened) else { return };
        let ended = matches!(reply, Reply::Expired | Reply::Moved);
        env.reply(from, ZkMessage::Reply { zxid: core.applied(), reply });
        if ended {
            return self.connections.close(env, from.session());
        }
        reads.into_iter().for_each(|(from, message)| self.read(env, core, from, message));
    }

    /// Updates the leader's session expiries after a change.
    fn track(&mut self, env: &Env<'_>, change: &Change, reply: &Reply) {
        match (change, reply) {
            (Change::Open { .. } | Change::Move { .. }, Reply::Session { id, timeout }) => {
                self.tracker.touch(env, *id, *timeout, self.timing.tick);
            }
            (Change::Close { session }, _) => self.tracker.remove(*session),
            _ => {}
        }
    }

    fn check_sessions(&mut self, env: &mut Env<'_>, core: &mut Core<Self>) {
        let own = env.node();
        for member in core.members().iter().filter(|member| **member != own) {
            env.send(*member, ZkMessage::WhoIsThere);
        }
        for session in self.tracker.expire(env) {
            core.propose(&Change::Close { session }, Ticket::Expiry(session));
        }
    }
}

impl RaftApp for Member {
    type Machine = Tree;
    type Message = ZkMessage;
    type Ticket = Ticket;

    fn on_start(&mut self, env: &mut Env<'_>, _: &mut Core<Self>) {
        env.set_timer(until_next(env.mono(), self.timing.tick / 2), 0);
    }

    fn on_request(&mut self, env: &mut Env<'_>, core: &mut Core<Self>, from: Caller, message: ZkMessage) {
        if !self.serves(env, core) {
            return env.close(from.session());
        }
        match (self.connections.session(from.session()), message) {
            (None, ZkMessage::Connect { session, timeout, seen }) if seen <= core.applied() => {
                self.connect(env, core, from, session, timeout);
            }
            (Some(session), message) => {
                self.touch(env, core, session);
                self.serve(env, core, from, session, message);
            }
            _ => self.connections.close(env, from.session()),
        }
    }

    fn on_peer(&mut self, env: &mut Env<'_>, core: &mut Core<Self>, from: NodeId, message: ZkMessage) {
        match message {
            ZkMessage::WhoIsThere if core.leader() == Some(from) => {
                let active: Vec<SessionId> = std::mem::take(&mut self.active).into_iter().collect();
                if !active.is_empty() {
                    env.send(from, ZkMessage::These(active));
                }
            }
            ZkMessage::These(sessions) if core.leads() => {
                sessions.into_iter().for_each(|session| self.touch(env, core, session));
            }
            _ => {}
        }
    }

    fn on_applied(&mut self, env: &mut Env<'_>, core: &mut Core<Self>, applied: Applied<Self>) {
        let Applied { command, answer: Outcome { reply, deleted }, ticket, .. } = applied;
        if !deleted.is_empty() {
            self.connections.notify_watchers(env, |path| deleted.contains(&path));
        }
        if let Change::Close { session } = command {
            self.connections.close_sessions(env, |other| other == session);
            self.active.remove(&session);
        }
        if core.leads() {
            self.track(env, &command, &reply);
        }
        if let Some(Ticket::Client(from)) = ticket {
            self.answer(env, core, from, &command, reply);
        }
    }

    /// The outcome is unknown: the client must treat the connection as lost.
    fn on_failed(&mut self, env: &mut Env<'_>, _: &mut Core<Self>, ticket: Ticket, _: RequestError) {
        match ticket {
            Ticket::Client(from) => self.connections.close(env, from.session()),
            Ticket::Expiry(session) => self.tracker.retry(env, session),
        }
    }

    fn on_leader(&mut self, env: &mut Env<'_>, core: &mut Core<Self>) {
        self.tracker.clear();
        for (session, timeout) in core.machine().sessions() {
            self.tracker.touch(env, session, timeout, self.timing.tick);
        }
    }

    fn on_deposed(&mut self, _: &mut Env<'_>, _: &mut Core<Self>) {
        self.tracker.clear();
    }

    fn on_restored(&mut self, env: &mut Env<'_>, core: &mut Core<Self>) {
        let tree = core.machine();
        self.connections.notify_watchers(env, |path| tree.stat(path).is_none());
        self.connections.close_sessions(env, |session| tree.timeout(session).is_none());
    }

    /// Runs every half tick. Sessions expire at whole ticks, which are among them.
    fn on_timer(&mut self, env: &mut Env<'_>, core: &mut Core<Self>, _: u64) {
        env.set_timer(until_next(env.mono(), self.timing.tick / 2), 0);
        self.serves(env, core);
        if core.leads() {
            self.check_sessions(env, core);
        }
    }

    fn on_disconnect(&mut self, _: &mut Env<'_>, _: &mut Core<Self>, connection: Session) {
        self.connections.remove(connection);
    }

    fn on_crash(&mut self, _: &mut Env<'_>) {
        *self = Member::new(self.timing);
    }
}
