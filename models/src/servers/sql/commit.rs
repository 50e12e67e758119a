//! Commits, which with a synchronous standby take effect only once the standby has them.
//!
//! - PostgreSQL flushes the commit locally, then waits for the standby; until then others see neither the change nor
//!   the release of its locks (PostgreSQL 17, Log-Shipping Standby Servers, Synchronous Replication).
//! - MySQL's semisynchronous source waits after the sync of its binary log and before the commit to the engine
//!   (`rpl_semi_sync_source_wait_point = AFTER_SYNC`), at most `rpl_semi_sync_source_timeout`; then it is asynchronous
//!   until the replica has caught up (MySQL 8.4 Reference Manual, Semisynchronous Replication).
//!
//! One commit waits at a time; statements that would change something wait behind it.

use std::collections::VecDeque;

use fencepost_sim::{Caller, Session};

use super::log::Entry;
use super::message::SqlMessage;
use super::replica::StandbyMode;
use super::{Sql, Timer};
use crate::guarded::{Accepted, Write};
use crate::history::{Cause, Event};
use crate::wire::Env;

/// An effect of a statement.
#[derive(Clone)]
pub(super) enum Effect {
    /// A durable change.
    Put(Entry),
    /// A note of the ground truth.
    Note(Event),
    /// A write that takes effect.
    Accepted(Write, Accepted),
    /// The end of the transaction.
    EndTransaction(Cause),
}

/// A position in a log: the timeline, and the length.
pub(super) type Position = (u32, u32);

/// The effects of a statement, in order.
pub(super) type Effects = Vec<Effect>;

/// A commit that waits for the standby, and the statements behind it.
#[derive(Default)]
pub(super) struct WaitingCommit {
    first: Option<Waiting>,
    behind: VecDeque<(Caller, SqlMessage)>,
    /// Whether the standby was silent for so long that commits no longer wait.
    degraded: bool,
}

struct Waiting {
    /// The position of the log that the standby must have.
    length: u32,
    from: Caller,
    reply: SqlMessage,
    effects: Effects,
}

impl WaitingCommit {
    /// Whether the session waits for its commit. The end of the session does not stop it.
    pub fn has_session(&self, session: Session) -> bool {
        self.first.as_ref().is_some_and(|first| first.from.session() == session)
    }

    pub fn remove_session(&mut self, session: Session) {
        self.behind.retain(|(from, _)| from.session() != session);
    }
}

impl SqlMessage {
    fn commits(&self) -> bool {
        matches!(
            self,
            SqlMessage::UpdateAlone(_)
                | SqlMessage::Commit { .. }
                | SqlMessage::InsertLease(_)
                | SqlMessage::TakeLease(_)
                | SqlMessage::ExtendLease(_)
                | SqlMessage::ReleaseLease(_)
                | SqlMessage::ReleaseAnyLease(_)
        )
    }
}

impl Sql {
    /// Whether the statement may change something that the standby must have first.
    pub(super) fn waits_for_standby(&self, statement: &SqlMessage) -> bool {
        let sync = self.replica.as_ref().is_some_and(|replica| replica.mode() == StandbyMode::Sync);
        sync && !self.waiting.degraded && statement.commits()
    }

    /// Makes the changes of a statement durable. They take effect once the standby has them.
    pub(super) fn execute_and_wait(
        &mut self,
        env: &mut Env<'_, SqlMessage>,
        from: Caller,
        statement: SqlMessage,
    ) -> Option<SqlMessage> {
        if self.waiting.first.is_some() {
            self.waiting.behind.push_back((from, statement));
            return None;
        }
        self.collected = Some(Effects::new());
        let reply = self.execute(env, from, statement);
        let effects = self.collected.take().unwrap_or_default();
        let changes: Vec<Entry> = effects
            .iter()
            .filter_map(|effect| if let Effect::Put(entry) = effect { Some(*entry) } else { None })
            .collect();
        let (Some(reply), false) = (reply.clone(), changes.is_empty()) else {
            self.apply_effects(env, effects);
            return reply;
        };
        changes.into_iter().for_each(|entry| self.tables.append(entry));
        let length = self.tables.length();
        if self.survives() {
            self.surviving.borrow_mut().unconfirmed = Some((self.position(length), effects.clone()));
        }
        self.waiting.first = Some(Waiting { length, from, reply, effects });
        let timeout = self.replica.as_ref().map(|replica| replica.sync_timeout()).unwrap_or_default();
        if !timeout.is_zero() {
            env.set_timer(timeout, Timer::Unconfirmed(length).tag());
        }
        self.committed(env);
        None
    }

    /// The standby has the log up to this position.
    pub(super) fn confirm(&mut self, env: &mut Env<'_, SqlMessage>, length: u32) {
        if length >= self.tables.length() {
            self.waiting.degraded = false;
        }
        while let Some(first) = self.waiting.first.take_if(|first| first.length <= length) {
            self.end_wait(env, first);
        }
    }

    /// Lets the effects take place, replies, and executes what waited behind.
    fn end_wait(&mut self, env: &mut Env<'_, SqlMessage>, waiting: Waiting) {
        let Waiting { length, from, reply, effects } = waiting;
        let position = self.position(length);
        self.surviving.borrow_mut().unconfirmed.take_if(|(at, _)| *at == position);
        // The standby may have taken over with this commit, which its notes say already.
        let settled = self.surviving.borrow().settled == Some(position);
        let noted = |effect: &Effect| settled && matches!(effect, Effect::Note(_) | Effect::Accepted(..));
        effects.into_iter().filter(|effect| !noted(effect)).for_each(|effect| self.apply_effect(env, effect));
        env.reply(from, reply);
        while self.waiting.first.is_none() {
            let Some((from, statement)) = self.waiting.behind.pop_front() else { break };
            self.run(env, from, statement);
        }
    }

    /// Commits no longer wait: `rpl_semi_sync_source_timeout` passed.
    pub(super) fn stop_waiting_for_standby(&mut self, env: &mut Env<'_, SqlMessage>, length: u32) {
        let Some(first) = self.waiting.first.take_if(|first| first.length == length) else { return };
        self.waiting.degraded = true;
        self.end_wait(env, first);
    }

    fn position(&self, length: u32) -> Position {
        (self.replica.as_ref().map_or(0, |replica| replica.timeline()), length)
    }

    /// Lets the effects of an unconfirmed commit take place at a server that is about to lead and has it.
    pub(super) fn settle_unconfirmed(&mut self, env: &mut Env<'_, SqlMessage>) {
        let (timeline, length) = self.position(self.tables.length());
        let has = |(at, _): &mut (Position, Effects)| at.0 == timeline && at.1 <= length;
        let Some((position, effects)) = self.surviving.borrow_mut().unconfirmed.take_if(has) else { return };
        self.surviving.borrow_mut().settled = Some(position);
        for effect in effects {
            match effect {
                Effect::Put(Entry::Lease(resource, row)) => {
                    self.surviving.borrow_mut().leases.insert(resource, row);
                }
                Effect::Note(event) => env.note(event),
                Effect::Accepted(write, accepted) => self.note_accepted(env, &write, accepted),
                Effect::Put(Entry::Row(_)) | Effect::EndTransaction(_) => {}
            }
        }
    }

    /// Lets an effect take place now, or with the commit of the statement.
    pub(super) fn effect(&mut self, env: &mut Env<'_, SqlMessage>, effect: Effect) {
        if let Some(collected) = &mut self.collected {
            return collected.push(effect);
        }
        if let Effect::Put(entry) = &effect {
            self.tables.append(*entry);
            self.committed(env);
        }
        self.apply_effect(env, effect);
    }

    fn apply_effects(&mut self, env: &mut Env<'_, SqlMessage>, effects: Effects) {
        effects.into_iter().for_each(|effect| self.effect(env, effect));
    }

    fn apply_effect(&mut self, env: &mut Env<'_, SqlMessage>, effect: Effect) {
        match effect {
            Effect::Put(entry) => {
                self.tables.apply(entry);
                if let (Entry::Lease(resource, row), true) = (entry, self.survives()) {
                    self.surviving.borrow_mut().leases.insert(resource, row);
                }
            }
            Effect::Note(event) => env.note(event),
            Effect::Accepted(write, accepted) => self.note_accepted(env, &write, accepted),
            Effect::EndTransaction(cause) => self.end_transaction(env, cause),
        }
    }
}
