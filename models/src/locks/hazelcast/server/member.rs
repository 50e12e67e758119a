//! A CP member: a replica of its group through Raft.
//!
//! Only the leader accepts operations (cp/exception/NotLeaderException.java). It answers after it applied them, or at
//! the end of their wait for the lock. A deposed leader answers waiting callers that they must ask another member
//! (LeaderDemotedException.java); they repeat the request under the same invocation uid.

use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::disk::{DiskFate, Syncs};
use fencepost_sim::{Caller, NodeId, Service, Session};

use super::app::CpApp;
use super::cluster::Cluster;
use super::connections::Connections;
use super::{Group, HazelcastMessage};
use crate::history::Event;
use crate::servers::raft::{self, ReadMode, WatchConfig};
use crate::site::Site;
use crate::wire::{Env, Wire};

/// The configuration of a CP group.
#[derive(Clone, Copy, Debug)]
pub struct CpConfig {
    /// The time to live of a session without a heartbeat.
    pub ttl: Duration,
    /// The heartbeat interval of a session.
    pub heartbeat: Duration,
    /// The maximal number of nested acquires; 0 is unlimited.
    pub limit: u32,
    /// Whether members keep their state on disk. Without it, a restarted member is not part of its group.
    pub persistence: bool,
}

/// The silence after which followers replace a leader, and after which a leader without acknowledgements from a majority
/// steps down: 5 missed heartbeats of 5 s each (config/cp/RaftAlgorithmConfig.java; RaftNodeImpl.java,
/// `isHeartbeatTimedOut`). Both are measured by the wall clock (`Clock.currentTimeMillis`).
const SILENCE: Duration = Duration::from_secs(25);

/// `leaderElectionTimeoutInMillis`: the interval at which a follower checks its leader, and the time for which a replica
/// that heard from its leader rejects votes.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// RaftNodeImpl.java, `LEADER_ELECTION_TIMEOUT_RANGE`: the maximal addition to the interval.
const ELECTION_JITTER: Duration = Duration::from_secs(1);

/// `leaderHeartbeatPeriodInMillis`: the interval at which a leader checks for its majority, and sends heartbeats if it
/// has sent nothing else (RaftNodeImpl.java, `HeartbeatTask`).
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The time after which a caller abandons an unanswered operation (`hazelcast.operation.call.timeout.millis`).
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Raft as in Hazelcast.
fn raft_config() -> raft::Config {
    let watch = WatchConfig { interval: ELECTION_TIMEOUT, jitter: ELECTION_JITTER, loyalty: ELECTION_TIMEOUT };
    raft::Config {
        heartbeat: HEARTBEAT,
        election: SILENCE,
        watch: Some(watch),
        leader_lease: None,
        pre_vote: true,
        check_quorum: true,
        reads: ReadMode::Quorum,
        queue_without_leader: false,
        request_timeout: CALL_TIMEOUT,
        read_retry: CALL_TIMEOUT,
        // `commitIndexAdvanceCountToSnapshot`; a tenth of it is kept.
        snapshot_every: 1_000,
        keep_entries: 100,
        fsync: true,
        resend_lost_entries: false,
    }
}

/// The maximal time until a silent leader has a successor, if the first election succeeds.
pub(crate) fn leader_failover() -> Duration {
    raft_config().max_failover_time()
}

/// A CP member.
pub struct Member {
    server: raft::Server<CpApp>,
    n: usize,
    names: Vec<String>,
    config: CpConfig,
    cluster: Rc<Cluster>,
    /// The seed of its current or last group.
    seed: u32,
    /// Whether it lost its CP membership in a crash.
    outsider: bool,
    connections: Connections,
}

impl Member {
    /// Deploys the members of one CP group.
    pub fn deploy(site: &mut Site<'_, HazelcastMessage>, names: &[String], config: CpConfig) {
        let cluster = Rc::new(Cluster::default());
        for (n, name) in names.iter().enumerate() {
            let server = Member::server(&cluster, n, names, &config);
            let (names, cluster) = (names.to_vec(), cluster.clone());
            let connections = Connections::default();
            site.server(name, Member { server, n, names, config, cluster, seed: 0, outsider: false, connections });
        }
    }

    fn server(cluster: &Rc<Cluster>, n: usize, names: &[String], config: &CpConfig) -> raft::Server<CpApp> {
        let empty = Group::new(config.limit, config.ttl, config.heartbeat).with_seed(cluster.seed.get());
        let (app, applied) = (CpApp::new(config, cluster.clone()), cluster.applied_entries.borrow().clone());
        raft::Server::new(app, n, names.to_vec(), raft_config(), empty, applied)
    }
}

/// "By default, CP Subsystem works in memory without persisting any state": "a crashed CP member will not be able to
/// recover" (CPSubsystemManagementService javadoc). It restarts as a member of the cluster without a part in the group
/// until somebody promotes it; the group keeps counting the lost one for its majority (hazelcast/hazelcast, issue
/// 24897: by design). CP members are discovered again only after all members were down at the same time.
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
        self.connections.heard(from);
        if !self.outsider {
            self.server.on_peer(env, from, message);
        }
    }

    /// Followers of a leader that left the cluster start an election at their next check (RaftNodeImpl.java,
    /// `LeaderFailureDetectionTask`: `isReachable`).
    fn on_peer_lost(&mut self, env: &mut Env<'_, HazelcastMessage>, peer: NodeId) {
        if self.connections.fault(env, peer) {
            self.server.mark_gone(peer);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, HazelcastMessage>, tag: u64) {
        if !self.connections.on_timer(env, tag) {
            self.server.on_timer(env, tag);
        }
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
        self.connections.clear();
        self.outsider |= !self.config.persistence;
        self.cluster.running.set(self.cluster.running.get() - 1);
        if self.cluster.running.get() == 0 && self.outsider {
            self.cluster.reset(env, self.config.ttl);
        }
    }
}
