use super::*;
use crate::testing::*;

const RULE: Property = Property::Reentrancy;

/// A holds a lock of this class. A nested acquire gives up after 2 s.
fn holder(reentrancy: Class) -> History {
    history_of(CaseSpec { reentrancy, ..case_spec() }).granted(A, 1).acquired(A, 1).at(1)
}

/// A acquires two more times, within the same grant.
fn nested(reentrancy: Class) -> History {
    holder(reentrancy)
        .acquires_again(A, 1, 2)
        .acquired_again(A, 1, 2, Ack::Ok, true)
        .acquires_again(A, 1, 3)
        .acquired_again(A, 1, 3, Ack::Ok, true)
}

fn release_nested(history: History) -> History {
    history.releases_nested(A, 1).nested_released(A, 1, Ack::Ok)
}

#[test]
fn accepts_a_declared_counter() {
    let history = release_nested(release_nested(nested(Class::Counted).at(2))).at(3).releases(A, 1).released(1, 1);
    history.release_returns(A, 1, Ack::Ok).ends_at(9).assert_holds(RULE);
}

#[test]
fn rejects_an_undeclared_counter() {
    let findings = release_nested(nested(Class::Uncounted).at(2)).ends_at(9);
    findings.assert_violated(RULE);
    assert_eq!(
        findings.sentence(RULE),
        "client-1 held the lock (grant 1, 1st in the grant order) and acquired it again: one of two releases did \
         not free it (2.000000 s); its documentation says uncounted: acquiring again succeeds, and one release \
         frees the lock"
    );
    assert_eq!(findings.named(RULE), (vec![1], vec![A]));
}

#[test]
fn accepts_one_release_for_all_acquires_without_a_counter() {
    let freed =
        |class| nested(class).at(2).releases_nested(A, 1).released(1, 1).nested_released(A, 1, Ack::Ok).ends_at(9);
    let findings = freed(Class::Uncounted);
    findings.assert_holds(RULE);
    findings.assert_holds(Property::OwnerRelease);
    freed(Class::Counted).assert_violated(RULE);
}

#[test]
fn rejects_a_lock_that_is_still_held_after_all_releases() {
    let history = release_nested(release_nested(nested(Class::Counted).at(2))).at(3).releases(A, 1);
    history.release_returns(A, 1, Ack::Ok).ends_at(9).assert_violated(RULE);
}

#[test]
fn accepts_a_declared_refusal() {
    let refused =
        |class| holder(class).acquires_again(A, 1, 2).at(2).acquired_again(A, 1, 2, Ack::Failed, false).ends_at(9);
    refused(Class::Refused).assert_holds(RULE);
    refused(Class::SelfDeadlock).assert_violated(RULE);
    refused(Class::Counted).assert_violated(RULE);
}

#[test]
fn accepts_a_declared_self_deadlock() {
    let waited =
        |class| holder(class).acquires_again(A, 1, 2).at(3).acquired_again(A, 1, 2, Ack::Failed, false).ends_at(9);
    waited(Class::SelfDeadlock).assert_holds(RULE);
    waited(Class::Refused).assert_violated(RULE);
    let without_reply =
        holder(Class::SelfDeadlock).acquires_again(A, 1, 2).at(3).acquired_again(A, 1, 2, Ack::Unknown, false);
    without_reply.ends_at(9).assert_holds(RULE);
}

#[test]
fn a_wait_until_the_outer_grant_ends_is_a_self_deadlock() {
    let waited = |class| {
        let history = holder(class).acquires_again(A, 1, 2).at(2).expired(1).granted_later(2);
        history.acquired_again(A, 1, 2, Ack::Ok, false).ends_at(9)
    };
    waited(Class::SelfDeadlock).assert_holds(RULE);
    waited(Class::Refused).assert_unknown(RULE);
}

#[test]
fn rejects_success_if_refusal_is_declared_and_rejects_any_second_grant() {
    nested(Class::Refused).ends_at(9).assert_violated(RULE);
    let another =
        holder(Class::Counted).acquires_again(A, 1, 2).granted_later(2).acquired_again(A, 1, 2, Ack::Ok, false);
    another.ends_at(9).assert_violated(RULE);
}

#[test]
fn is_unknown_with_faults_or_lost_replies() {
    let faulted = holder(Class::SelfDeadlock).acquires_again(A, 1, 2).fault_begins(0, true);
    faulted.at(2).acquired_again(A, 1, 2, Ack::Failed, false).ends_at(9).assert_unknown(RULE);
    let lost = holder(Class::Refused).acquires_again(A, 1, 2).at(3).acquired_again(A, 1, 2, Ack::Unknown, false);
    lost.ends_at(9).assert_unknown(RULE);
    nested(Class::Counted).crashes(A).ends_at(9).assert_unknown(RULE);
    // A service may clean up after a crashed client without a release by that client.
    nested(Class::Counted).releases_nested(A, 1).crashes(A).released(1, 1).ends_at(9).assert_unknown(RULE);
    release_nested(nested(Class::Counted).at(2).expired(1)).ends_at(9).assert_unknown(RULE);
    holder(Class::Refused)
        .expired(1)
        .acquires_again(A, 1, 2)
        .acquired_again(A, 1, 2, Ack::Ok, false)
        .ends_at(9)
        .assert_unknown(RULE);
    let taken =
        holder(Class::Refused).expired(1).granted(B, 5).acquires_again(A, 1, 2).acquired_again(A, 1, 2, Ack::Ok, false);
    taken.ends_at(9).assert_unknown(RULE);
    let half =
        nested(Class::Counted).releases_nested(A, 1).nested_released(A, 1, Ack::Unknown).releases(A, 1).released(1, 1);
    half.release_returns(A, 1, Ack::Ok).ends_at(9).assert_unknown(RULE);
}

#[test]
fn is_not_applicable_without_nested_acquires() {
    holder(Class::Counted).ends_at(9).assert_not_applicable(RULE);
    holder(Class::NotApplicable).acquires_again(A, 1, 2).ends_at(9).assert_not_applicable(RULE);
}

/// A acquires two more times, releases twice, and invokes the outer release. `ends` adds the events after that.
fn counted(ends: impl Fn(History) -> History) -> crate::check::Findings {
    ends(release_nested(release_nested(nested(Class::Counted).at(2))).at(3).releases(A, 1)).ends_at(9)
}

#[test]
fn only_its_own_release_may_end_the_outer_grant() {
    counted(|history| history.released(1, 1).release_returns(A, 1, Ack::Ok)).assert_holds(RULE);
    counted(|history| history.released(1, 1).release_returns(A, 1, Ack::Unknown)).assert_unknown(RULE);
    counted(|history| history.released(1, 9).release_returns(A, 1, Ack::Ok)).assert_unknown(RULE);
    counted(|history| history.expired(1).release_returns(A, 1, Ack::Ok)).assert_unknown(RULE);
    counted(|history| history.release_returns(A, 1, Ack::Failed)).assert_unknown(RULE);
}

#[test]
fn only_a_nested_release_reveals_a_missing_counter() {
    let freed =
        |class, by| nested(class).at(2).releases_nested(A, 1).released(1, by).nested_released(A, 1, Ack::Ok).ends_at(9);
    freed(Class::Counted, 1).assert_violated(RULE);
    freed(Class::Counted, 9).assert_unknown(RULE);
    freed(Class::Uncounted, 9).assert_unknown(RULE);
    release_nested(nested(Class::Uncounted).at(2).expired(1)).ends_at(9).assert_unknown(RULE);
}

#[test]
fn is_unknown_until_all_releases_return_in_order() {
    let release = |history: History| history.releases(A, 1).released(1, 1).release_returns(A, 1, Ack::Ok).ends_at(9);
    release_nested(nested(Class::Counted)).ends_at(9).assert_unknown(RULE);
    release(release_nested(nested(Class::Counted))).assert_unknown(RULE);
    release(nested(Class::Counted)).assert_unknown(RULE);
    release(nested(Class::Uncounted)).assert_unknown(RULE);
    nested(Class::Uncounted).releases_nested(A, 1).nested_released(A, 1, Ack::Failed).ends_at(9).assert_unknown(RULE);
}

#[test]
fn rejects_success_if_self_deadlock_is_declared() {
    release_nested(nested(Class::SelfDeadlock)).ends_at(9).assert_violated(RULE);
    release_nested(nested(Class::Refused)).ends_at(9).assert_violated(RULE);
}

#[test]
fn a_wait_of_nine_tenths_of_the_timeout_counts_as_a_timeout() {
    let waited = |class, ns, ack| {
        holder(class).acquires_again(A, 1, 2).after_ns(ns).acquired_again(A, 1, 2, ack, false).ends_at(9)
    };
    let (enough, less) = (1_800_000_000, 1_799_999_999);
    waited(Class::SelfDeadlock, enough, Ack::Failed).assert_holds(RULE);
    waited(Class::SelfDeadlock, less, Ack::Failed).assert_violated(RULE);
    waited(Class::SelfDeadlock, enough, Ack::Unknown).assert_holds(RULE);
    waited(Class::SelfDeadlock, less, Ack::Unknown).assert_unknown(RULE);
    waited(Class::Refused, enough, Ack::Failed).assert_violated(RULE);
    waited(Class::Refused, less, Ack::Failed).assert_holds(RULE);
}

#[test]
fn each_attempt_has_its_own_timeout() {
    let again = holder(Class::Counted)
        .acquires_again(A, 1, 2)
        .acquired_again(A, 1, 2, Ack::Ok, true)
        .at(5)
        .acquires_again(A, 1, 3);
    let findings = again.acquired_again(A, 1, 3, Ack::Failed, false).ends_at(9);
    assert!(findings.sentence(RULE).contains("acquired it again: the acquire was refused at once"));
}

#[test]
fn a_fault_on_the_client_or_the_service_hides_the_reason() {
    let failed = |history: History, ack| history.acquired_again(A, 1, 2, ack, false).ends_at(9);
    for (clients, servers) in [(0b001, false), (0, true)] {
        let before = || holder(Class::SelfDeadlock).fault_begins(clients, servers).acquires_again(A, 1, 2).at(3);
        let between = || holder(Class::SelfDeadlock).acquires_again(A, 1, 2).fault_begins(clients, servers);
        let over = || between().fault_ends(clients, servers).fault_begins(0b010, false).at(3);
        for ack in [Ack::Failed, Ack::Unknown] {
            failed(before(), ack).assert_unknown(RULE);
            failed(between().at(3), ack).assert_unknown(RULE);
            failed(over(), ack).assert_unknown(RULE);
        }
    }
    failed(holder(Class::Refused).acquires_again(A, 1, 2).fault_begins(0b010, false), Ack::Failed).assert_holds(RULE);
}

/// A and B hold one lock of this class each, and both have acquired again.
fn both(reentrancy: Class) -> History {
    let history = history_of(CaseSpec { reentrancy, ..accounts() }).granted(A, 1).acquired(A, 1);
    let history = history.granted_second(B, 5).acquired(B, 5).at(1).acquires_again(A, 1, 2).acquires_again(B, 5, 6);
    if reentrancy != Class::Counted {
        return history;
    }
    history.acquired_again(A, 1, 2, Ack::Ok, true).acquired_again(B, 5, 6, Ack::Ok, true)
}

#[test]
fn clients_are_checked_independently() {
    let done = |history: History| release_nested(history).releases(A, 1).released(1, 1).release_returns(A, 1, Ack::Ok);
    done(both(Class::Counted)).ends_at(9).assert_holds(RULE);
    done(both(Class::Counted).crashes(B)).ends_at(9).assert_holds(RULE);
    let frees = both(Class::Counted).releases_nested(A, 1).releases(B, 5).released(5, 5).release_returns(B, 5, Ack::Ok);
    done(frees.nested_released(A, 1, Ack::Ok).acquires_again(A, 1, 3).acquired_again(A, 1, 3, Ack::Ok, true))
        .ends_at(9)
        .assert_holds(RULE);
    let kept = done(both(Class::Counted)).releases_nested(B, 5).nested_released(B, 5, Ack::Ok).releases(B, 5);
    kept.release_returns(B, 5, Ack::Ok).ends_at(9).assert_violated(RULE);
    both(Class::Refused).acquired_again(A, 1, 2, Ack::Failed, false).ends_at(9).assert_holds(RULE);
    both(Class::Refused).crashes(A).acquired_again(B, 5, 6, Ack::Failed, false).ends_at(9).assert_holds(RULE);
}

#[test]
fn releases_of_other_grants_do_not_matter() {
    let holds_both = both(Class::Counted).crashes(B).expired(5).granted_second(A, 7).acquired(A, 7);
    let half =
        release_nested(holds_both.releases_nested(A, 1).releases(A, 7).released(7, 7).release_returns(A, 7, Ack::Ok));
    let findings = half.releases(A, 1).released(1, 1).release_returns(A, 1, Ack::Ok).ends_at(9);
    findings.assert_holds(RULE);
    let freed = both(Class::Counted).releases_nested(A, 1).releases(A, 7).released(1, 1).ends_at(9);
    freed.assert_violated(RULE);
}

#[test]
fn a_new_grant_is_checked_independently() {
    let lost = || holder(Class::Refused).acquires_again(A, 1, 2).expired(1).acquired_again(A, 1, 2, Ack::Failed, false);
    lost().ends_at(9).assert_unknown(RULE);
    let next = lost().releases(A, 1).granted(A, 3).acquired(A, 3).acquires_again(A, 3, 4);
    next.acquired_again(A, 3, 4, Ack::Failed, false).ends_at(9).assert_holds(RULE);
    let next = lost().granted(A, 3).acquired(A, 3).acquires_again(A, 3, 4);
    next.acquired_again(A, 3, 4, Ack::Failed, false).ends_at(9).assert_holds(RULE);
}
