//! The steps of a transfer: money moves from one account to the other, under a lock on each.
//!
//! The client locks both accounts, then reads both. It writes the debit before the credit. Two locks do not
//! make a transaction. If a client crashes between the writes, or its second write is refused, half a transfer remains
//! and is never repaired.

use fencepost_models::guarded::{ReadReply, StoreAccess};
use fencepost_models::history::{OrderEnd, Refusal};
use fencepost_models::{Grant, LockError, Reason, ResourceId};
use fencepost_sim::Mono;

use crate::file::AfterUnknown;
use crate::workload::client::{FIRST, SECOND};
use crate::workload::{AttemptResult, ClientOps, Order, Steps};

/// Every client locks the first account first.
pub(super) const ASCENDING: Steps = Steps {
    name: "two-locks-ascending",
    run: |client, order, give_up| Box::pin(transfer(client, order, give_up, [FIRST, SECOND])),
};

/// Every client first locks the account that it debits.
pub(super) const OPPOSITE: Steps = Steps {
    name: "two-locks-opposite",
    run: |client, order, give_up| {
        let lock_order = direction(client);
        Box::pin(transfer(client, order, give_up, lock_order))
    },
};

/// The two grants of a transfer, in the order in which they were acquired.
type Held = [(ResourceId, Grant); 2];

/// Returns the account that this client debits, then the one that it credits. Every other client reverses them.
fn direction(client: &dyn ClientOps) -> [ResourceId; 2] {
    if client.node().index().is_multiple_of(2) { [FIRST, SECOND] } else { [SECOND, FIRST] }
}

/// Performs one transfer. Both acquires share the deadline `give_up`.
async fn transfer(
    client: &mut dyn ClientOps,
    order: &Order,
    give_up: Mono,
    [outer, inner]: [ResourceId; 2],
) -> AttemptResult {
    let Some(first) = client.acquire(outer, give_up).await else {
        return AttemptResult::Resolved(OrderEnd::Abandoned);
    };
    let Some(second) = client.acquire(inner, give_up).await else {
        client.release(outer, &first).await.ok();
        return AttemptResult::Resolved(OrderEnd::Abandoned);
    };
    let held = [(outer, first), (inner, second)];
    let result = move_money(client, order, &held).await;
    let unknown = matches!(result, AttemptResult::Resolved(OrderEnd::Unknown));
    let keeps = unknown && client.clients().after_unknown == AfterUnknown::Keep;
    for (resource, grant) in held.iter().rev() {
        if !(keeps && client.keep_until_expiry(*resource, grant).await) {
            client.release(*resource, grant).await.ok();
        }
    }
    result
}

/// Performs the steps under both locks.
async fn move_money(client: &mut dyn ClientOps, order: &Order, held: &Held) -> AttemptResult {
    let [from, to] = direction(client);
    let grant_of = |resource| if held[0].0 == resource { &held[0].1 } else { &held[1].1 };
    let debit = StoreAccess { adds: false, row: from, ..client.access(order) };
    let credit = StoreAccess { adds: true, row: to, ..debit };
    let mut rows = [ReadReply { count: 0, version: 0 }; 2];
    for (row, access) in rows.iter_mut().zip([debit, credit]) {
        let grant = grant_of(access.row);
        match client.read(grant, &access).await {
            Ok(read) => *row = read,
            Err(error) => return AttemptResult::Resolved(end_after(client, grant, error)),
        }
    }
    client.step("read").await;
    if let Some(end) = client.nothing_to_do(&debit, rows[0]) {
        return AttemptResult::Resolved(end);
    }
    client.hold(grant_of(FIRST), order.hold).await;
    if client.clients().check_before_write
        && let Err((lost, error)) = check_all(client, held).await
    {
        end_after(client, lost, error);
        return AttemptResult::Resolved(OrderEnd::Abandoned);
    }
    client.sleep(order.prepare).await;
    if let Err(error) = client.write(grant_of(from), &debit, rows[0]).await {
        if error == LockError::Failed(Reason::Refused(Refusal::StaleVersion)) {
            return AttemptResult::Retry;
        }
        return AttemptResult::Resolved(end_after(client, grant_of(from), error));
    }
    match client.write(grant_of(to), &credit, rows[1]).await {
        Ok(()) => AttemptResult::Resolved(OrderEnd::Acked),
        Err(error) => AttemptResult::Resolved(end_after(client, grant_of(to), error)),
    }
}

/// Asks the library about each grant, and returns the first that fails the check.
async fn check_all<'h>(client: &mut dyn ClientOps, held: &'h Held) -> Result<(), (&'h Grant, LockError)> {
    let mut checked = Ok(());
    for (resource, grant) in held {
        checked = client.check(*resource, grant).await.map_err(|error| (grant, error));
        if checked.is_err() {
            break;
        }
    }
    client.step("checked").await;
    checked
}

/// Returns how the order ends after this error, and records the loss of the grant if the error shows it.
fn end_after(client: &dyn ClientOps, grant: &Grant, error: LockError) -> OrderEnd {
    use Refusal::{Fenced, NotClaimed};
    if matches!(error, LockError::Failed(Reason::NotHeld | Reason::Refused(Fenced | NotClaimed))) {
        client.note_loss(grant);
    }
    if matches!(error, LockError::Unknown(_)) { OrderEnd::Unknown } else { OrderEnd::Abandoned }
}
