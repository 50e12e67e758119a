//! Compares the checkers of exclusion and tokens with their definitions, for every pair of grants of small histories.

use std::time::Duration;

use fencepost_models::history::{Cause, Event, GrantId, Token};
use fencepost_models::{Reentrancy, ResourceId};
use fencepost_scenarios::check::{CaseSpec, Checkers};
use fencepost_scenarios::property::Property::{self, BeliefExclusion, EffectExclusion, Fencing, GrantExclusion};
use fencepost_scenarios::property::Verdict;
use fencepost_sim::{NodeId, SimTime};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cases;

const GRANTS: usize = 4;
const SERVER: NodeId = NodeId(10);
const RULES: [Property; 4] = [GrantExclusion, BeliefExclusion, Fencing, EffectExclusion];

/// A grant, whether it uses the store, the delay in seconds, and the token if the grant is acquired now.
type Action = (usize, bool, u64, Token);

/// The second of each stage of a grant, and its operations.
#[derive(Clone, Debug, Default)]
struct GrantRecord {
    granted: Option<u64>,
    /// Its index in the order of grants.
    rank: Option<usize>,
    acquired: Option<u64>,
    token: Option<Token>,
    released: Option<u64>,
    ended: Option<u64>,
    /// The indices of its reads and writes among all operations at the store.
    reads: Vec<usize>,
    writes: Vec<usize>,
}

/// A generated history. Each grant goes through its stages in order, and uses the store once it is granted.
#[derive(Default)]
struct Generated {
    now: u64,
    events: Vec<(u64, Event)>,
    records: [GrantRecord; GRANTS],
    stages: [u8; GRANTS],
    ranks: usize,
    operations: usize,
    version: u64,
}

impl Generated {
    fn take(mut self, &(grant, uses_store, seconds, token): &Action) -> Self {
        self.now += seconds;
        if uses_store && self.records[grant].rank.is_some() {
            self.use_store(grant, token % 2 == 0);
        } else {
            self.advance(grant, token);
        }
        self
    }

    fn advance(&mut self, n: usize, token: Token) {
        let (client, grant, now) = (NodeId(n as u16), GrantId(n as u32 + 1), Some(self.now));
        let record = &mut self.records[n];
        let event = match self.stages[n] {
            0 => Event::AcquireInvoked { client, grant, resource: ResourceId(0) },
            1 => {
                (record.granted, record.rank) = (now, Some(self.ranks));
                self.ranks += 1;
                Event::Granted { server: SERVER, grant }
            }
            2 => {
                (record.acquired, record.token) = (now, Some(token));
                Event::Acquired { client, grant, token: Some(token), validity: false }
            }
            3 => {
                record.released = now;
                Event::ReleaseInvoked { client, grant }
            }
            4 => {
                record.ended = now;
                Event::Ended { server: SERVER, grant, cause: Cause::Released(grant) }
            }
            _ => return,
        };
        self.stages[n] += 1;
        self.events.push((self.now, event));
    }

    fn use_store(&mut self, n: usize, writes: bool) {
        let grant = GrantId(n as u32 + 1);
        let index = self.operations;
        self.operations += 1;
        let event = if writes {
            self.version += 1;
            self.records[n].writes.push(index);
            let (based_on, version, order) = (self.version - 1, self.version, index as u32);
            Event::WriteAccepted { grant, order, units: 1, based_on, version, count: 0 }
        } else {
            self.records[n].reads.push(index);
            Event::ReadAccepted { grant, version: self.version }
        };
        self.events.push((self.now, event));
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let mut checkers = Checkers::new(&case_spec());
        for (second, event) in &self.events {
            checkers.observe(SimTime(second * 1_000_000_000), event);
        }
        let findings = checkers.finish(SimTime(self.now * 1_000_000_000));
        RULES.iter().map(|rule| findings.verdict(*rule)).collect()
    }

    /// Returns the verdicts by the definitions in the book.
    fn defined(&self) -> Vec<Verdict> {
        let overlap = |one: (Option<u64>, Option<u64>), other: (Option<u64>, Option<u64>)| {
            let span = |(from, to): (Option<u64>, Option<u64>)| Some((from?, to.unwrap_or(self.now)));
            let (Some(one), Some(other)) = (span(one), span(other)) else { return false };
            one.0.max(other.0) < one.1.min(other.1)
        };
        let any = |broken: &dyn Fn(&GrantRecord, &GrantRecord) -> bool| {
            let pairs = self.records.iter().flat_map(|one| self.records.iter().map(move |other| (one, other)));
            let violated =
                pairs.filter(|(one, other)| !std::ptr::eq(*one, *other)).any(|(one, other)| broken(one, other));
            if violated { Verdict::Violated } else { Verdict::Holds }
        };
        let ranks = |a: &GrantRecord, b: &GrantRecord| a.rank.zip(b.rank).is_some_and(|(a, b)| a < b);
        let used = |record: &GrantRecord| record.reads.iter().chain(&record.writes).copied().min();
        vec![
            any(&|a, b| overlap((a.granted, a.ended), (b.granted, b.ended))),
            any(&|a, b| overlap((a.acquired, a.released), (b.acquired, b.released))),
            any(&|a, b| ranks(a, b) && a.token.zip(b.token).is_some_and(|(a, b)| a >= b)),
            any(&|a, b| ranks(a, b) && a.writes.iter().any(|write| used(b).is_some_and(|first| first < *write))),
        ]
    }
}

fn case_spec() -> CaseSpec {
    CaseSpec {
        grants: true,
        validity: false,
        tokens: true,
        releases: true,
        reentrancy: Reentrancy::NotApplicable,
        nested_wait: Duration::ZERO,
        fifo: false,
        quorum: 1,
        consensus: false,
        rank_by_return: false,
        clients: (0..GRANTS as u16).map(NodeId).collect(),
        orders: 1,
        workload: None,
        deadlock_bound: Duration::from_secs(1_000),
        takeover_bound: Duration::from_secs(1_000),
        progress_bound: Duration::from_secs(1_000),
    }
}

proptest! {
    #![proptest_config(cases(5_000))]

    #[test]
    fn the_checkers_of_exclusion_and_tokens_match_their_definitions(
        actions in vec((0..GRANTS, any::<bool>(), 0..2_u64, 0..6_u64), 1..30),
    ) {
        let generated = actions.iter().fold(Generated::default(), |generated, action| generated.take(action));
        prop_assert_eq!(generated.verdicts(), generated.defined(), "{:?} in {:#?}", RULES, generated.events);
    }
}
