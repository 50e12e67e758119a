//! The table of lock rows: name → `lock_until`, `locked_at`, `locked_by`. Each statement is its own transaction.
//!
//! The statements are those of ShedLock 7.9.0 (lukas-krecan/ShedLock, SqlStatementsSource.java, and the
//! `…ServerTimeStatementsSource.java` for the database's clock). A row does not mention the attempt; its grant is stored beside it as ground
//! truth.

use std::time::Duration;

use super::Sql;
use super::commit::Effect;
use super::log::{Entry, LeaseRow, millis};
use super::message::{Lease, SqlMessage, Times};
use crate::history::{Cause, Event, ResourceId};
use crate::wire::Env;

impl Times {
    /// The values of `now` and of the time to write when the statement is executed.
    fn resolve(self, env: &Env<'_, SqlMessage>) -> (i64, i64) {
        match self {
            Times::Client { now, until } => (now, until),
            Times::Database { lasts } => {
                let now = millis(env.wall());
                (now, now + lasts)
            }
        }
    }
}

impl Sql {
    pub(super) fn insert_lease(&mut self, env: &mut Env<'_, SqlMessage>, lease: &Lease) -> SqlMessage {
        if self.tables.leases.contains_key(&lease.resource) {
            return SqlMessage::Unchanged;
        }
        self.grant_lease(env, lease)
    }

    pub(super) fn take_lease(&mut self, env: &mut Env<'_, SqlMessage>, lease: &Lease) -> SqlMessage {
        let (now, _) = lease.times.resolve(env);
        let Some(row) = self.tables.leases.get(&lease.resource).filter(|row| row.until <= now) else {
            return SqlMessage::Unchanged;
        };
        if let Some(grant) = row.holder {
            let server = env.node();
            self.effect(env, Effect::Note(Event::Ended { server, grant, cause: Cause::Expired }));
        }
        self.grant_lease(env, lease)
    }

    fn grant_lease(&mut self, env: &mut Env<'_, SqlMessage>, lease: &Lease) -> SqlMessage {
        let (at, until) = lease.times.resolve(env);
        let server = env.node();
        self.effect(env, Effect::Note(Event::Granted { server, grant: lease.attempt }));
        self.put_lease(env, lease.resource, LeaseRow { until, at, by: lease.by, holder: Some(lease.attempt) })
    }

    pub(super) fn extend_lease(&mut self, env: &mut Env<'_, SqlMessage>, lease: &Lease) -> SqlMessage {
        let (now, until) = lease.times.resolve(env);
        match self.tables.leases.get(&lease.resource).copied() {
            Some(row) if row.by == lease.by && row.until > now => {
                self.put_lease(env, lease.resource, LeaseRow { until, ..row })
            }
            _ => SqlMessage::Unchanged,
        }
    }

    pub(super) fn release_lease(&mut self, env: &mut Env<'_, SqlMessage>, lease: &Lease) -> SqlMessage {
        match self.tables.leases.get(&lease.resource).copied() {
            Some(row) if row.by == lease.by => self.end_lease(env, lease, row),
            _ => SqlMessage::Unchanged,
        }
    }

    /// Releases the row, whoever has locked it.
    pub(super) fn release_any_lease(&mut self, env: &mut Env<'_, SqlMessage>, lease: &Lease) -> SqlMessage {
        match self.tables.leases.get(&lease.resource).copied() {
            Some(row) => self.end_lease(env, lease, row),
            None => SqlMessage::Unchanged,
        }
    }

    fn end_lease(&mut self, env: &mut Env<'_, SqlMessage>, lease: &Lease, row: LeaseRow) -> SqlMessage {
        let until = match lease.times {
            Times::Client { until, .. } => until,
            Times::Database { lasts } => millis(env.wall()).max(row.at + lasts),
        };
        if let Some(grant) = row.holder {
            let server = env.node();
            self.effect(env, Effect::Note(Event::Ended { server, grant, cause: Cause::Released(lease.attempt) }));
        }
        self.put_lease(env, lease.resource, LeaseRow { until, holder: None, ..row })
    }

    fn put_lease(&mut self, env: &mut Env<'_, SqlMessage>, resource: ResourceId, row: LeaseRow) -> SqlMessage {
        self.effect(env, Effect::Put(Entry::Lease(resource, row)));
        SqlMessage::Changed
    }

    /// Keeps the grants of lost rows until their deadlines, as ground truth.
    pub(super) fn expire_lost(
        &self,
        env: &mut Env<'_, SqlMessage>,
        lost: impl Iterator<Item = (ResourceId, LeaseRow)>,
    ) {
        for (resource, row) in lost {
            let kept = self.tables.leases.get(&resource).and_then(|row| row.holder);
            if let Some(grant) = row.holder.filter(|holder| Some(*holder) != kept) {
                let left = left(env, row.until);
                env.note_after(left, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
            }
        }
    }
}

fn left(env: &Env<'_, SqlMessage>, until: i64) -> Duration {
    Duration::from_millis(u64::try_from(until - millis(env.wall())).unwrap_or(0))
}
