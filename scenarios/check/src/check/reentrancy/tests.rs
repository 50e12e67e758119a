use super::super::testing::*;
use super::*;

const RULE: Property = Property::Reentrancy;

/// A holds a lock of this class; its patience is 2 s.
fn holder(reentrancy: Class) -> History {
    history_of(Facts { reentrancy, ..facts() }).granted(A, 1).acquired(A, 1).at(1)
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
        findings.told(RULE),
        "client-1 held the lock (grant 1, 1st in the grant order) and acquired it again: one release of the two did \
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
