use fencepost_models::history::Cause;

use super::*;
use crate::property::Property;
use crate::testing::*;

const RECORDS: Property = Property::GrantExclusion;

fn redlock() -> CaseSpec {
    CaseSpec { quorum: 3, ..case_spec() }
}

#[test]
fn a_second_grant_to_a_holder_belongs_to_the_holder() {
    let findings = history().granted(A, 1).acquired(A, 1).at(1).acquires_again(A, 1, 2).granted_later(2).ends_at(9);
    findings.assert_violated(RECORDS);
    assert_eq!(findings.named(RECORDS), (vec![1, 2], vec![A, A]));
}

#[test]
fn a_nested_grant_has_the_resource_of_the_outer_grant() {
    let nested = |grant| {
        let history = history_of(accounts()).granted(B, 1).granted_second(A, 2).acquires_again(A, grant, 3).at(1);
        history.expired(2).granted_later(3).ends_at(9)
    };
    nested(2).assert_holds(RECORDS);
    nested(1).assert_violated(RECORDS);
}

#[test]
fn an_abandoned_nested_attempt_may_still_be_granted_to_its_client() {
    let abandoned = history().granted(A, 1).acquired(A, 1).at(1).acquires_again(A, 1, 2).acquired_again(
        A,
        1,
        2,
        Ack::Unknown,
        false,
    );
    let findings = abandoned.at(2).expired(1).granted_later(2).at(3).granted(B, 3).ends_at(9);
    assert_eq!(findings.named(RECORDS), (vec![2, 3], vec![A, B]));
}

/// What blocks C, which waits for the lock after healing: the blocking client, and the number of stuck locks.
fn obstacle(history: History) -> (Vec<NodeId>, i64) {
    let findings = history.at(5).healed().requests(C, 9).ends_at(15);
    (findings.named(Property::Progress).1, findings.metric("stuck_locks"))
}

#[test]
fn an_attempt_is_not_pending_after_its_client_gives_up_or_crashes() {
    let holder = || history().granted(A, 1).acquired(A, 1).acquires_again(A, 1, 2);
    let freed = |history: History| history.at(1).releases(A, 1).released(1, 1).granted_later(2);
    assert_eq!(obstacle(freed(holder())), (vec![A], 0));
    assert_eq!(obstacle(freed(holder().acquired_again(A, 1, 2, Ack::Unknown, false))), (vec![A], 1));
    assert_eq!(obstacle(history().requests(A, 1).granted_later(1)), (vec![A], 0));
    assert_eq!(obstacle(history().requests(A, 1).crashes(A).granted_later(1)), (vec![A], 1));
    assert_eq!(obstacle(history().requests(A, 1).requests(B, 2).crashes(B).granted_later(1)), (vec![A], 0));
}

#[test]
fn only_the_client_of_a_grant_is_its_holder() {
    let rule = Property::Takeover;
    history().granted(A, 1).at(1).crashes(A).ends_at(9).assert_holds(rule);
    history().granted(A, 1).at(1).crashes(B).ends_at(9).assert_not_applicable(rule);
    let on = |servers: &[u16]| history_of(redlock()).granted_by(A, 1, servers).at(1).crashes(A).ends_at(9);
    on(&[0, 1]).assert_not_applicable(rule);
    on(&[0, 1, 2]).assert_holds(rule);
}

#[test]
fn a_record_ends_when_fewer_than_the_quorum_hold_it() {
    let held = |ends: &[u16]| {
        let history = history_of(redlock()).granted_by(A, 1, &[0, 1, 2, 3]).at(1);
        let history = ends.iter().fold(history, |history, server| history.expired_at(*server, 1));
        history.at(2).granted_by(B, 2, &[2, 3, 4]).ends_at(9)
    };
    held(&[3]).assert_violated(RECORDS);
    held(&[2, 3]).assert_holds(RECORDS);
}

#[test]
fn several_rounds_of_an_attempt_are_one_attempt() {
    let case = CaseSpec { quorum: 3, ..accounts() };
    let history = history_of(case).granted_by(B, 1, &[0, 1, 2]).requests_second(A, 2).applied_at(0, 2).expired_at(0, 2);
    history.at(1).applied_at(0, 2).applied_at(1, 2).applied_at(2, 2).ends_at(9).assert_holds(RECORDS);
}

#[test]
fn ended_grants_are_removed() {
    let mut ledger = Ledger::new(&case_spec());
    let (client, server, resource) = (A, NodeId(10), ResourceId(0));
    for grant in (1..=3).map(GrantId) {
        ledger.observe(&Event::AcquireInvoked { client, grant, resource });
        ledger.observe(&Event::Granted { server, grant });
        ledger.observe(&Event::Acquired { client, grant, token: None, validity: false });
        assert_eq!(ledger.active.len(), 1);
        ledger.observe(&Event::Ended { server, grant, cause: Cause::Expired });
        assert!(ledger.active.is_empty());
    }
    ledger.observe(&Event::AcquireInvoked { client, grant: GrantId(4), resource });
    ledger.observe(&Event::NotAcquired { client, grant: GrantId(4), ack: Ack::Failed });
    assert!(ledger.active.is_empty());
}
