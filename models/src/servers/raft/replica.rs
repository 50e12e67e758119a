//! One replica: raft-rs on a log, without I/O or a clock of its own.

use std::collections::VecDeque;
use std::time::Duration;

use fencepost_sim::stream::Stream;
use raft::eraftpb::{Entry, MessageType};
use raft::{INVALID_ID, LightReady, RawNode, ReadOnlyOption, Ready, SnapshotStatus, StateRole};

use super::config::{Config, ReadMode};
use super::log::Log;
use super::machine::Machine;
use super::packet::{Kind, Packet, Snapshot, number};

/// An election timeout in ticks that is never reached.
const NEVER: usize = 1 << 40;

/// The output of a replica, which its server acts on.
#[derive(Debug)]
pub(super) struct Output<M: Machine> {
    pub packets: Vec<Packet<M>>,
    /// Replaces the state of the machine, before `entries` apply.
    pub snapshot: Option<Snapshot<M>>,
    pub entries: VecDeque<Entry>,
    /// The ID of each confirmed read, and the index that must be applied before it is answered.
    pub reads: Vec<(u64, u64)>,
}

/// A running replica.
pub(super) struct Replica<M: Machine> {
    node: RawNode<Log<M>>,
    config: Config,
    stream: Stream,
    election_timeout: usize,
    /// Role and term when the election timeout was drawn.
    timed_for: (StateRole, u64),
    /// The newest state that came with a snapshot message.
    incoming: Option<Snapshot<M>>,
    /// Followers to which a snapshot was sent, and the ticks until it counts as lost.
    sent_snapshots: Vec<(u64, usize)>,
    pub output: Output<M>,
}

impl<M: Machine> Replica<M> {
    /// Starts replica `id` with a log. Its state is that of the log's snapshot.
    pub fn start(id: u64, config: Config, log: Log<M>, stream: Stream) -> Self {
        let applied = log.newest_snapshot().index;
        let settings = settings(id, &config, applied);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let node = RawNode::new(&settings, log, &logger).expect("the settings are valid and the log is in memory");
        let timed_for = (StateRole::Leader, 0);
        let output = Output { packets: Vec::new(), snapshot: None, entries: VecDeque::new(), reads: Vec::new() };
        let (incoming, sent_snapshots) = (None, Vec::new());
        let mut replica =
            Replica { node, config, stream, election_timeout: 0, timed_for, incoming, sent_snapshots, output };
        replica.set_election_timeout();
        replica
    }

    /// Stops the replica; the next one starts with its log and stream.
    pub fn stop(mut self, empty: M) -> (Log<M>, Stream) {
        let log = std::mem::replace(self.node.mut_store(), Log::new(0, empty, false));
        (log, self.stream)
    }

    /// Advances by one heartbeat interval.
    pub fn tick(&mut self) {
        self.node.tick();
        self.set_election_timeout();
        if !self.sent_snapshots.is_empty() {
            self.expire_snapshots();
        }
    }

    pub fn step(&mut self, packet: Packet<M>) {
        if packet.head.kind == Kind::Forgot {
            return self.reset_progress(packet.head.from.into(), packet.head.term);
        }
        let (mut message, snapshot) = packet.open();
        if message.get_msg_type() == MessageType::MsgHeartbeat && message.commit > self.node.raft.raft_log.last_index()
        {
            if !self.config.resend_lost_entries {
                return;
            }
            let (own, to) = (self.node.raft.id as u8, message.from as u8);
            self.output.packets.push(Packet::forgot(own, to, message.term));
            message.commit = 0;
        }
        if message.get_msg_type() == MessageType::MsgAppend && message.index > 0 && message.log_term == 0 {
            // The leader has lost the entry before those that it sends.
            return;
        }
        if let Some(snapshot) = snapshot {
            message.set_snapshot(self.node.store().describe(&snapshot));
            self.incoming = Some(snapshot);
        }
        // Raft rejects messages that do not apply, such as proposals while there is no leader.
        let _ = self.node.step(message);
        self.set_election_timeout();
    }

    /// Proposes an entry and returns whether there was a leader to pass it to. Without one the entry is dropped.
    pub fn propose(&mut self, data: Vec<u8>) -> bool {
        let passed_on = self.node.propose(Vec::new(), data).is_ok();
        self.set_election_timeout();
        passed_on
    }

    /// Asks the leader, or the quorum if this is the leader, for the index that a read needs. The request may be lost.
    pub fn read(&mut self, read: u64) {
        self.node.read_index(read.to_le_bytes().to_vec());
    }

    /// Processes all output of raft: state is on the disk before the messages that rely on it are sent.
    pub fn process_ready(&mut self) {
        while self.node.has_ready() {
            let mut ready = self.node.ready();
            self.queue_messages(ready.take_messages());
            self.store(&mut ready);
            self.queue_messages(ready.take_persisted_messages());
            let read_states = ready.take_read_states();
            self.output.reads.extend(read_states.iter().map(|state| (number(&state.request_ctx), state.index)));
            self.output.entries.extend(ready.take_committed_entries());
            let light = self.node.advance_append(ready);
            self.process_light_ready(light);
            self.node.advance_apply();
        }
    }
    /// Its log.
    pub fn log(&mut self) -> &mut Log<M> {
        self.node.mut_store()
    }
    /// Drops old entries: `machine` is the state after `index`.
    /// Lets go of old entries: `machine` is the state after `index`.
    pub fn compact(&mut self, index: u64, machine: M) {
        let keep = self.config.keep_entries;
        self.node.mut_store().compact(index, machine, keep);
    }

    pub fn last_compacted(&self) -> u64 {
        self.node.store().newest_snapshot().index
    }
    /// The snapshot on the disk.
    /// The state as its disk has it.
    pub fn newest_snapshot(&self) -> &Snapshot<M> {
        self.node.store().newest_snapshot()
    }

    /// Starts an election, unless this replica leads.
    pub fn campaign(&mut self) {
        let _ = self.node.campaign();
        self.set_election_timeout();
    }

    /// Gives up leadership.
    pub fn step_down(&mut self) {
        let term = self.node.raft.term;
        self.node.raft.become_follower(term, INVALID_ID);
        self.set_election_timeout();
    }

    /// Draws a duration from the stream of elections.
    pub fn draw(&mut self, longest: Duration) -> Duration {
        Duration::from_nanos(self.stream.between(1, longest.as_nanos() as u64))
    }

    pub fn leads(&self) -> bool {
        self.node.raft.state == StateRole::Leader
    }
    /// The leader that the replica knows of.
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
            let snapshot = self.incoming.take().filter(fits).expect("the state comes with the snapshot message");
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

    fn process_light_ready(&mut self, mut light: LightReady) {
        if let Some(commit) = light.commit_index() {
            self.node.mut_store().write_commit(commit);
        }
        self.queue_messages(light.take_messages());
        self.output.entries.extend(light.take_committed_entries());
    }

    fn queue_messages(&mut self, messages: Vec<raft::eraftpb::Message>) {
        for message in messages {
            if message.get_msg_type() == MessageType::MsgSnapshot {
                self.track_snapshot(message.to);
            }
            let log = self.node.store();
            self.output.packets.push(Packet::new(message, || log.newest_snapshot().clone()));
        }
    }
    /// Raft waits for a report on each snapshot that it sends. A lost one brings none, so it counts as failed after an
    /// election timeout.
    fn track_snapshot(&mut self, follower: u64) {
        self.sent_snapshots.retain(|(to, _)| *to != follower);
        self.sent_snapshots.push((follower, self.config.election_ticks()));
    }

    fn expire_snapshots(&mut self) {
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
    /// Handles a follower that restarted without entries that it had acknowledged. Raft-rs would ignore its rejections
    /// as stale; here the leader resends the log from the start, as leaders do that step back past acknowledged
    /// entries.
    fn reset_progress(&mut self, follower: u64, term: u64) {
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
    /// Replaces the election timeout that raft-rs draws from the operating system by one from the node's stream.
    /// Raft-rs draws whenever it enters a term or a role other than pre-candidate (`Raft::reset`).
    fn set_election_timeout(&mut self) {
        let raft = &mut self.node.raft;
        let current = (raft.state, raft.term);
        if current != self.timed_for {
            if current.1 != self.timed_for.1 || current.0 != StateRole::PreCandidate {
                let (least, most) = self.config.election_range();
                self.election_timeout = match self.config.watch {
                    None => self.stream.between(least, most) as usize,
                    Some(_) => NEVER,
                };
            }
            self.timed_for = current;
        }
        raft.set_randomized_election_timeout(self.election_timeout);
    }

    /// Whether the entry at `index` is of the current term.
    pub fn is_of_current_term(&self, index: u64) -> bool {
        self.node.raft.raft_log.term(index).is_ok_and(|term| term == self.node.raft.term)
    }
}

fn settings(id: u64, config: &Config, applied: u64) -> raft::Config {
    raft::Config {
        id,
        applied,
        heartbeat_tick: 1,
        election_tick: if config.watch.is_some() { NEVER } else { config.election_ticks() },
        pre_vote: config.pre_vote,
        check_quorum: config.watch.is_none() && (config.check_quorum || config.reads == ReadMode::Lease),
        read_only_option: match config.reads {
            ReadMode::Lease => ReadOnlyOption::LeaseBased,
            ReadMode::Quorum | ReadMode::Unchecked => ReadOnlyOption::Safe,
        },
        // As in etcd (server/etcdserver/raft.go: `maxSizePerMsg`).
        max_size_per_msg: 1 << 20,
        ..raft::Config::default()
    }
}
