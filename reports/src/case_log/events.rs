//! The log line of each event of the history.

use fencepost_models::history::{Ack, Cause, Event, GrantId, OrderId, Refusal, Version};
use fencepost_sim::{NodeId, SimTime};

use crate::case_record::names::CaseNames;
use crate::case_record::{CaseRecord, EntryKind};

/// Returns why an outcome is unknown: `connection reset` if the client observed one at that time, or else `timed out`.
fn unknown_reason(record: &CaseRecord, client: NodeId, at: SimTime) -> &'static str {
    let reset = record
        .entries_between(at, at)
        .any(|(_, entry)| matches!(entry.kind, EntryKind::Reset { node, .. } if node == client));
    if reset { "connection reset" } else { "timed out" }
}

/// Returns the text of an event. `counts` are the counts of the guarded rows before the event.
pub(super) fn text(record: &CaseRecord, at: SimTime, event: &Event, counts: [i64; 2]) -> Option<String> {
    client_text(record, at, event)
        .or_else(|| nested_text(record, at, event))
        .or_else(|| server_text(event, &record.names))
        .or_else(|| store_text(record, event, counts))
}

fn client_text(record: &CaseRecord, at: SimTime, event: &Event) -> Option<String> {
    let names = &record.names;
    Some(match *event {
        Event::OrderStarted { order, .. } => format!("start {}", names.order_text(order)),
        Event::AcquireInvoked { grant, .. } if names.grants => {
            format!("acquire{} (grant {})", names.row_text(grant), grant.0)
        }
        Event::AcquireInvoked { grant, .. } => format!("begin (attempt {})", grant.0),
        Event::Acquired { grant, token, .. } if names.grants => {
            let token = token.map_or(String::new(), |token| format!(", token {token}"));
            format!("acquired{} (grant {}{token})", names.row_text(grant), grant.0)
        }
        Event::Acquired { grant, .. } => format!("begun, without a lock (attempt {})", grant.0),
        Event::NotAcquired { client, grant, ack } => not_acquired(record, at, (client, grant), ack),
        Event::ValidityEnded { grant, .. } => format!("validity ended (grant {})", grant.0),
        Event::LossObserved { grant, .. } => format!("lock lost (grant {})", grant.0),
        Event::ReadOk { count, version, .. } => format!("read: {} (version {version})", names.count_text(count)),
        Event::WriteInvoked { order, .. } => format!("write {}", names.order_text(order)),
        Event::WriteReturned { client, order, ack, .. } => match ack {
            Ack::Ok => format!("write acknowledged (order {order})"),
            Ack::Failed => format!("write failed: no effect (order {order})"),
            Ack::Unknown => format!("write outcome unknown: {} (order {order})", unknown_reason(record, client, at)),
        },
        Event::ReleaseInvoked { grant, .. } if names.grants => format!("release (grant {})", grant.0),
        Event::ReleaseInvoked { grant, .. } => format!("end (attempt {})", grant.0),
        Event::ReleaseReturned { grant, .. } if !names.grants => format!("ended (attempt {})", grant.0),
        Event::ReleaseReturned { client, grant, ack } => released(record, at, (client, grant), ack),
        Event::OrderResolved { order, end, .. } => format!("{} {}", names.order_text(order), names.order_end(end)),
        Event::ClientDone { .. } => "done".to_owned(),
        _ => return None,
    })
}

fn nested_text(record: &CaseRecord, at: SimTime, event: &Event) -> Option<String> {
    Some(match *event {
        Event::NestedInvoked { grant, nested, .. } => {
            format!("acquire again while holding grant {} (grant {})", grant.0, nested.0)
        }
        Event::NestedReturned { grant, ack: Ack::Ok, same: true, .. } => {
            format!("acquired again, same grant (grant {})", grant.0)
        }
        Event::NestedReturned { nested, ack: Ack::Ok, .. } => {
            format!("acquired again, as a new grant (grant {})", nested.0)
        }
        Event::NestedReturned { client, nested, ack, .. } => not_acquired(record, at, (client, nested), ack),
        Event::NestedReleaseInvoked { grant, .. } => format!("release of the second acquire (grant {})", grant.0),
        Event::NestedReleaseReturned { client, grant, ack } => released(record, at, (client, grant), ack),
        _ => return None,
    })
}

fn not_acquired(record: &CaseRecord, at: SimTime, (client, grant): (NodeId, GrantId), ack: Ack) -> String {
    match ack {
        Ack::Unknown => format!("acquire outcome unknown: {} (grant {})", unknown_reason(record, client, at), grant.0),
        _ if record.is_held_by_other(grant, at) => format!("acquire failed: busy (grant {})", grant.0),
        _ => format!("acquire failed (grant {})", grant.0),
    }
}

fn released(record: &CaseRecord, at: SimTime, (client, grant): (NodeId, GrantId), ack: Ack) -> String {
    match ack {
        Ack::Ok => format!("released (grant {})", grant.0),
        Ack::Failed => format!("release failed: not held (grant {})", grant.0),
        Ack::Unknown => format!("release outcome unknown: {} (grant {})", unknown_reason(record, client, at), grant.0),
    }
}

fn server_text(event: &Event, names: &CaseNames) -> Option<String> {
    Some(match *event {
        Event::Granted { grant, .. } => format!("grant to {} (grant {})", names.holder(grant), grant.0),
        Event::Ended { grant, cause, .. } => {
            let holder = names.holder(grant);
            match cause {
                Cause::Expired => format!("lease expired: {holder} (grant {})", grant.0),
                Cause::Revoked => format!("session lost: {holder} (grant {})", grant.0),
                Cause::Released(by) if by == grant => format!("released by {holder} (grant {})", grant.0),
                Cause::Released(by) => {
                    let releaser = names.holder(by);
                    format!("grant {} of {holder} ended by {releaser}'s release of grant {}", grant.0, by.0)
                }
            }
        }
        Event::Enqueued { grant, .. } => format!("{} enqueued (grant {})", names.holder(grant), grant.0),
        Event::Withdrawn { grant, .. } => format!("{} dequeued (grant {})", names.holder(grant), grant.0),
        _ => return None,
    })
}

fn store_text(record: &CaseRecord, event: &Event, counts: [i64; 2]) -> Option<String> {
    let names = &record.names;
    Some(match *event {
        Event::ReadAccepted { grant, version } => {
            let data = if names.has_rows() { names.count_text(counts[names.row(grant)]) } else { "its log".to_owned() };
            format!("read by {}: {data} (version {version})", names.holder(grant))
        }
        Event::WriteAccepted { grant, order, count, .. } if !names.has_rows() => {
            let repeated = if count > 1 { format!(", {count} times now") } else { String::new() };
            format!("write accepted from {}: effect of order {order}{repeated}", names.holder(grant))
        }
        Event::WriteAccepted { grant, order, based_on, version, count, .. } => {
            let (holder, before) = (names.holder(grant), counts[names.row(grant)]);
            let overwritten = overwritten(based_on, version);
            format!(
                "write accepted from {holder}: order {order}, count {before} → {count}, version {version} based on \
                 {based_on}{overwritten}"
            )
        }
        Event::OperationRefused { grant, order, why } => {
            let operation = if has_sent_write(record, grant, order) { "write" } else { "read" };
            format!("{operation} rejected: {} ({}, order {order})", refusal(why), names.holder(grant))
        }
        Event::RolledBack { version, count } | Event::OtherRowRolledBack { version, count, .. } => {
            format!("unsynced writes lost: back at version {version}, count {count}")
        }
        _ => return None,
    })
}

fn has_sent_write(record: &CaseRecord, grant: GrantId, order: OrderId) -> bool {
    record.grant(grant).is_some_and(|grant| grant.writes_sent.iter().any(|(_, sent)| *sent == order))
}

/// Returns a clause with the versions that a write overwrites, or an empty string.
fn overwritten(based_on: Version, version: Version) -> String {
    match version.saturating_sub(based_on) {
        0 | 1 => String::new(),
        2 => format!(", overwrites version {}", version - 1),
        _ => format!(", overwrites versions {} to {}", based_on + 1, version - 1),
    }
}

fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Fenced => "stale token",
        Refusal::StaleVersion => "stale version",
        Refusal::NotClaimed => "claim replaced",
        Refusal::SoldOut => "sold out",
    }
}
