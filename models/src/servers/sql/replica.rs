//! Two servers: a primary, and an asynchronous standby that takes over when the primary has been silent for long enough.
//!
//! - A commit is acknowledged before the standby has it; commits that it does not have when it is promoted stay on a
//!   branch of their own and are lost (Patroni, Replication modes, Asynchronous mode durability; PostgreSQL 17,
//!   Log-Shipping Standby Servers).
//! - The standby watches the primary itself and promotes itself, as repmgrd does with two nodes and no witness
//!   (`failover = automatic`; it looks every `monitor_interval_secs`, 2 s by default). How long the primary must have been
//!   silent is `ttl` of Patroni, 30 s by default (Patroni, Dynamic configuration), where repmgrd waits six times 10 s.
//! - Nothing tells a primary that is cut off that it was replaced: there is no third party. It serves whoever reaches it
//!   until it hears of the newer timeline. Then it closes all connections and is rewound to where the two branched
//!   off, as `pg_rewind` does. (Patroni's primaries step down when they lose their consensus store; repmgr's handbook
//!   advises to fence a failed primary.)
//! - A former primary that comes back asks its peer first, and leads on its own only if that is silent for as long as a
//!   standby would wait.
//!
//! Locks of sessions and transactions are in no log: a new primary knows nothing of them.

use std::time::Duration;

use fencepost_sim::Mono;
use fencepost_sim::disk::DiskFate;

use super::log::{Entry, LeaseRow};
use super::message::{History, SqlMessage};
use super::{Sql, Timer, Truth};
use crate::history::Event;
use crate::wire::Env;

/// How often a standby looks for its primary, and a primary shows itself.
pub(crate) const MONITOR_INTERVAL: Duration = Duration::from_secs(2);

/// The names of the two servers: the first primary, and its standby.
pub(crate) const PAIR: [&str; 2] = ["sql", "sql-standby"];

/// How late the standby gets a commit by default. PostgreSQL's documentation only says that it is typically under one
/// second (PostgreSQL 17, Log-Shipping Standby Servers, Streaming Replication); this is a choice within that.
pub(crate) const REPLICATION_LAG: Duration = Duration::from_millis(100);

/// How long the primary must have been silent by default: `ttl` of Patroni.
pub(crate) const FAILOVER_AFTER: Duration = Duration::from_secs(30);

/// How a standby is run.
#[derive(Clone, Copy, Debug)]
pub struct Standby {
    /// A commit is sent to the standby so long after it.
    pub lag: Duration,
    /// The standby promotes itself when the primary has been silent for this long.
    pub failover_after: Duration,
}

impl Standby {
    /// These rules, if there is a standby.
    pub fn when(standby: bool, lag: Duration, failover_after: Duration) -> Option<Standby> {
        standby.then_some(Standby { lag, failover_after })
    }
}

/// What one of two servers knows of itself and the other.
pub(super) struct Replica {
    rules: Standby,
    /// Which of the pair it is.
    place: usize,
    role: Role,
    history: History,
    /// When a server last did what keeps this one from promoting itself.
    heard: Mono,
    /// The peer has the log up to here.
    received: u32,
    /// The log was sent up to here.
    sent: u32,
    /// The log is old enough to be sent up to here.
    ripe: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Leads,
    /// It led before it stopped, and finds out whether it still does.
    Returns,
    Follows,
}

impl Replica {
    pub fn new(rules: Standby, place: usize) -> Self {
        let role = if place == 0 { Role::Leads } else { Role::Follows };
        let history = History { timeline: 1, ancestor: 0, fork: 0 };
        Replica { rules, place, role, history, heard: Mono(0), received: 0, sent: 0, ripe: 0 }
    }

    pub fn leads(&self) -> bool {
        self.role == Role::Leads
    }

    /// Whether its tables are the primary's, even while it finds that out.
    pub fn led(&self) -> bool {
        self.role != Role::Follows
    }

    pub fn timeline(&self) -> u32 {
        self.history.timeline
    }

    /// A promotion's number is higher than all that this server has heard of, and one that its peer never takes.
    fn next_timeline(&self) -> u32 {
        let next = self.history.timeline + 1;
        if (next % 2 == 1) == (self.place == 0) { next } else { next + 1 }
    }

    pub fn crash(&mut self, fate: DiskFate) {
        if fate == DiskFate::Wipe {
            self.history = History { timeline: 0, ancestor: 0, fork: 0 };
        }
        let led = self.role != Role::Follows && fate != DiskFate::Wipe;
        self.role = if led { Role::Returns } else { Role::Follows };
        (self.received, self.sent, self.ripe) = (0, 0, 0);
    }
}

impl Sql {
    /// The process started, for the first time or again.
    pub(super) fn start_replica(&mut self, env: &mut Env<'_, SqlMessage>) {
        let length = self.tables.length();
        let Some(replica) = &mut self.replica else { return };
        replica.heard = env.mono();
        replica.ripe = length;
        env.lead(replica.leads());
        self.beat(env);
    }

    /// The primary shows itself; the standby looks whether it did.
    pub(super) fn beat(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &mut self.replica else { return };
        env.set_timer(MONITOR_INTERVAL, Timer::Beat.tag());
        let silent = env.mono() - replica.heard >= replica.rules.failover_after;
        match replica.role {
            // A server without data never leads one that has some.
            Role::Follows if replica.timeline() == 0 => self.tell_received(env),
            Role::Follows if silent => self.promote(env),
            Role::Returns if silent => self.lead(env),
            _ => {}
        }
        if let Some(replica) = self.replica.as_mut().filter(|replica| replica.led()) {
            // What was lost on the way is sent again.
            replica.sent = replica.received;
            self.ship(env);
        }
    }

    fn lead(&mut self, env: &mut Env<'_, SqlMessage>) {
        if let Some(replica) = &mut self.replica {
            replica.role = Role::Leads;
            env.lead(true);
        }
    }

    /// A change was committed.
    pub(super) fn committed(&mut self, env: &mut Env<'_, SqlMessage>) {
        let length = self.tables.length();
        match &self.replica {
            Some(Replica { rules, .. }) if rules.lag.is_zero() => self.ripen(env, length),
            Some(Replica { rules, .. }) => {
                env.set_timer(rules.lag, Timer::Ship(length).tag());
            }
            None => {}
        }
    }

    /// The log up to this place is old enough to be sent.
    pub(super) fn ripen(&mut self, env: &mut Env<'_, SqlMessage>, length: u32) {
        if let Some(replica) = self.replica.as_mut().filter(|replica| replica.leads()) {
            replica.ripe = replica.ripe.max(length);
            self.ship(env);
        }
    }

    fn ship(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &mut self.replica else { return };
        let (from, history) = (replica.sent, replica.history);
        let entries = self.tables.between(from, replica.ripe);
        replica.sent = from + entries.len() as u32;
        env.send(env.find(PAIR[1 - replica.place]), SqlMessage::Ship { history, from, entries });
    }

    pub(super) fn hear(&mut self, env: &mut Env<'_, SqlMessage>, message: SqlMessage) {
        let Some(replica) = &mut self.replica else { return };
        match message {
            SqlMessage::Ship { history, from, entries } => {
                if history.timeline < replica.timeline() {
                    // It does not know yet that it was replaced.
                    return if replica.led() {
                        self.ship(env)
                    };
                }
                if history.timeline > replica.timeline() {
                    self.follow(env, history);
                }
                self.receive(env, from, entries);
            }
            SqlMessage::Received { timeline, length } if timeline == replica.timeline() => {
                replica.received = length;
                match replica.role {
                    Role::Returns => self.lead(env),
                    // Both lost everything: they begin anew.
                    Role::Follows if timeline == 0 && replica.place == 0 => self.promote(env),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn receive(&mut self, env: &mut Env<'_, SqlMessage>, from: u32, entries: Vec<Entry>) {
        let known = self.tables.length().checked_sub(from);
        let new = entries.into_iter().skip(known.unwrap_or(u32::MAX) as usize);
        new.for_each(|entry| self.tables.commit(entry));
        let length = self.tables.length();
        let Some(replica) = &mut self.replica else { return };
        (replica.heard, replica.ripe) = (env.mono(), length);
        self.tell_received(env);
    }

    fn tell_received(&mut self, env: &mut Env<'_, SqlMessage>) {
        let Some(replica) = &self.replica else { return };
        let received = SqlMessage::Received { timeline: replica.timeline(), length: self.tables.length() };
        env.send(env.find(PAIR[1 - replica.place]), received);
    }

    /// The standby becomes the primary.
    fn promote(&mut self, env: &mut Env<'_, SqlMessage>) {
        let fork = self.tables.length();
        let Some(replica) = &mut self.replica else { return };
        let ancestor = replica.timeline();
        replica.history = History { timeline: replica.next_timeline(), ancestor, fork };
        (replica.received, replica.sent, replica.ripe) = (fork, fork, fork);
        let timeline = replica.timeline();
        self.lead(env);
        if timeline > self.truth.borrow().timeline || ancestor == 0 {
            self.become_truth(env, timeline);
        }
    }

    /// From now on this is the line of history that lasts: what the other one has more is lost.
    pub(super) fn become_truth(&mut self, env: &mut Env<'_, SqlMessage>, timeline: u32) {
        let row = &self.tables.row;
        let before = std::mem::replace(
            &mut *self.truth.borrow_mut(),
            Truth { timeline, version: row.version, count: row.count, leases: self.tables.leases.clone() },
        );
        if row.version < before.version {
            env.note(Event::RolledBack { version: row.version, count: row.count });
        }
        self.outlive(env, before.leases.into_iter());
    }

    /// There is a newer timeline: this server closes all connections, and goes back to where they branched off.
    fn follow(&mut self, env: &mut Env<'_, SqlMessage>, history: History) {
        let Some(replica) = &mut self.replica else { return };
        let common = if history.ancestor == replica.timeline() { history.fork } else { 0 };
        let led = replica.led();
        (replica.history, replica.role) = (history, Role::Follows);
        env.lead(false);
        if led {
            self.expel(env);
        }
        let before = self.tables.leases.clone();
        if self.tables.length() > common {
            self.tables.rewind(common);
        }
        if led {
            let truth = self.truth.borrow().leases.clone();
            let doomed = |(resource, row): &(_, LeaseRow)| {
                truth.get(resource).is_none_or(|true_row| true_row.holder != row.holder)
            };
            self.outlive(env, before.into_iter().filter(doomed));
        }
    }
}
