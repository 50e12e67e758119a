//! `consistent`: at the end the accounts together hold what they held in the beginning.

use std::fmt;

use fencepost_models::history::Event;
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::{CaseSpec, CheckContext, Checker, Finding};
use crate::evidence::{Detail, Evidence, NodeNames};
use crate::guarded::Guarded;
use crate::metrics::Tally;
use crate::property::{Property, Verdict};

pub(crate) fn build(facts: &CaseSpec) -> Option<Consistent> {
    match facts.workload {
        Some(Guarded::Accounts { balance, .. }) => {
            Some(Consistent { initial: 2 * i64::from(balance), writing: Vec::new(), last: SimTime::default() })
        }
        _ => None,
    }
}

pub(crate) struct Consistent {
    initial: i64,
    /// Clients in the middle of a transfer: half of it may be written.
    writing: Vec<NodeId>,
    /// When an account last changed.
    last: SimTime,
}

/// The sum is another.
#[derive(Debug)]
struct Off {
    initial: i64,
    accounts: [i64; 2],
    at: SimTime,
}

impl Checker for Consistent {
    fn observe(&mut self, context: &CheckContext, event: &Event, _tally: &mut Tally) {
        match *event {
            Event::WriteInvoked { client, .. } => self.writing.push(client),
            Event::OrderResolved { client, .. } | Event::ClientCrashed { client } => {
                self.writing.retain(|writer| *writer != client);
            }
            Event::WriteAccepted { .. } | Event::RolledBack { .. } | Event::OtherRowRolledBack { .. } => {
                self.last = context.at;
            }
            _ => {}
        }
    }

    fn finish(self, context: &CheckContext, tally: &mut Tally) -> Finding {
        let accounts = context.store_log.counts();
        let off = accounts[0] + accounts[1] - self.initial;
        if off != 0 && !self.writing.is_empty() {
            return Finding::bare(Verdict::Unknown);
        }
        tally.imbalance = off.abs();
        let detail = Off { initial: self.initial, accounts, at: self.last };
        Finding::from_first((off != 0).then(|| Evidence::new(Property::Consistent, self.last, detail)))
    }
}

impl Detail for Off {
    fn tell(&self, f: &mut fmt::Formatter<'_>, _names: &dyn NodeNames) -> fmt::Result {
        let Off { initial, accounts: [first, second], at } = self;
        let sum = first + second;
        write!(f, "since {at} the accounts hold {first} and {second}, together {sum}, ")?;
        write!(f, "although they held {initial} in the beginning and money was only moved between them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    const RULE: Property = Property::Consistent;

    /// A holds both locks, and has taken 1 from the first account.
    fn half() -> History {
        let history = history_of(accounts()).starts(A, 0).granted(A, 1).granted_second(A, 2);
        history.at(1).write_sent(A, 1, 0).sets(1, 0, 0, 1, 9)
    }

    #[test]
    fn accepts_what_comes_to_one_account_from_the_other() {
        let findings = half().sets(2, 0, 0, 1, 11).acks(A, 0).ends_at(9);
        findings.assert_holds(RULE);
        findings.assert_holds(Property::NoDuplicate);
        assert_eq!(findings.metric("imbalance"), 0);
    }

    #[test]
    fn rejects_half_a_transfer() {
        let findings = half().at(2).abandons(A, 0).ends_at(9);
        findings.assert_violated(RULE);
        assert_eq!(findings.metric("imbalance"), 1);
        assert_eq!(findings.metric("harm"), 1);
        assert_eq!(
            findings.told(RULE),
            "since 1.000000 s the accounts hold 9 and 10, together 19, \
             although they held 20 in the beginning and money was only moved between them"
        );
        half().crashes(A).ends_at(9).assert_violated(RULE);
    }

    #[test]
    fn rejects_a_stale_balance() {
        let history = half().sets(2, 0, 0, 1, 11).acks(A, 0).starts(B, 1).granted(B, 3).granted_second(B, 4);
        let history = history.write_sent(B, 4, 1).sets(4, 1, 1, 2, 10).sets(3, 1, 0, 2, 11).acks(B, 1);
        let findings = history.ends_at(9);
        findings.assert_violated(RULE);
        findings.assert_violated(Property::NoLostUpdate);
    }

    #[test]
    fn accepts_that_the_store_takes_back_a_whole_transfer_and_rejects_that_it_takes_back_half() {
        let half = || self::half().sets(2, 0, 0, 1, 11).acks(A, 0).at(3).rolls_back_second(0, 10);
        let findings = half().ends_at(9);
        findings.assert_violated(RULE);
        assert!(findings.told(RULE).starts_with("since 3.000000 s the accounts hold 9 and 10"));
        findings.assert_violated(Property::NoLostUpdate);
        half().at(4).rolls_back_to(0).ends_at(9).assert_holds(RULE);
    }

    #[test]
    fn does_not_know_in_the_middle_of_a_transfer() {
        half().ends_at(9).assert_unknown(RULE);
    }

    #[test]
    fn is_not_applicable_without_accounts() {
        history().ends_at(9).assert_not_applicable(RULE);
    }
}
