//! A primary and a standby that takes over.
//!
//! - `async-no-fencing`: the standby watches the primary and promotes itself after a silence of `failover_after`, as
//!   repmgrd does with two nodes and no witness (`failover = automatic`; it looks every `monitor_interval_secs`, 2 s by
//!   default). Nothing stops an isolated primary, which repmgr's handbook leaves to the user. It serves whoever reaches
//!   it until it hears of the newer timeline. Then it closes all connections and rewinds to the branching point, as an
//!   operator would with `repmgr node rejoin --force-rewind`.
//! - `patroni`: a leader key decides ([`super::patroni`]).
//! - `sync`: as `async-no-fencing`, but commits wait for the standby ([`super::commit`]).
//! - Without `sync`, a commit is acknowledged before the standby has it. Commits that the standby lacks at its
//!   promotion stay on their own branch and are lost (Patroni, Replication modes, Asynchronous mode durability;
//!   PostgreSQL 17, Log-Shipping Standby Servers).
//! - A restarted primary without Patroni asks its peer first, and leads again only after the peer's silence of the
//!   failover time.
//!
//! Session locks and transactions are not in the log: a new primary does not know them.

use std::time::Duration;

use fencepost_sim::Mono;
use fencepost_sim::disk::DiskFate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::log::{Entry, LeaseRow};
use super::message::{History, SqlMessage};
use super::patroni::{MIN_TTL, Patroni};
use super::{Sql, SurvivingState, Timer};
use crate::history::Event;
use crate::wire::Env;

/// The interval at which a standby checks its primary and a primary sends a sign of life.
pub(crate) const MONITOR_INTERVAL: Duration = Duration::from_secs(2);

/// The names of the two servers: the first primary, and its standby.
pub(crate) const PAIR: [&str; 2] = ["sql", "sql-standby"];

/// The name of the server with Patroni's leader key.
pub(super) const KEY_STORE: &str = "sql-keys";

/// The default delay of a commit at the standby. PostgreSQL's documentation only says that it is typically under one
/// second (PostgreSQL 17, Log-Shipping Standby Servers, Streaming Replication); this is a choice within that.
pub(crate) const REPLICATION_LAG: Duration = Duration::from_millis(100);

/// The default silence before a failover: `ttl` of Patroni.
pub(crate) const FAILOVER_AFTER: Duration = Duration::from_secs(30);

/// How a standby takes over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StandbyMode {
    /// There is no standby.
    #[default]
    None,
    /// An asynchronous standby promotes itself when the primary is silent. Nothing stops the old primary (repmgr).
    AsyncNoFencing,
    /// An asynchronous standby takes over with a leader key. A primary that cannot renew the key demotes itself.
    Patroni,
    /// Commits wait for the standby, which promotes itself when the primary is silent.
    Sync,
}

impl StandbyMode {
    /// Whether there is a standby.
    pub fn exists(self) -> bool {
        self != StandbyMode::None
    }

    /// Checks the failover time: Patroni's `ttl` is at least 20 s.
    ///
    /// # Errors
    /// Returns a description for the user.
    pub fn check(self, failover_after: Duration) -> Result<(), String> {
        if self == StandbyMode::Patroni && failover_after < MIN_TTL {
            return Err("`failover_after` is Patroni's `ttl`, which must be at least 20s".into());
        }
        Ok(())
    }
}

/// The configuration of a standby.
#[derive(Clone, Copy, Debug)]
pub struct Standby {
    /// How it takes over.
    pub mode: StandbyMode,
    /// The delay from a commit to its sending to the standby.
    pub lag: Duration,
    /// The silence of the primary after which the standby promotes itself, or the time to live of the leader key.
    pub failover_after: Duration,
    /// The time after which a commit no longer waits for a silent standby. Zero is unlimited.
    pub sync_timeout: Duration,
}

impl Standby {
    /// This configuration, if there is a standby.
    pub fn when(mode: StandbyMode, lag: Duration, failover_after: Duration, sync_timeout: Duration) -> Option<Standby> {
        let lag = if mode == StandbyMode::Sync { Duration::ZERO } else { lag };
        mode.exists().then_some(Standby { mode, lag, failover_after, sync_timeout })
    }
}

/// The replication state of one server of the pair.
pub(super) struct Replica {
    rules: Standby,
    /// The index in [`PAIR`].
    index: usize,
    role: Role,
    history: History,
    /// The time of the last event that keeps this server from promoting itself.
    heard: Mono,
    /// The log position that the peer has received.
    received: u32,
    /// The log position up to which entries were sent.
    sent: u32,
    /// The log position up to which entries are due to be sent.
    due: u32,
    pub patroni: Patroni,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Leads,
    /// A former leader after a restart, until it knows whether it still leads.
    Returns,
    Follows,
}

impl Replica {
    pub fn new(rules: Standby, index: usize) -> Self {
        let role = if index == 0 { Role::Leads } else { Role::Follows };
        let history = History { timeline: 1, ancestor: 0, fork: 0 };
        Replica {
            rules,
            index,
            role,
            history,
            heard: Mono(0),
            received: 0,
            sent: 0,
            due: 0,
            patroni: Patroni::default(),
        }
    }

    pub fn mode(&self) -> StandbyMode {
        self.rules.mode
    }

    pub fn sync_timeout(&self) -> Duration {
        self.rules.sync_timeout
    }

    /// Patroni's `ttl`.
    pub fn ttl(&self) -> Duration {
        self.rules.failover_after
    }

    pub fn index(&self) -> usize {
        self.index
    }

    pub fn role(&self) -> Role {
        self.role
    }

    pub fn set_role(&mut self, role: Role) {
        self.role = role;
    }

    /// Whether silence decides who leads.
    fn watches_silence(&self) -> bool {
        self.mode() != StandbyMode::Patroni
    }

    pub fn leads(&self) -> bool {
        self.role == Role::Leads
    }

    /// Whether it leads, or led when it stopped.
    pub fn leads_or_returns(&self) -> bool {
        self.role != Role::Follows
    }

    pub fn timeline(&self) -> u32 {
        self.history.timeline
    }

    /// The timeline of a promotion: higher than every known one, and never one that the peer would take.
    fn next_timeline(&self) -> u32 {
        let next = self.history.timeline + 1;
        if (next % 2 == 1) == (self.index == 0) { next } else { next + 1 }
    }

    pub fn crash(&mut self, fate: DiskFate) {
        if fate == DiskFate::Wipe {
            self.history = History { timeline: 0, ancestor: 0, fork: 0 };
        }
        let led = self.role != Role::Follows && fate != DiskFate::Wipe;
        self.role = if led { Role::Returns } else { Role::Follows };
        (self.received, self.sent, self.due) = (0, 0, 0);
        self.patroni.restart();
    }
}

impl Sql {
    pub(super) fn start_replica(&mut self, env: &mut Env<'_, SqlMessage>) {
        let length = self.tables.length();
        let Some(replica) = &mut self.replica else { return };
        replica.heard = env.mono();
        replica.due = length;
        env.lead(replica.leads());
        let patroni = !replica.watches_silence();
        self.monitor(env);
        if patroni {
            self.start_cycle(env);
        }
    }

    /// Sends a sign of life as a primary, or checks for one as a standby.
    pub(super) fn monitor(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &mut self.replica else { return };
        env.set_timer(MONITOR_INTERVAL, Timer::Beat.tag());
        let silent = replica.watches_silence() && env.mono() - replica.heard >= replica.rules.failover_after;
        match replica.role {
            // A server without data never replaces one that has some.
            Role::Follows if replica.timeline() == 0 => self.send_received(env),
            Role::Follows if silent => self.promote(env),
            Role::Returns if silent => self.lead_again(env),
            _ => {}
        }
        if let Some(replica) = self.replica.as_mut().filter(|replica| replica.leads_or_returns()) {
            // Lost messages are sent again.
            replica.sent = replica.received;
            self.ship(env);
        }
    }

    /// Leads on its own timeline.
    pub(super) fn lead_again(&mut self, env: &mut Env<'_, SqlMessage>) {
        self.settle_unconfirmed(env);
        self.lead(env);
    }

    fn lead(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &mut self.replica else { return };
        replica.role = Role::Leads;
        env.lead(true);
    }

    /// Schedules the replication of a committed change.
    pub(super) fn committed(&mut self, env: &mut Env<'_, SqlMessage>) {
        let length = self.tables.length();
        match &self.replica {
            Some(Replica { rules, .. }) if rules.lag.is_zero() => self.replication_due(env, length),
            Some(Replica { rules, .. }) => {
                env.set_timer(rules.lag, Timer::Ship(length).tag());
            }
            None => {}
        }
    }

    /// Sends the log up to this position, which is due now.
    pub(super) fn replication_due(&mut self, env: &mut Env<'_, SqlMessage>, length: u32) {
        if let Some(replica) = self.replica.as_mut().filter(|replica| replica.leads()) {
            replica.due = replica.due.max(length);
            self.ship(env);
        }
    }

    fn ship(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &mut self.replica else { return };
        let (from, history) = (replica.sent, replica.history);
        let entries = self.tables.between(from, replica.due);
        replica.sent = from + entries.len() as u32;
        env.send(env.find(PAIR[1 - replica.index]), SqlMessage::Ship { history, from, entries });
    }

    pub(super) fn on_peer_message(&mut self, env: &mut Env<'_, SqlMessage>, message: SqlMessage) {
        let Some(replica) = &mut self.replica else { return };
        match message {
            SqlMessage::Ship { history, from, entries } => {
                if history.timeline < replica.timeline() {
                    // The sender does not know yet that it was replaced.
                    return if replica.leads_or_returns() {
                        self.ship(env)
                    };
                }
                if history.timeline > replica.timeline() {
                    self.join_timeline(env, history);
                }
                self.receive(env, from, entries);
            }
            SqlMessage::Received { timeline, length } if timeline == replica.timeline() => {
                replica.received = length;
                match replica.role {
                    Role::Leads => self.confirm(env, length),
                    Role::Returns if replica.watches_silence() => self.lead_again(env),
                    // Both lost everything and start over. Patroni leaves this to the operator.
                    Role::Follows if timeline == 0 && replica.index == 0 && replica.watches_silence() => {
                        self.promote(env);
                    }
                    _ => {}
                }
            }
            SqlMessage::KeyOwner { owner, cycle } => self.see_key_owner(env, owner, cycle),
            SqlMessage::AskStatus => self.answer_status(env),
            SqlMessage::Status { leads, timeline, length } => self.see_status(env, leads, (timeline, length)),
            _ => {}
        }
    }

    fn receive(&mut self, env: &mut Env<'_, SqlMessage>, from: u32, entries: Vec<Entry>) {
        let known = self.tables.length().checked_sub(from);
        let new = entries.into_iter().skip(known.unwrap_or(u32::MAX) as usize);
        new.for_each(|entry| self.tables.commit(entry));
        let length = self.tables.length();
        let Some(replica) = &mut self.replica else { return };
        (replica.heard, replica.due) = (env.mono(), length);
        self.send_received(env);
    }

    fn send_received(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &self.replica else { return };
        let received = SqlMessage::Received { timeline: replica.timeline(), length: self.tables.length() };
        env.send(env.find(PAIR[1 - replica.index]), received);
    }

    pub(super) fn promote(&mut self, env: &mut Env<'_, SqlMessage>) {
        self.settle_unconfirmed(env);
        let fork = self.tables.length();
        let Some(replica) = &mut self.replica else { return };
        let ancestor = replica.timeline();
        replica.history = History { timeline: replica.next_timeline(), ancestor, fork };
        (replica.received, replica.sent, replica.due) = (fork, fork, fork);
        let timeline = replica.timeline();
        self.lead(env);
        if timeline > self.surviving.borrow().timeline || ancestor == 0 {
            self.mark_surviving(env, timeline);
        }
    }

    /// Declares this server's state to be the one that survives; changes that only the other server has are lost.
    pub(super) fn mark_surviving(&mut self, env: &mut Env<'_, SqlMessage>, timeline: u32) {
        let row = &self.tables.row;
        let before = std::mem::replace(
            &mut *self.surviving.borrow_mut(),
            SurvivingState {
                timeline,
                version: row.version,
                count: row.count,
                leases: self.tables.leases.clone(),
                unconfirmed: None,
                settled: None,
            },
        );
        self.surviving.borrow_mut().settled = before.settled;
        if row.version < before.version {
            env.note(Event::RolledBack { version: row.version, count: row.count });
        }
        self.expire_lost(env, before.leases.into_iter());
    }

    /// Joins a newer timeline: closes all connections and rewinds to the branching point.
    fn join_timeline(&mut self, env: &mut Env<'_, SqlMessage>, history: History) {
        let Some(replica) = &mut self.replica else { return };
        let common = if history.ancestor == replica.timeline() { history.fork } else { 0 };
        let led = replica.leads_or_returns();
        (replica.history, replica.role) = (history, Role::Follows);
        env.lead(false);
        if led {
            self.close_all(env);
        }
        let before = self.tables.leases.clone();
        self.tables.rewind(common.min(self.tables.length()));
        if led {
            let surviving = self.surviving.borrow().leases.clone();
            let lost = |(resource, row): &(_, LeaseRow)| {
                surviving.get(resource).is_none_or(|other| other.holder != row.holder)
            };
            self.expire_lost(env, before.into_iter().filter(lost));
        }
    }
}
