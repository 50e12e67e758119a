//! The steps of a unit of work under one lock.

use fencepost_models::history::{OrderEnd, Refusal};
use fencepost_models::{Grant, LockError, Reason};
use fencepost_sim::Mono;

use super::{AttemptResult, ClientOps, FIRST};
use crate::file::{AfterUnknown, OnUnknown};
use crate::workload::Order;

/// Performs the steps once.
pub(super) async fn run(client: &mut dyn ClientOps, order: &Order, give_up: Mono) -> AttemptResult {
    let Some(grant) = client.acquire(FIRST, give_up).await else {
        return AttemptResult::Resolved(OrderEnd::Abandoned);
    };
    let access = client.access(order);
    let row = match client.read(&grant, &access).await {
        Ok(row) => row,
        Err(error) => return abort(client, &grant, error).await,
    };
    client.step("read").await;
    if let Some(end) = client.nothing_to_do(&access, row) {
        client.release(FIRST, &grant).await.ok();
        return AttemptResult::Resolved(end);
    }
    client.hold(&grant, order.hold).await;
    if client.clients().check_before_write {
        let checked = client.check(FIRST, &grant).await;
        client.step("checked").await;
        if let Err(error) = checked {
            return abort(client, &grant, error).await;
        }
    }
    client.sleep(order.prepare).await;
    let written = client.write(&grant, &access, row).await;
    conclude(client, &grant, written).await
}

/// Leaves the critical section without a write.
async fn abort(client: &mut dyn ClientOps, grant: &Grant, error: LockError) -> AttemptResult {
    if matches!(error, LockError::Failed(Reason::NotHeld | Reason::Refused(_))) {
        client.note_loss(grant);
    }
    client.release(FIRST, grant).await.ok();
    AttemptResult::Resolved(OrderEnd::Abandoned)
}

/// Releases after the write, and resolves the order.
async fn conclude(client: &mut dyn ClientOps, grant: &Grant, written: Result<(), LockError>) -> AttemptResult {
    if matches!(written, Err(LockError::Failed(Reason::Refused(Refusal::Fenced | Refusal::NotClaimed)))) {
        client.note_loss(grant);
    }
    let unknown = matches!(written, Err(LockError::Unknown(_)));
    let keeps = unknown && client.clients().after_unknown == AfterUnknown::Keep;
    if keeps && client.keep_until_expiry(FIRST, grant).await {
        return AttemptResult::Resolved(OrderEnd::Unknown);
    }
    let released = client.release(FIRST, grant).await;
    let commits = client.commits_at_release();
    let retries = client.clients().on_unknown != OnUnknown::GiveUp;
    match if commits && written.is_ok() { released } else { written } {
        Ok(()) => AttemptResult::Resolved(OrderEnd::Acked),
        Err(LockError::Failed(Reason::Refused(Refusal::SoldOut))) => AttemptResult::Resolved(OrderEnd::SoldOut),
        Err(LockError::Failed(Reason::Refused(Refusal::StaleVersion))) => AttemptResult::Retry,
        Err(LockError::Failed(_)) => AttemptResult::Resolved(OrderEnd::Abandoned),
        Err(LockError::Unknown(_)) if commits && retries => AttemptResult::Retry,
        Err(LockError::Unknown(_)) => AttemptResult::Resolved(OrderEnd::Unknown),
    }
}
