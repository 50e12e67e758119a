use super::*;
use crate::testing::*;

const RULE: Property = Property::Reentrancy;

/// A holds a lock of this class; its patience is 2 s.
fn holder(reentrancy: Class) -> History {
    history_of(CaseSpec { reentrancy, ..facts() }).granted(A, 1).acquired(A, 1).at(1)
}

/// A acquires twice more, as the same holding.
fn nested(reentrancy: Class) -> History {
    holder(reentrancy).nests(A, 1, 2).nested(A, 1, 2, Ack::Ok, true).nests(A, 1, 3).nested(A, 1, 3, Ack::Ok, true)
}

fn unnests(history: History) -> History {
    history.unnests(A, 1).unnested(A, 1, Ack::Ok)
}

#[test]
fn accepts_counting_where_counting_is_declared() {
    let history = unnests(unnests(nested(Class::Counted).at(2))).at(3).releases(A, 1).released(1, 1);
    history.release_returns(A, 1, Ack::Ok).ends_at(9).assert_holds(RULE);
}

#[test]
fn rejects_counting_where_none_is_declared() {
    let findings = unnests(nested(Class::Uncounted).at(2)).ends_at(9);
    findings.assert_violated(RULE);
    assert_eq!(
        findings.sentence(RULE),
        "client-1 held the lock (grant 1, 1st in the grant order) and acquired it again: one of two releases did \
         not free it (2.000000 s); declared is uncounted: acquiring again succeeds, one release frees it"
    );
    assert_eq!(findings.named(RULE), (vec![1], vec![A]));
}

#[test]
fn accepts_one_release_for_all_where_nobody_counts() {
    let freed = |class| nested(class).at(2).unnests(A, 1).released(1, 1).unnested(A, 1, Ack::Ok).ends_at(9);
    let findings = freed(Class::Uncounted);
    findings.assert_holds(RULE);
    findings.assert_holds(Property::OwnerRelease);
    freed(Class::Counted).assert_violated(RULE);
}

#[test]
fn rejects_a_lock_that_counts_too_far() {
    let history = unnests(unnests(nested(Class::Counted).at(2))).at(3).releases(A, 1);
    history.release_returns(A, 1, Ack::Ok).ends_at(9).assert_violated(RULE);
}

#[test]
fn accepts_an_error_at_once_where_it_refuses() {
    let refused = |class| holder(class).nests(A, 1, 2).at(2).nested(A, 1, 2, Ack::Failed, false).ends_at(9);
    refused(Class::Refused).assert_holds(RULE);
    refused(Class::SelfDeadlock).assert_violated(RULE);
    refused(Class::Counted).assert_violated(RULE);
}

#[test]
fn accepts_a_wait_for_itself_where_it_waits() {
    let waited = |class| holder(class).nests(A, 1, 2).at(3).nested(A, 1, 2, Ack::Failed, false).ends_at(9);
    waited(Class::SelfDeadlock).assert_holds(RULE);
    waited(Class::Refused).assert_violated(RULE);
    let without_reply = holder(Class::SelfDeadlock).nests(A, 1, 2).at(3).nested(A, 1, 2, Ack::Unknown, false);
    without_reply.ends_at(9).assert_holds(RULE);
}

#[test]
fn a_wait_until_its_own_grant_ends_is_a_wait_for_itself() {
    let waited = |class| {
        let history = holder(class).nests(A, 1, 2).at(2).expired(1).granted_unasked(2);
        history.nested(A, 1, 2, Ack::Ok, false).ends_at(9)
    };
    waited(Class::SelfDeadlock).assert_holds(RULE);
    waited(Class::Refused).assert_unknown(RULE);
}

#[test]
fn rejects_success_where_it_refuses_and_a_second_grant_anywhere() {
    nested(Class::Refused).ends_at(9).assert_violated(RULE);
    let another = holder(Class::Counted).nests(A, 1, 2).granted_unasked(2).nested(A, 1, 2, Ack::Ok, false);
    another.ends_at(9).assert_violated(RULE);
}

#[test]
fn does_not_know_what_faults_and_lost_replies_hide() {
    let faulted = holder(Class::SelfDeadlock).nests(A, 1, 2).fault_begins(0, true);
    faulted.at(2).nested(A, 1, 2, Ack::Failed, false).ends_at(9).assert_unknown(RULE);
    let lost = holder(Class::Refused).nests(A, 1, 2).at(3).nested(A, 1, 2, Ack::Unknown, false);
    lost.ends_at(9).assert_unknown(RULE);
    nested(Class::Counted).crashes(A).ends_at(9).assert_unknown(RULE);
    // A service may clean up after a client that is gone, and no release of its own was needed.
    nested(Class::Counted).unnests(A, 1).crashes(A).released(1, 1).ends_at(9).assert_unknown(RULE);
    unnests(nested(Class::Counted).at(2).expired(1)).ends_at(9).assert_unknown(RULE);
    holder(Class::Refused).expired(1).nests(A, 1, 2).nested(A, 1, 2, Ack::Ok, false).ends_at(9).assert_unknown(RULE);
    let taken = holder(Class::Refused).expired(1).granted(B, 5).nests(A, 1, 2).nested(A, 1, 2, Ack::Ok, false);
    taken.ends_at(9).assert_unknown(RULE);
    let half = nested(Class::Counted).unnests(A, 1).unnested(A, 1, Ack::Unknown).releases(A, 1).released(1, 1);
    half.release_returns(A, 1, Ack::Ok).ends_at(9).assert_unknown(RULE);
}

#[test]
fn is_not_applicable_where_nobody_acquires_again() {
    holder(Class::Counted).ends_at(9).assert_not_applicable(RULE);
    holder(Class::NotApplicable).nests(A, 1, 2).ends_at(9).assert_not_applicable(RULE);
}

/// A acquires twice more, releases that, and then releases the outer grant; `ends` says how that goes on.
fn counted(ends: impl Fn(History) -> History) -> crate::check::Findings {
    ends(unnests(unnests(nested(Class::Counted).at(2))).at(3).releases(A, 1)).ends_at(9)
}

#[test]
fn what_ends_the_outer_grant_must_be_its_own_release() {
    counted(|history| history.released(1, 1).release_returns(A, 1, Ack::Ok)).assert_holds(RULE);
    counted(|history| history.released(1, 1).release_returns(A, 1, Ack::Unknown)).assert_unknown(RULE);
    counted(|history| history.released(1, 9).release_returns(A, 1, Ack::Ok)).assert_unknown(RULE);
    counted(|history| history.expired(1).release_returns(A, 1, Ack::Ok)).assert_unknown(RULE);
    counted(|history| history.release_returns(A, 1, Ack::Failed)).assert_unknown(RULE);
}

#[test]
fn what_ends_it_too_early_must_be_a_nested_release() {
    let freed = |class, by| nested(class).at(2).unnests(A, 1).released(1, by).unnested(A, 1, Ack::Ok).ends_at(9);
    freed(Class::Counted, 1).assert_violated(RULE);
    freed(Class::Counted, 9).assert_unknown(RULE);
    freed(Class::Uncounted, 9).assert_unknown(RULE);
    unnests(nested(Class::Uncounted).at(2).expired(1)).ends_at(9).assert_unknown(RULE);
}

#[test]
fn does_not_know_before_all_is_released_in_order() {
    let release = |history: History| history.releases(A, 1).released(1, 1).release_returns(A, 1, Ack::Ok).ends_at(9);
    unnests(nested(Class::Counted)).ends_at(9).assert_unknown(RULE);
    release(unnests(nested(Class::Counted))).assert_unknown(RULE);
    release(nested(Class::Counted)).assert_unknown(RULE);
    release(nested(Class::Uncounted)).assert_unknown(RULE);
    nested(Class::Uncounted).unnests(A, 1).unnested(A, 1, Ack::Failed).ends_at(9).assert_unknown(RULE);
}

#[test]
fn rejects_success_where_it_waits_for_itself() {
    unnests(nested(Class::SelfDeadlock)).ends_at(9).assert_violated(RULE);
    unnests(nested(Class::Refused)).ends_at(9).assert_violated(RULE);
}

#[test]
fn nine_tenths_of_its_patience_are_a_wait() {
    let waited = |class, ns, ack| holder(class).nests(A, 1, 2).after_ns(ns).nested(A, 1, 2, ack, false).ends_at(9);
    let (enough, less) = (1_800_000_000, 1_799_999_999);
    waited(Class::SelfDeadlock, enough, Ack::Failed).assert_holds(RULE);
    waited(Class::SelfDeadlock, less, Ack::Failed).assert_violated(RULE);
    waited(Class::SelfDeadlock, enough, Ack::Unknown).assert_holds(RULE);
    waited(Class::SelfDeadlock, less, Ack::Unknown).assert_unknown(RULE);
    waited(Class::Refused, enough, Ack::Failed).assert_violated(RULE);
    waited(Class::Refused, less, Ack::Failed).assert_holds(RULE);
}

#[test]
fn each_attempt_has_a_patience_of_its_own() {
    let again = holder(Class::Counted).nests(A, 1, 2).nested(A, 1, 2, Ack::Ok, true).at(5).nests(A, 1, 3);
    let findings = again.nested(A, 1, 3, Ack::Failed, false).ends_at(9);
    assert!(findings.sentence(RULE).contains("acquired it again: the acquire was refused at once"));
}

#[test]
fn a_fault_on_the_client_or_the_service_hides_why_it_failed() {
    let failed = |history: History, ack| history.nested(A, 1, 2, ack, false).ends_at(9);
    for (clients, servers) in [(0b001, false), (0, true)] {
        let before = || holder(Class::SelfDeadlock).fault_begins(clients, servers).nests(A, 1, 2).at(3);
        let between = || holder(Class::SelfDeadlock).nests(A, 1, 2).fault_begins(clients, servers);
        let over = || between().fault_ends(clients, servers).fault_begins(0b010, false).at(3);
        for ack in [Ack::Failed, Ack::Unknown] {
            failed(before(), ack).assert_unknown(RULE);
            failed(between().at(3), ack).assert_unknown(RULE);
            failed(over(), ack).assert_unknown(RULE);
        }
    }
    failed(holder(Class::Refused).nests(A, 1, 2).fault_begins(0b010, false), Ack::Failed).assert_holds(RULE);
}

/// A holds one lock of this class and B another, and both have acquired once more.
fn both(reentrancy: Class) -> History {
    let history = history_of(CaseSpec { reentrancy, ..accounts() }).granted(A, 1).acquired(A, 1);
    let history = history.granted_second(B, 5).acquired(B, 5).at(1).nests(A, 1, 2).nests(B, 5, 6);
    if reentrancy != Class::Counted {
        return history;
    }
    history.nested(A, 1, 2, Ack::Ok, true).nested(B, 5, 6, Ack::Ok, true)
}

#[test]
fn one_client_does_not_speak_for_another() {
    let done = |history: History| unnests(history).releases(A, 1).released(1, 1).release_returns(A, 1, Ack::Ok);
    done(both(Class::Counted)).ends_at(9).assert_holds(RULE);
    done(both(Class::Counted).crashes(B)).ends_at(9).assert_holds(RULE);
    let frees = both(Class::Counted).unnests(A, 1).releases(B, 5).released(5, 5).release_returns(B, 5, Ack::Ok);
    done(frees.unnested(A, 1, Ack::Ok).nests(A, 1, 3).nested(A, 1, 3, Ack::Ok, true)).ends_at(9).assert_holds(RULE);
    let kept = done(both(Class::Counted)).unnests(B, 5).unnested(B, 5, Ack::Ok).releases(B, 5);
    kept.release_returns(B, 5, Ack::Ok).ends_at(9).assert_violated(RULE);
    both(Class::Refused).nested(A, 1, 2, Ack::Failed, false).ends_at(9).assert_holds(RULE);
    both(Class::Refused).crashes(A).nested(B, 5, 6, Ack::Failed, false).ends_at(9).assert_holds(RULE);
}

#[test]
fn what_else_a_client_releases_is_no_matter() {
    let holds_both = both(Class::Counted).crashes(B).expired(5).granted_second(A, 7).acquired(A, 7);
    let half = unnests(holds_both.unnests(A, 1).releases(A, 7).released(7, 7).release_returns(A, 7, Ack::Ok));
    let findings = half.releases(A, 1).released(1, 1).release_returns(A, 1, Ack::Ok).ends_at(9);
    findings.assert_holds(RULE);
    let freed = both(Class::Counted).unnests(A, 1).releases(A, 7).released(1, 1).ends_at(9);
    freed.assert_violated(RULE);
}

#[test]
fn a_new_holding_is_judged_anew() {
    let lost = || holder(Class::Refused).nests(A, 1, 2).expired(1).nested(A, 1, 2, Ack::Failed, false);
    lost().ends_at(9).assert_unknown(RULE);
    let next = lost().releases(A, 1).granted(A, 3).acquired(A, 3).nests(A, 3, 4);
    next.nested(A, 3, 4, Ack::Failed, false).ends_at(9).assert_holds(RULE);
    let next = lost().granted(A, 3).acquired(A, 3).nests(A, 3, 4);
    next.nested(A, 3, 4, Ack::Failed, false).ends_at(9).assert_holds(RULE);
}
