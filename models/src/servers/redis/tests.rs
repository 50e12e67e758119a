//! Tests of the data set: commands, scripts, expiry, replay.

use std::time::Duration;

use fencepost_sim::{SimTime, Wall, WallDeadline};

use super::*;
use crate::history::{Cause, GrantId, ResourceId};

/// A manual clock, in milliseconds.
struct ManualClock(u64);

impl WallClock for ManualClock {
    fn now(&self) -> Wall {
        self.deadline(Duration::ZERO).at
    }

    fn deadline(&self, after: Duration) -> WallDeadline {
        WallDeadline::of_true_time(SimTime(0) + Duration::from_millis(self.0) + after)
    }

    fn passed(&mut self, deadline: WallDeadline) -> bool {
        self.now() >= deadline.at
    }
}

const KEY: ResourceId = ResourceId(0);
const A: GrantId = GrantId(1);
const B: GrantId = GrantId(2);

fn set(value: GrantId) -> RedisMessage {
    RedisMessage::SetNxPx { value, ttl_ms: 100, key: KEY }
}

fn lock(owner: GrantId, attempt: GrantId, within: Option<GrantId>) -> RedisMessage {
    RedisMessage::Lock { owner, ttl_ms: 100, numbered: true, attempt, within, key: KEY }
}

fn unlock(owner: GrantId, on_behalf: GrantId) -> RedisMessage {
    RedisMessage::Unlock { owner, ttl_ms: 100, on_behalf, key: KEY }
}

/// Applies commands, each at its time, and returns the changes of grants.
fn run(commands: &[(u64, RedisMessage)]) -> (Keyspace, Vec<GrantChange>) {
    let mut keys = Keyspace::default();
    let changes =
        commands.iter().flat_map(|(at, command)| keys.apply(command, &mut ManualClock(*at)).grant_changes).collect();
    (keys, changes)
}

#[test]
fn a_key_expires_at_its_deadline_and_not_before() {
    let (_, changes) = run(&[(0, set(A)), (99, set(B)), (100, set(B))]);
    assert_eq!(changes, [GrantChange::Granted(A), GrantChange::Ended(A, Cause::Expired), GrantChange::Granted(B)]);
}

#[test]
fn a_key_without_expiry_stays() {
    let (keys, changes) = run(&[(0, RedisMessage::SetNx { value: A, key: KEY }), (u64::from(u32::MAX), set(B))]);
    assert_eq!((changes, keys.next_expiry()), (vec![GrantChange::Granted(A)], None));
}

#[test]
fn a_compared_delete_keeps_another_value_and_a_blind_one_does_not() {
    let (_, spared) = run(&[(0, set(A)), (1, RedisMessage::DelIfEqual { value: B, key: KEY })]);
    assert_eq!(spared, [GrantChange::Granted(A)]);
    let (_, deleted) = run(&[(0, set(A)), (1, RedisMessage::Del { on_behalf: B, key: KEY })]);
    assert_eq!(deleted, [GrantChange::Granted(A), GrantChange::Ended(A, Cause::Released(B))]);
}

#[test]
fn an_extension_needs_the_same_value() {
    let extend = |value| RedisMessage::ExtendIfEqual { value, ttl_ms: 100, key: KEY };
    let (keys, _) = run(&[(0, set(A)), (50, extend(B)), (60, extend(A))]);
    assert_eq!(keys.next_expiry(), Some(ManualClock(160).deadline(Duration::ZERO)));
}

#[test]
fn the_last_unlock_frees_the_lock_and_notifies_subscribers() {
    let (mut keys, changes) = run(&[(0, lock(A, A, None)), (1, lock(A, B, Some(A))), (2, unlock(A, A))]);
    assert_eq!(changes, [GrantChange::Granted(A)]);
    let freed = keys.apply(&unlock(A, A), &mut ManualClock(3));
    assert_eq!((freed.grant_changes, freed.publish), (vec![GrantChange::Ended(A, Cause::Released(A))], Some(KEY)));
    assert!(matches!(keys.apply(&unlock(A, A), &mut ManualClock(4)).reply, RedisMessage::Nothing));
}

#[test]
fn a_grant_with_a_lost_reply_passes_to_the_next_attempt_and_still_counts() {
    let (mut keys, changes) = run(&[(0, lock(A, A, None)), (1, lock(A, B, None)), (2, unlock(A, B))]);
    assert_eq!(changes, [GrantChange::Granted(A), GrantChange::Ended(A, Cause::Revoked), GrantChange::Granted(B)]);
    let busy = keys.apply(&lock(GrantId(9), GrantId(9), None), &mut ManualClock(52)).reply;
    assert!(matches!(busy, RedisMessage::Busy { left_ms: Some(50) }), "{busy:?}");
}

#[test]
fn every_acquire_increments_the_token_and_no_release_decrements_it() {
    let mut keys = Keyspace::default();
    let mut token = |command: &RedisMessage| match keys.apply(command, &mut ManualClock(0)).reply {
        RedisMessage::Locked { token, .. } => token,
        _ => None,
    };
    assert_eq!(token(&lock(A, A, None)), Some(1));
    assert_eq!(token(&lock(A, B, Some(A))), Some(2));
    assert_eq!([token(&unlock(A, A)), token(&unlock(A, A))], [None, None]);
    assert_eq!(token(&lock(B, B, None)), Some(3));
}

#[test]
fn replayed_records_give_the_same_data() {
    let commands = [(0, set(A)), (10, lock(B, B, None)), (100, lock(B, B, None)), (150, unlock(B, B)), (160, set(A))];
    let (mut master, mut replica) = (Keyspace::default(), Keyspace::default());
    for (at, command) in commands {
        let applied = master.apply(&command, &mut ManualClock(at));
        applied.records.iter().for_each(|record| replica.replay(record));
        assert_eq!(master, replica);
    }
    let expired = master.expire(&mut ManualClock(1000));
    assert_ne!(master, replica, "a replica waits for its master's DEL");
    expired.records.iter().for_each(|record| replica.replay(record));
    assert_eq!(master, replica);
}
