//! `acquireLock`.

use std::time::Duration;

use fencepost_sim::{CallError, Mono, MonoDeadline};

use super::client::{Client, Condition, LockItem, LockRow, RecordNumber};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::servers::conditional::{Item, ItemMessage};

/// The item for which a waiter waits.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    number: RecordNumber,
    expires: MonoDeadline,
}

/// One acquire: `acquireLock` and its variables.
pub(super) struct Acquiring<'a> {
    client: &'a Client,
    attempt: Attempt,
    started: Mono,
    /// `millisecondsToWait`.
    wait_limit: Duration,
    /// `lockTryingToBeAcquired`.
    seen: Option<Seen>,
    /// A put whose outcome is unknown.
    unsure: Option<LockError>,
}

impl<'a> Acquiring<'a> {
    pub fn new(client: &'a Client, attempt: Attempt) -> Self {
        let wait_limit = client.params.additional_time_to_wait.0;
        Acquiring { client, attempt, started: client.ctx.mono(), wait_limit, seen: None, unsure: None }
    }

    /// Polls until it has the lock, or until the real client would give up.
    pub async fn run(mut self) -> Result<Grant, LockError> {
        let (ctx, refresh) = (&self.client.ctx, self.client.params.refresh_period.0);
        let mut first = true;
        loop {
            if let Some(grant) = self.poll(std::mem::take(&mut first)).await? {
                return Ok(grant);
            }
            let over = ctx.mono() - self.started > self.wait_limit;
            if !over {
                ctx.sleep_until(self.attempt.give_up.min(ctx.mono() + refresh)).await;
            }
            if over || ctx.mono() >= self.attempt.give_up {
                return Err(self.unsure.unwrap_or(LockError::Failed(Reason::Busy)));
            }
        }
    }

    /// One round of the loop. Only an "unavailable" reply is an error, which the loop does not catch.
    async fn poll(&mut self, first: bool) -> Result<Option<Grant>, LockError> {
        let step = first.then_some("acquire-sent");
        match self.client.ask(ItemMessage::Get { resource: self.client.resource }, self.within(), step).await {
            Ok(ItemMessage::Found { item, .. }) => match self.condition(item)? {
                Some(condition) => self.put(condition).await,
                None => Ok(None),
            },
            Ok(_) => Err(self.unavailable()),
            Err(_) => Ok(None),
        }
    }

    /// The condition for a put now, given the item found.
    fn condition(&mut self, found: Option<LockRow>) -> Result<Option<Condition>, LockError> {
        let Some(row) = found else { return Ok(Some(Condition::Absent)) };
        if row.released {
            return Ok(Some(Condition::Released));
        }
        let ctx = &self.client.ctx;
        let fresh = Seen { number: row.number, expires: ctx.deadline(ctx.mono(), row.lease()) };
        if self.client.params.skip_blocking_wait {
            let known = self.client.observed.get().filter(|seen| seen.number == row.number);
            if known.is_some_and(|seen| ctx.passed(seen.expires)) {
                return Ok(Some(Condition::Number(row.number)));
            }
            self.client.observed.set(known.or(Some(fresh)));
            // `LockCurrentlyUnavailableException`.
            return Err(self.unsure.unwrap_or(LockError::Failed(Reason::Busy)));
        }
        match &self.seen {
            Some(seen) if seen.number == row.number => {
                return Ok(ctx.passed(seen.expires).then_some(Condition::Number(row.number)));
            }
            Some(_) => {}
            None => self.wait_limit += row.lease(),
        }
        self.seen = Some(fresh);
        Ok(None)
    }

    async fn put(&mut self, condition: Condition) -> Result<Option<Grant>, LockError> {
        let Client { ctx, params, resource, .. } = self.client;
        let row = self.client.new_row(self.attempt.id);
        let (looked_up, number, grant) = (ctx.mono(), row.number, self.attempt.id);
        let expires = ctx.deadline(looked_up, params.lease_duration.0);
        let put = ItemMessage::Put { resource: *resource, condition, item: row, on_behalf: grant };
        match self.client.ask(put, self.within(), None).await {
            Ok(ItemMessage::Written { .. }) => {
                *self.client.item.borrow_mut() = Some(LockItem { grant, number, looked_up, expires, beating: true });
                self.client.woken.raise();
                Ok(Some(Grant { id: grant, token: None, valid_until: Some(expires) }))
            }
            Ok(ItemMessage::Unavailable) => Err(self.unavailable()),
            Ok(_) => Ok(None),
            Err(error) => {
                self.unsure = Some(error.into()).filter(|error| matches!(error, LockError::Unknown(_))).or(self.unsure);
                Ok(None)
            }
        }
    }

    fn unavailable(&self) -> LockError {
        self.unsure.unwrap_or(UNAVAILABLE)
    }

    fn within(&self) -> Duration {
        (self.attempt.give_up - self.client.ctx.mono()).min(self.client.params.request_timeout.0)
    }
}

/// The service reported that it did nothing.
pub(super) const UNAVAILABLE: LockError = LockError::Failed(Reason::Call(CallError::Refused));
