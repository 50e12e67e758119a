//! A CP member: a replica of its group through Raft.
//!
//! Only the leader takes operations (cp/exception/NotLeaderException.java); it answers when it has applied them, or, if
//! they wait for the lock, when that wait ends. A leader that is deposed answers nothing that waits: it sends the
//! callers on (LeaderDemotedException.java), who ask again under the same invocation uid.

use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::{Caller, NodeId, Service, Session};

use super::cluster::Cluster;
use super::duties::CpDuties;
use super::{Group, HazelcastMessage};
use crate::history::Event;
use crate::servers::raft::{self, ReadMode};
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

/// How long a replica without a leader waits until it stands: `leaderElectionTimeoutInMillis`, to which the real one
/// adds up to a second (cp/internal/raft/impl/RaftNodeImpl.java, `LEADER_ELECTION_TIMEOUT_RANGE`), and so often it
/// looks whether its leader has gone silent.
const LEADER_SEARCH: Duration = Duration::from_secs(2);

/// An operation that brings no answer is given up by its caller after this (`hazelcast.operation.call.timeout.millis`).
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Raft as Hazelcast has it. The core counts time in heartbeats, so they are each second here and each 5 s in reality;
/// what matters is when a leader that is gone is noticed: 25 to 28 s after it was last heard of. (A member that sees a
/// crashed leader's connections close does not wait so long in reality: RaftNodeImpl.java,
/// `LeaderFailureDetectionTask`.)
fn raft_config() -> raft::Config {
    raft::Config {
        heartbeat: Duration::from_secs(1),
        election: LEADER_PATIENCE,
        leaderless_timeout: Some(LEADER_SEARCH),
        pre_vote: true,
        check_quorum: true,
        reads: ReadMode::Quorum,
        queue_without_leader: false,
        request_timeout: CALL_TIMEOUT,
        read_retry: CALL_TIMEOUT,
        // `commitIndexAdvanceCountToSnapshot`, and a tenth of it is kept.
        snapshot_every: 1_000,
        keep_entries: 100,
        fsync: true,
        resend_lost_entries: false,
    }
}

/// How long it takes at the most until a leader that fell silent has a successor, if the first election succeeds.
pub(crate) fn leader_failover() -> Duration {
    raft_config().max_failover_time()
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

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        self.server.disks(each);
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
