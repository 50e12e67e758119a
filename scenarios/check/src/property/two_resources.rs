//! Two resources have separate grants, ranks, tokens and queues: histories that are wrong on one resource are legal on
//! two.

use crate::property::Property;
use crate::testing::*;

/// A holds one lock. From 1 s on, B holds the same lock, or the other one if `other`.
fn both_hold(other: bool) -> History {
    let history = history_of(accounts()).granted(A, 1).acquired(A, 1).at(1);
    let history = if other { history.granted_second(B, 2) } else { history.granted(B, 2) };
    history.acquired(B, 2).at(3)
}

#[test]
fn intervals_overlap_only_on_the_same_resource() {
    let (same, other) = (both_hold(false).ends_at(4), both_hold(true).ends_at(4));
    for rule in [Property::GrantExclusion, Property::BeliefExclusion, Property::ValidityExclusion] {
        same.assert_violated(rule);
        other.assert_holds(rule);
    }
}

#[test]
fn a_write_is_stale_only_after_a_higher_rank_of_the_same_resource() {
    let rule = Property::EffectExclusion;
    both_hold(false).sets(2, 0, 0, 1, 9).sets(1, 1, 1, 2, 8).ends_at(4).assert_violated(rule);
    both_hold(true).sets(2, 0, 0, 1, 9).sets(1, 1, 0, 1, 11).ends_at(4).assert_holds(rule);
}

#[test]
fn a_write_overwrites_only_writes_to_the_same_row() {
    let rule = Property::NoLostUpdate;
    let overwrites = |other| both_hold(other).sets(2, 0, 0, 1, 9).acks(B, 0).sets(1, 1, 0, 2, 8).acks(A, 1);
    overwrites(false).ends_at(4).assert_violated(rule);
    overwrites(true).ends_at(4).assert_holds(rule);
}

#[test]
fn tokens_increase_per_resource() {
    let tokens = |other| {
        let history = history_of(accounts()).granted(A, 1).token(A, 1, 7).at(1).releases(A, 1).released(1, 1);
        let history = if other { history.granted_second(B, 2) } else { history.granted(B, 2) };
        history.token(B, 2, 7).ends_at(2)
    };
    tokens(false).assert_violated(Property::Fencing);
    tokens(true).assert_holds(Property::Fencing);
}

#[test]
fn a_grant_overtakes_only_waiters_of_the_same_resource() {
    let queue = |other| {
        let history = history_of(accounts()).requests(A, 1).enqueued(1).at(1);
        let history = if other { history.requests_second(B, 2) } else { history.requests(B, 2) };
        history.enqueued(2).granted_later(2).ends_at(2)
    };
    queue(false).assert_violated(Property::Fifo);
    queue(true).assert_holds(Property::Fifo);
}

#[test]
fn only_a_grant_of_the_same_resource_takes_over() {
    let crashed = |other| {
        let history = history_of(accounts()).granted(A, 1).acquired(A, 1).requests(B, 2).at(1).crashes(A).at(2);
        if other { history.granted_second(C, 3) } else { history.expired(1).granted(C, 3) }
    };
    crashed(false).ends_at(11).assert_holds(Property::Takeover);
    crashed(true).ends_at(11).assert_violated(Property::Takeover);
}
