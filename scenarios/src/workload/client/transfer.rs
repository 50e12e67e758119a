//! A transfer: money that goes from one account to the other, under a lock on each.
//!
//! Both accounts are locked, then both are read; what is taken from the one is written before what comes to the other.
//! Two locks are no transaction: a client that crashes between the writes, or whose second write is refused, leaves half
//! a transfer behind, and nobody makes that good.

use fencepost_models::guarded::{ReadReply, StoreAccess};
use fencepost_models::history::{OrderEnd, Refusal};
use fencepost_models::{Grant, Lock, LockError, Reason, ResourceId};
use fencepost_sim::Mono;

use super::{Client, Event, FIRST, Order, Pass, SECOND};
use crate::file::AfterUnknown;
use crate::workload::Guarded;

/// The two grants of a transfer, in the order in which they were acquired.
type Held = [(ResourceId, Grant); 2];

impl<L: Lock> Client<L> {
    /// One transfer. The patience is that of both acquires together.
    pub(super) async fn transfer(&mut self, order: &Order, give_up: Mono) -> Pass {
        let [outer, inner] = self.lock_order();
        let Some(first) = self.acquire(outer, give_up).await else { return Pass::Over(OrderEnd::Abandoned) };
        let Some(second) = self.acquire(inner, give_up).await else {
            self.release(outer, &first).await.ok();
            return Pass::Over(OrderEnd::Abandoned);
        };
        let held = [(outer, first), (inner, second)];
        let pass = self.move_money(order, &held).await;
        let keeps =
            matches!(pass, Pass::Over(OrderEnd::Unknown)) && self.shared.clients.after_unknown == AfterUnknown::Keep;
        for (resource, grant) in held.iter().rev() {
            if !(keeps && self.outlive(*resource, grant).await) {
                self.release(*resource, grant).await.ok();
            }
        }
        pass
    }

    /// Whom this client takes from, and to whom it gives: every other client moves money the other way.
    fn direction(&self) -> [ResourceId; 2] {
        if self.ctx.node().index().is_multiple_of(2) { [FIRST, SECOND] } else { [SECOND, FIRST] }
    }

    fn lock_order(&self) -> [ResourceId; 2] {
        let opposite = matches!(self.shared.workload.work.guarded, Guarded::Accounts { opposite: true, .. });
        if opposite { self.direction() } else { [FIRST, SECOND] }
    }

    /// What is done under both locks.
    async fn move_money(&mut self, order: &Order, held: &Held) -> Pass {
        let [from, to] = self.direction();
        let grant_of = |resource| if held[0].0 == resource { &held[0].1 } else { &held[1].1 };
        let debit = StoreAccess { adds: false, row: from, ..self.access(order) };
        let credit = StoreAccess { adds: true, row: to, ..debit };
        let mut rows = [ReadReply { count: 0, version: 0 }; 2];
        for (row, access) in rows.iter_mut().zip([debit, credit]) {
            let grant = grant_of(access.row);
            match self.read(grant, &access).await {
                Ok(read) => *row = read,
                Err(error) => return Pass::Over(self.given_up(grant, error)),
            }
            self.note_read(grant, order, *row);
        }
        self.ctx.reach_step("read").await;
        if let Some(end) = self.needless(&debit, rows[0]) {
            return Pass::Over(end);
        }
        let inner = self.nest(grant_of(FIRST)).await;
        self.ctx.sleep(order.hold).await;
        self.unnest(inner).await;
        if self.shared.clients.check_before_write
            && let Some(lost) = self.lost_one(held).await
        {
            return Pass::Over(self.given_up(lost, LockError::Failed(Reason::NotHeld)));
        }
        self.ctx.sleep(order.prepare).await;
        if let Err(error) = self.write(grant_of(from), &debit, rows[0]).await {
            if error == LockError::Failed(Reason::Refused(Refusal::StaleVersion)) {
                return Pass::Again;
            }
            return Pass::Over(self.given_up(grant_of(from), error));
        }
        match self.write(grant_of(to), &credit, rows[1]).await {
            Ok(()) => Pass::Over(OrderEnd::Acked),
            Err(error) => Pass::Over(self.given_up(grant_of(to), error)),
        }
    }

    /// A grant that is no longer held, as far as the client knows.
    async fn lost_one<'h>(&mut self, held: &'h Held) -> Option<&'h Grant> {
        let mut lost = None;
        for (resource, grant) in held {
            if !self.lock(*resource).check(grant).await {
                lost = Some(grant);
                break;
            }
        }
        self.ctx.reach_step("checked").await;
        lost
    }

    /// How the order ends after this error, which may show that the grant is lost.
    fn given_up(&self, grant: &Grant, error: LockError) -> OrderEnd {
        use Refusal::{Fenced, NotClaimed};
        if matches!(error, LockError::Failed(Reason::NotHeld | Reason::Refused(Fenced | NotClaimed))) {
            self.ctx.note(Event::LossObserved { client: self.ctx.node(), grant: grant.id });
        }
        if matches!(error, LockError::Unknown(_)) { OrderEnd::Unknown } else { OrderEnd::Abandoned }
    }
}
