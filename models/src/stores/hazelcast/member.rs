//! A CP member: a replica of its group through Raft.
//!
//! Only the leader takes operations (cp/exception/NotLeaderException.java); it answers when it has applied them, or, if
//! they wait for the lock, when that wait ends. A leader that is deposed answers nothing that waits: it sends the callers
//! on (LeaderDemotedException.java), who ask again under the same invocation uid.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::disk::DiskFate;
use fencepost_sim::{Caller, NodeId, Service, Session};

use super::stamps::{CHECK_SESSIONS, CHECK_WAITS, Stamps};
use super::{Effects, Group, HazelcastMessage, Note};
use crate::history::{Cause, Event, GrantId, Token};
use crate::raft::{self, Applied, Core, Duties, Loss, ReadMode};
use crate::site::Site;
use crate::wire::{Env, Wire};

/// How a CP group is set up.
#[derive(Clone, Copy, Debug)]
pub struct CpConfig {
    /// How long a session lasts without a sign of life.
    pub ttl: Duration,
    /// How often its owner gives one.
    pub heartbeat: Duration,
    /// How often a holder may acquire; 0 for no limit.
    pub limit: u32,
    /// Whether members keep their state on disk. If not, one that restarts is no member of its group any more.
    pub persistence: bool,
}

/// How long followers give a leader that says nothing: 5 missed heartbeats of 5 s each
/// (config/cp/RaftAlgorithmConfig.java).
const LEADER_PATIENCE: Duration = Duration::from_secs(25);

/// How long a replica without a leader waits until it stands: `leaderElectionTimeoutInMillis`, to which the real one adds
/// up to a second (cp/internal/raft/impl/RaftNodeImpl.java, `LEADER_ELECTION_TIMEOUT_RANGE`), and so often it looks
/// whether its leader has gone silent.
const LEADER_SEARCH: Duration = Duration::from_secs(2);

/// An operation that brings no answer is given up by its caller after this (`hazelcast.operation.call.timeout.millis`).
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

const SESSIONS: u64 = 0;
const WAITS: u64 = 1;

/// Raft as Hazelcast has it. The core counts time in heartbeats, so they are each second here and each 5 s in reality;
/// what matters is when a leader that is gone is noticed: 25 to 28 s after it was last heard of. (A member that sees a
/// crashed leader's connections close does not wait so long in reality: RaftNodeImpl.java, `LeaderFailureDetectionTask`.)
fn raft_config() -> raft::Config {
    raft::Config {
        heartbeat: Duration::from_secs(1),
        election: LEADER_PATIENCE,
        search: Some(LEADER_SEARCH),
        pre_vote: true,
        check_quorum: true,
        reads: ReadMode::Quorum,
        holds: false,
        give_up: CALL_TIMEOUT,
        read_retry: CALL_TIMEOUT,
        // `commitIndexAdvanceCountToSnapshot`, and a tenth of it is kept.
        snapshot_every: 1_000,
        keep_entries: 100,
        fsync: true,
        rejoins: false,
    }
}

/// How long it takes at the most until a leader that fell silent has a successor, if the first election succeeds.
pub(crate) fn leader_failover() -> Duration {
    raft_config().failover()
}

/// A CP member.
pub struct Member {
    server: raft::Server<CpDuties>,
    n: usize,
    names: Vec<String>,
    config: CpConfig,
    cluster: Rc<Cluster>,
    /// The group that it belongs to, or belonged to.
    seed: u32,
    /// It lost its CP identity in a crash.
    outsider: bool,
}

/// What a cluster remembers for as long as one of its members runs: that its CP members were found, and so which group
/// there is. Beside it, for the ground truth, what was granted.
#[derive(Default)]
struct Cluster {
    running: Cell<usize>,
    seed: Cell<u32>,
    lineage: RefCell<raft::Lineage>,
    applied: Cell<Token>,
    held: RefCell<Vec<GrantId>>,
}

impl Cluster {
    fn applied(&self, index: Token, notes: &[Note]) {
        if index <= self.applied.replace(index.max(self.applied.get())) {
            return;
        }
        for note in notes {
            match note {
                Note::Granted(grant) => self.held.borrow_mut().push(*grant),
                Note::Ended(grant, _) => self.held.borrow_mut().retain(|held| held != grant),
            }
        }
    }

    /// Nobody remembers: the members that start now are a new cluster with a new group, whose log begins anew. What the
    /// old one had granted was given for about the time to live of a session.
    fn forget(&self, env: &mut Env<'_, HazelcastMessage>, ttl: Duration) {
        self.seed.set(self.seed.get() + 1);
        self.lineage.take();
        self.applied.take();
        for grant in self.held.take() {
            env.note_after(ttl, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
        }
    }
}

impl Member {
    /// Deploys the members of one CP group.
    pub fn deploy(site: &mut Site<'_, HazelcastMessage>, names: &[String], config: CpConfig) {
        let cluster = Rc::new(Cluster::default());
        for (n, name) in names.iter().enumerate() {
            let server = Member::server(&cluster, n, names, &config);
            let (names, cluster) = (names.to_vec(), cluster.clone());
            site.server(name, Member { server, n, names, config, cluster, seed: 0, outsider: false });
        }
    }

    fn server(cluster: &Rc<Cluster>, n: usize, names: &[String], config: &CpConfig) -> raft::Server<CpDuties> {
        let empty = Group::new(config.limit, config.ttl, config.heartbeat).seeded(cluster.seed.get());
        let (duties, lineage) = (CpDuties::new(config, cluster.clone()), cluster.lineage.borrow().clone());
        raft::Server::new(duties, n, names.to_vec(), raft_config(), empty, lineage)
    }
}

/// "By default, CP Subsystem works in memory without persisting any state": "a crashed CP member will not be able to
/// recover" (CPSubsystemManagementService javadoc). It comes back as a member of the cluster that has no part in the
/// group, until somebody promotes it; the group goes on counting the lost one for its majority (hazelcast/hazelcast,
/// issue 24897: by design). Only when all members were down at the same time, CP members are found anew.
impl Service<Wire<HazelcastMessage>, Event> for Member {
    fn on_start(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        self.cluster.running.set(self.cluster.running.get() + 1);
        if self.outsider && self.seed != self.cluster.seed.get() {
            (self.seed, self.outsider) = (self.cluster.seed.get(), false);
            self.server = Member::server(&self.cluster, self.n, &self.names, &self.config);
        }
        if !self.outsider {
            self.server.on_start(env);
        }
    }

    fn on_message(&mut self, env: &mut Env<'_, HazelcastMessage>, from: Caller, message: Wire<HazelcastMessage>) {
        if self.outsider {
            return env.reply(from, HazelcastMessage::NotLeader { leader: None });
        }
        self.server.on_message(env, from, message);
    }

    fn on_peer(&mut self, env: &mut Env<'_, HazelcastMessage>, from: NodeId, message: Wire<HazelcastMessage>) {
        if !self.outsider {
            self.server.on_peer(env, from, message);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, tag: u64) {
        self.server.on_timer(env, tag);
    }

    fn on_connect(&mut self, env: &mut Env<'_, HazelcastMessage>, session: Session) {
        self.server.on_connect(env, session);
    }

    fn on_disconnect(&mut self, env: &mut Env<'_, HazelcastMessage>, session: Session) {
        self.server.on_disconnect(env, session);
    }

    fn on_crash(&mut self, env: &mut Env<'_, HazelcastMessage>, disk: DiskFate) {
        self.server.on_crash(env, disk);
        self.outsider |= !self.config.persistence;
        self.cluster.running.set(self.cluster.running.get() - 1);
        if self.cluster.running.get() == 0 && self.outsider {
            self.cluster.forget(env, self.config.ttl);
        }
    }
}

/// What a member does beside the log.
struct CpDuties {
    cluster: Rc<Cluster>,
    heartbeat: Duration,
    stamps: Stamps,
    /// The term that the stamps know of.
    term: u64,
    /// Callers whose operations wait, by their places in the log. Only the leader has any.
    callers: BTreeMap<Token, Caller>,
    /// Whether the timer for waits runs.
    watching: bool,
}

impl CpDuties {
    fn new(config: &CpConfig, cluster: Rc<Cluster>) -> Self {
        let (stamps, callers) = (Stamps::new(config.ttl), BTreeMap::new());
        CpDuties { cluster, heartbeat: config.heartbeat, stamps, term: 0, callers, watching: false }
    }

    /// Every replica shifts its table when it sees that a term has begun.
    fn see_term(&mut self, env: &Env<'_, HazelcastMessage>, term: u64) {
        if self.term != term {
            self.term = term;
            self.stamps.shift(env, self.heartbeat);
        }
    }

    fn watch_waits(&mut self, env: &mut Env<'_, HazelcastMessage>) {
        if !self.watching && self.stamps.waits() {
            self.watching = true;
            env.set_timer(CHECK_WAITS, WAITS);
        }
    }
}

impl Duties for CpDuties {
    type Machine = Group;
    type Message = HazelcastMessage;
    type Ticket = Caller;

    fn on_start(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.stamps.adopt(env, core.machine());
        env.set_timer(CHECK_SESSIONS, SESSIONS);
    }

    fn on_request(
        &mut self,
        env: &mut Env<'_, HazelcastMessage>,
        core: &mut Core<Self>,
        from: Caller,
        message: HazelcastMessage,
    ) {
        let HazelcastMessage::Op(op) = message else { return };
        if !core.leads() {
            let leader = core.leader().filter(|leader| *leader != env.node());
            return env.reply(from, HazelcastMessage::NotLeader { leader });
        }
        core.propose(&op, from);
    }

    fn on_applied(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>, applied: Applied<Self>) {
        self.see_term(env, core.term());
        let Effects { reply, others, alive, notes } = applied.answer;
        self.cluster.applied(applied.index, &notes);
        self.stamps.applied(env, core.machine(), &applied.command, alive);
        for (index, reply) in others {
            if let Some(caller) = self.callers.remove(&index) {
                env.reply(caller, HazelcastMessage::Reply(reply));
            }
        }
        match (applied.ticket, reply) {
            (Some(caller), Some(reply)) => env.reply(caller, HazelcastMessage::Reply(reply)),
            (Some(caller), None) => {
                self.callers.insert(applied.index, caller);
            }
            (None, _) => {}
        }
        if core.leads() {
            self.watch_waits(env);
        }
    }

    fn on_lost(&mut self, env: &mut Env<'_, HazelcastMessage>, _: &mut Core<Self>, from: Caller, loss: Loss) {
        if loss == Loss::NoLeader {
            env.reply(from, HazelcastMessage::NotLeader { leader: None });
        }
    }

    fn on_leader(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.see_term(env, core.term());
        self.watch_waits(env);
    }

    fn on_deposed(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        let waiting = std::mem::take(&mut self.callers).into_values();
        for caller in waiting.chain(core.take_pending()) {
            env.reply(caller, HazelcastMessage::NotLeader { leader: None });
        }
    }

    fn on_restored(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>) {
        self.stamps.adopt(env, core.machine());
    }

    /// All members look, but only what the leader proposes gets anywhere.
    fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, core: &mut Core<Self>, tag: u64) {
        let leads = core.leads();
        match tag {
            SESSIONS => {
                env.set_timer(CHECK_SESSIONS, SESSIONS);
                if leads {
                    let ops = self.stamps.look_at_sessions(env, core.machine());
                    ops.iter().for_each(|op| core.submit(op));
                }
            }
            _ => {
                self.watching = false;
                if leads {
                    let op = self.stamps.look_at_waits(env, core.machine());
                    op.iter().for_each(|op| core.submit(op));
                    self.watch_waits(env);
                }
            }
        }
    }

    fn on_crash(&mut self, _: &mut Env<'_, HazelcastMessage>) {
        self.stamps.clear();
        self.callers.clear();
        (self.term, self.watching) = (0, false);
    }
}
