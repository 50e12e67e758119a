//! One replica: raft-rs between its log and its peers, without input, output or clock of its own.

use std::collections::VecDeque;

use fencepost_sim::stream::Stream;
use raft::eraftpb::{Entry, MessageType};
use raft::{INVALID_ID, LightReady, RawNode, ReadOnlyOption, Ready, SnapshotStatus, StateRole};

use super::config::{Config, ReadMode};
use super::log::Log;
use super::machine::Machine;
use super::packet::{Kind, Packet, Snapshot, number};

/// What came out of a replica, for its server to act on.
#[derive(Debug)]
pub(super) struct Output<M: Machine> {
    /// To be sent.
    pub packets: Vec<Packet<M>>,
    /// Replaces the state of the machine, before any of the entries.
    pub snapshot: Option<Snapshot<M>>,
    /// To be applied.
    pub entries: VecDeque<Entry>,
    /// Reads, and the index that must have been applied before they are answered.
    pub reads: Vec<(u64, u64)>,
}

/// A replica that runs.
pub(super) struct Replica<M: Machine> {
    node: RawNode<Log<M>>,
    config: Config,
    stream: Stream,
    timeout: usize,
    was: (StateRole, u64),
    /// The newest state that came with a snapshot message.
    incoming: Option<Snapshot<M>>,
    /// Followers to whom a snapshot was sent, and for how many ticks more it may be on its way.
    sent_snapshots: Vec<(u64, usize)>,
    pub output: Output<M>,
}

impl<M: Machine> Replica<M> {
    /// Starts replica `id` with what its log holds. Its state is that of the log's snapshot.
    pub fn start(id: u64, config: Config, log: Log<M>, stream: Stream) -> Self {
        let applied = log.newest_snapshot().index;
        let settings = settings(id, &config, applied);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&settings, log, &logger).expect("the settings were checked, and the log is in memory");
        let was = (StateRole::Leader, 0);
        let output = Output { packets: Vec::new(), snapshot: None, entries: VecDeque::new(), reads: Vec::new() };
        let (incoming, sent_snapshots) = (None, Vec::new());
        let mut replica = Replica { node, config, stream, timeout: 0, was, incoming, sent_snapshots, output };
        replica.keep_time();
        replica
    }

    /// Ends it; its log and its stream are what the next one starts with.
    pub fn stop(mut self, empty: M) -> (Log<M>, Stream) {
        let log = std::mem::replace(self.node.mut_store(), Log::new(0, empty, false));
        (log, self.stream)
    }

    /// A heartbeat interval has passed.
    pub fn tick(&mut self) {
        self.node.tick();
        self.keep_time();
        if !self.sent_snapshots.is_empty() {
            self.doubt_snapshots();
        }
    }

    /// A packet came.
    pub fn step(&mut self, packet: Packet<M>) {
        if packet.head.kind == Kind::Forgot {
            return self.teach_again(packet.head.from.into(), packet.head.term);
        }
        let (mut message, snapshot) = packet.open();
        if message.get_msg_type() == MessageType::MsgHeartbeat && message.commit > self.node.raft.raft_log.last_index()
        {
            if !self.config.rejoins {
                return;
            }
            let (own, to) = (self.node.raft.id as u8, message.from as u8);
            self.output.packets.push(Packet::forgot(own, to, message.term));
            message.commit = 0;
        }
        if message.get_msg_type() == MessageType::MsgAppend && message.index > 0 && message.log_term == 0 {
            // From a leader that has lost the entry before those that it sends.
            return;
        }
        if let Some(snapshot) = snapshot {
            message.set_snapshot(self.node.store().describe(&snapshot));
            self.incoming = Some(snapshot);
        }
        // Raft refuses messages that are nothing to it, such as proposals while there is no leader.
        let _ = self.node.step(message);
        self.keep_time();
    }

    /// Proposes an entry. Without a leader it is dropped: says whether it was passed on.
    pub fn propose(&mut self, data: Vec<u8>) -> bool {
        let passed_on = self.node.propose(Vec::new(), data).is_ok();
        self.keep_time();
        passed_on
    }

    /// Asks the leader, or the quorum if this is the leader, up to where a read must have seen the log. It may be lost.
    pub fn read(&mut self, read: u64) {
        self.node.read_index(read.to_le_bytes().to_vec());
    }

    /// Does all that raft wants done: what must survive is on the disk before the words that rely on it go out.
    pub fn settle(&mut self) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            self.post(ready.take_messages());
            self.store(&mut ready);
            self.post(ready.take_persisted_messages());
            let read_states = ready.take_read_states();
            self.output.reads.extend(read_states.iter().map(|state| (number(&state.request_ctx), state.index)));
            self.output.entries.extend(ready.take_committed_entries());
            let light = self.node.advance_append(ready);
            self.settle_light(light);
            self.node.advance_apply();
        }
    }

    /// Its log.
    pub fn log(&mut self) -> &mut Log<M> {
        self.node.mut_store()
    }

    /// Lets go of old entries: `machine` is the state after `index`.
    pub fn compact(&mut self, index: u64, machine: M) {
        let keep = self.config.keep_entries;
        self.node.mut_store().compact(index, machine, keep);
    }

    pub fn last_compacted(&self) -> u64 {
        self.node.store().newest_snapshot().index
    }

    /// The state as its disk has it.
    pub fn newest_snapshot(&self) -> &Snapshot<M> {
        self.node.store().newest_snapshot()
    }

    pub fn leads(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }

    /// The leader that it knows of.
    pub fn leader(&self) -> Option<u64> {
        Some(self.node.raft.leader_id).filter(|leader| *leader != INVALID_ID)
    }

    pub fn has_leader(&self) -> bool {
        self.node.raft.leader_id != INVALID_ID
    }

    pub fn term(&self) -> u64 {
        self.node.raft.term
    }

    fn store(&mut self, ready: &mut Ready) {
        if !ready.snapshot().is_empty() {
            let meta = ready.snapshot().get_metadata();
            let fits = |snapshot: &Snapshot<M>| (snapshot.index, snapshot.term) == (meta.index, meta.term);
            let snapshot = self.incoming.take().filter(fits).expect("a snapshot's state came with its message");
            self.node.mut_store().install(snapshot.clone());
            self.output.entries.clear();
            self.output.snapshot = Some(snapshot);
        }
        let entries = ready.take_entries();
        let log = self.node.mut_store();
        if !entries.is_empty() {
            log.append(entries);
        }
        if let Some(hard) = ready.hs() {
            log.write_hard(hard.clone());
        }
        if ready.must_sync() {
            log.sync();
        }
    }

    fn settle_light(&mut self, mut light: LightReady) {
        if let Some(commit) = light.commit_index() {
            self.node.mut_store().write_commit(commit);
        }
        self.post(light.take_messages());
        self.output.entries.extend(light.take_committed_entries());
    }

    fn post(&mut self, messages: Vec<raft::eraftpb::Message>) {
        for message in messages {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                self.watch_snapshot(message.to);
            }
            let log = self.node.store();
            self.output.packets.push(Packet::new(message, || log.newest_snapshot().clone()));
        }
    }

    /// Raft waits for a report on a snapshot that it sent. None comes if it was lost: after an election timeout it is
    /// taken for lost.
    fn watch_snapshot(&mut self, follower: u64) {
        self.sent_snapshots.retain(|(to, _)| *to != follower);
        self.sent_snapshots.push((follower, self.config.election_ticks()));
    }

    fn doubt_snapshots(&mut self) {
        let mut lost = Vec::new();
        self.sent_snapshots.retain_mut(|(to, left)| {
            *left -= 1;
            if *left == 0 {
                lost.push(*to);
            }
            *left > 0
        });
        for to in lost {
            self.node.report_snapshot(to, SnapshotStatus::Failure);
        }
    }

    /// A follower came back without entries that it had acknowledged. Raft-rs would ignore its rejections as stale; here
    /// the leader starts with it from the beginning, as leaders do that go back step by step whatever was acknowledged.
    fn teach_again(&mut self, follower: u64, term: u64) {
        let raft = &mut self.node.raft;
        if raft.state != StateRole::Leader || raft.term != term {
            return;
        }
        let Some(progress) = raft.mut_prs().get_mut(follower) else { return };
        progress.snapshot_failure();
        progress.matched = 0;
        progress.become_probe();
        progress.next_idx = 1;
        progress.recent_active = true;
        raft.send_append(follower);
    }

    /// Puts a number of the node's own stream in place of the election timeout that raft-rs has drawn from the operating
    /// system's randomness: it does so whenever it enters a term or a role other than pre-candidate (`Raft::reset`).
    fn keep_time(&mut self) {
        let raft = &mut self.node.raft;
        let is = (raft.state, raft.term);
        if is != self.was {
            if is.1 != self.was.1 || is.0 != StateRole::PreCandidate {
                let (least, most) = self.config.patience();
                self.timeout = self.stream.between(least, most) as usize;
            }
            self.was = is;
        }
        // Raft-rs knows one patience only: whoever has no leader is taken to have waited for most of it already.
        if let Some((least, most)) = self.config.search_ticks()
            && raft.leader_id == INVALID_ID
            && raft.election_elapsed + (most as usize) < self.timeout
        {
            raft.election_elapsed = self.timeout - self.stream.between(least, most) as usize;
        }
        raft.set_randomized_election_timeout(self.timeout);
    }

    /// Whether an entry of this term stands at the index.
    pub fn is_of_this_term(&self, index: u64) -> bool {
        self.node.raft.raft_log.term(index).is_ok_and(|term| term == self.node.raft.term)
    }
}

fn settings(id: u64, config: &Config, applied: u64) -> raft::Config {
    raft::Config {
        id,
        applied,
        heartbeat_tick: 1,
        election_tick: config.election_ticks(),
        pre_vote: config.pre_vote,
        check_quorum: config.check_quorum || config.reads == ReadMode::Lease,
        read_only_option: match config.reads {
            ReadMode::Lease => ReadOnlyOption::LeaseBased,
            ReadMode::Quorum | ReadMode::Unchecked => ReadOnlyOption::Safe,
        },
        // As etcd has it (server/etcdserver/raft.go: `maxSizePerMsg`).
        max_size_per_msg: 1 << 20,
        ..raft::Config::default()
    }
}
