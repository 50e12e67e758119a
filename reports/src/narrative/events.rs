//! The events of a history in plain words.

use fencepost_models::history::{Ack, Cause, Event, GrantId, OrderEnd, OrderId, Refusal, Version};
use fencepost_sim::NodeId;

use super::cast::Cast;

/// At which node an event shows, and what it says. The row is still as it was before the event.
pub(super) fn told(event: &Event, cast: &Cast) -> Option<(NodeId, String)> {
    client_event(event, cast)
        .or_else(|| nested_event(event))
        .or_else(|| server_event(event, cast))
        .or_else(|| store_event(event, cast))
}

fn client_event(event: &Event, cast: &Cast) -> Option<(NodeId, String)> {
    Some(match *event {
        Event::OrderStarted { client, order, .. } => (client, format!("starts on {}", cast.order_words(order))),
        Event::AcquireInvoked { client, grant, .. } if cast.grants => {
            (client, format!("asks for the lock{} (attempt {})", cast.place_words(grant), grant.0))
        }
        Event::AcquireInvoked { client, grant, .. } => (client, format!("begins (attempt {})", grant.0)),
        Event::Acquired { client, grant, token, .. } if cast.grants => {
            let token = token.map_or(String::new(), |token| format!(", token {token}"));
            (client, format!("acquires the lock{} (grant {}{token})", cast.place_words(grant), grant.0))
        }
        Event::Acquired { client, grant, .. } => (client, format!("goes ahead without a lock (attempt {})", grant.0)),
        Event::NotAcquired { client, grant, ack } => (client, not_acquired(grant, ack)),
        Event::ValidityEnded { client, grant } => {
            (client, format!("grant {} is no longer valid, by the lock's own reckoning", grant.0))
        }
        Event::LossObserved { client, grant } => {
            (client, format!("notices that it has lost the lock (grant {})", grant.0))
        }
        Event::ReadOk { client, count, version, .. } => {
            (client, format!("reads: {} (version {version})", cast.count_words(count)))
        }
        Event::WriteInvoked { client, order, .. } => {
            (client, format!("sends the write of {}", cast.order_words(order)))
        }
        Event::WriteReturned { client, order, ack, .. } => (client, write_returned(order, ack)),
        Event::ReleaseInvoked { client, grant } => (client, release(grant, cast)),
        Event::ReleaseReturned { client, grant, ack } => (client, release_returned(grant, ack, cast)),
        Event::OrderResolved { client, order, end, .. } => (client, order_end(order, end, cast)),
        Event::ClientDone { client } => (client, "is done".to_owned()),
        _ => return None,
    })
}

fn nested_event(event: &Event) -> Option<(NodeId, String)> {
    Some(match *event {
        Event::NestedInvoked { client, nested, .. } => {
            (client, format!("asks for the lock that it holds (attempt {})", nested.0))
        }
        Event::NestedReturned { client, grant, ack: Ack::Ok, same: true, .. } => {
            (client, format!("has the lock once more (grant {})", grant.0))
        }
        Event::NestedReturned { client, nested, ack, .. } => match ack {
            Ack::Ok => (client, format!("acquires it a second time (grant {})", nested.0)),
            Ack::Failed | Ack::Unknown => (client, not_acquired(nested, ack)),
        },
        Event::NestedReleaseInvoked { client, grant } => {
            (client, format!("releases what it acquired again (grant {})", grant.0))
        }
        Event::NestedReleaseReturned { client, grant, ack } => {
            (client, format!("{} (grant {})", nested_release_returned(ack), grant.0))
        }
        _ => return None,
    })
}

fn nested_release_returned(ack: Ack) -> &'static str {
    match ack {
        Ack::Ok => "learns that this is done",
        Ack::Failed => "learns that there was nothing left to release",
        Ack::Unknown => "does not learn whether this was done",
    }
}

fn not_acquired(grant: GrantId, ack: Ack) -> String {
    match ack {
        Ack::Unknown => format!("does not learn whether it got the lock (attempt {})", grant.0),
        Ack::Ok | Ack::Failed => format!("does not get the lock (attempt {})", grant.0),
    }
}

fn write_returned(order: OrderId, ack: Ack) -> String {
    match ack {
        Ack::Ok => format!("learns that the write of order {order} succeeded"),
        Ack::Failed => format!("learns that the write of order {order} had no effect"),
        Ack::Unknown => format!("does not learn what became of the write of order {order}"),
    }
}

fn release(grant: GrantId, cast: &Cast) -> String {
    if cast.grants { format!("releases the lock (grant {})", grant.0) } else { "is through".to_owned() }
}

fn release_returned(grant: GrantId, ack: Ack, cast: &Cast) -> String {
    match ack {
        _ if !cast.grants => "its transaction is over".to_owned(),
        Ack::Ok => format!("learns that the lock is released (grant {})", grant.0),
        Ack::Failed => format!("learns that there was nothing of its own left to release (grant {})", grant.0),
        Ack::Unknown => format!("does not learn whether its release arrived (grant {})", grant.0),
    }
}

fn order_end(order: OrderId, end: OrderEnd, cast: &Cast) -> String {
    format!("{} {}", cast.order_words(order), cast.order_end(end))
}

fn server_event(event: &Event, cast: &Cast) -> Option<(NodeId, String)> {
    Some(match *event {
        Event::Granted { server, grant } => {
            (server, format!("gives the lock to {} (grant {})", cast.holder(grant), grant.0))
        }
        Event::Ended { server, grant, cause } => (server, ended(grant, cause, cast)),
        Event::Enqueued { server, grant } => {
            (server, format!("lets {} wait in line (attempt {})", cast.holder(grant), grant.0))
        }
        Event::Withdrawn { server, grant } => {
            (server, format!("takes {} out of the line (attempt {})", cast.holder(grant), grant.0))
        }
        _ => return None,
    })
}

fn ended(grant: GrantId, cause: Cause, cast: &Cast) -> String {
    let holder = cast.holder(grant);
    match cause {
        Cause::Expired => format!("expires {holder}'s grant {}", grant.0),
        Cause::Revoked => format!("takes back {holder}'s grant {}", grant.0),
        Cause::Released(by) if by == grant => format!("frees the lock: {holder} released it (grant {})", grant.0),
        Cause::Released(by) => {
            format!(
                "ends {holder}'s grant {} on {}'s release, which was meant for grant {}",
                grant.0,
                cast.holder(by),
                by.0
            )
        }
    }
}

fn store_event(event: &Event, cast: &Cast) -> Option<(NodeId, String)> {
    let words = match *event {
        Event::ReadAccepted { grant, version } => {
            let words = if cast.has_rows() { cast.count_words(cast.count(grant)) } else { "its log".to_owned() };
            format!("lets {} read: {words} (version {version})", cast.holder(grant))
        }
        Event::WriteAccepted { grant, order, count, .. } if !cast.has_rows() => {
            let again = if count > 1 { format!(", for the {count}. time") } else { String::new() };
            format!("sees {} do what order {order} asks for{again}", cast.holder(grant))
        }
        Event::WriteAccepted { grant, order, based_on, version, count, .. } => {
            let who = cast.holder(grant);
            let before = cast.count(grant);
            let lost = overwritten(based_on, version);
            format!(
                "accepts {who}'s write of order {order}: count {before} → {count}, based on version {based_on}{lost}"
            )
        }
        Event::OperationRefused { grant, order, why } => {
            format!("refuses {} (order {order}): {}", cast.holder(grant), refusal(why))
        }
        Event::RolledBack { version, count } | Event::OtherRowRolledBack { version, count, .. } => {
            format!("has lost its newest writes in the crash: back at version {version}, count {count}")
        }
        _ => return None,
    };
    Some((cast.store, words))
}

/// What a write that was computed from an old version wipes out.
fn overwritten(based_on: Version, version: Version) -> String {
    match version.saturating_sub(based_on) {
        0 | 1 => String::new(),
        2 => format!(", which wipes out version {}", version - 1),
        _ => format!(", which wipes out versions {} to {}", based_on + 1, version - 1),
    }
}

fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::Fenced => "it has seen a higher fencing token",
        Refusal::StaleVersion => "somebody else wrote since it was read",
        Refusal::NotClaimed => "its claim is no longer in place",
        Refusal::SoldOut => "not enough is left",
    }
}
