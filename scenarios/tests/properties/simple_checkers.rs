//! The checkers of exclusion and tokens against their definitions, over every pair of grants of small histories.

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

/// What happens next to a grant, after how many seconds, and the token if it is acquired then.
type Turn = (usize, bool, u64, Token);

/// What is known of a grant in the end: when each stage of its life came.
#[derive(Clone, Debug, Default)]
struct Life {
    granted: Option<u64>,
    /// Its place among the grants.
    rank: Option<usize>,
    acquired: Option<u64>,
    token: Option<Token>,
    released: Option<u64>,
    ended: Option<u64>,
    /// The places of its reads and writes among all operations at the store.
    reads: Vec<usize>,
    writes: Vec<usize>,
}

/// Every grant lives through its stages in order, all of them mixed; in between, those that are granted use the store.
#[derive(Default)]
struct World {
    now: u64,
    events: Vec<(u64, Event)>,
    lives: [Life; GRANTS],
    stages: [u8; GRANTS],
    ranks: usize,
    operations: usize,
    version: u64,
}

impl World {
    fn take(mut self, &(grant, uses_store, seconds, token): &Turn) -> Self {
        self.now += seconds;
        if uses_store && self.lives[grant].rank.is_some() {
            self.use_store(grant, token % 2 == 0);
        } else {
            self.live_on(grant, token);
        }
        self
    }

    fn live_on(&mut self, n: usize, token: Token) {
        let (client, grant, now) = (NodeId(n as u16), GrantId(n as u32 + 1), Some(self.now));
        let life = &mut self.lives[n];
        let event = match self.stages[n] {
            0 => Event::AcquireInvoked { client, grant, resource: ResourceId(0) },
            1 => {
                (life.granted, life.rank) = (now, Some(self.ranks));
                self.ranks += 1;
                Event::Granted { server: SERVER, grant }
            }
            2 => {
                (life.acquired, life.token) = (now, Some(token));
                Event::Acquired { client, grant, token: Some(token), validity: false }
            }
            3 => {
                life.released = now;
                Event::ReleaseInvoked { client, grant }
            }
            4 => {
                life.ended = now;
                Event::Ended { server: SERVER, grant, cause: Cause::Released(grant) }
            }
            _ => return,
        };
        self.stages[n] += 1;
        self.events.push((self.now, event));
    }

    fn use_store(&mut self, n: usize, writes: bool) {
        let grant = GrantId(n as u32 + 1);
        let place = self.operations;
        self.operations += 1;
        let event = if writes {
            self.version += 1;
            self.lives[n].writes.push(place);
            let (based_on, version, order) = (self.version - 1, self.version, place as u32);
            Event::WriteAccepted { grant, order, units: 1, based_on, version, count: 0 }
        } else {
            self.lives[n].reads.push(place);
            Event::ReadAccepted { grant, version: self.version }
        };
        self.events.push((self.now, event));
    }

    fn verdicts(&self) -> Vec<Verdict> {
        let mut checkers = Checkers::new(&facts());
        for (second, event) in &self.events {
            checkers.observe(SimTime(second * 1_000_000_000), event);
        }
        let findings = checkers.finish(SimTime(self.now * 1_000_000_000));
        RULES.iter().map(|rule| findings.verdict(*rule)).collect()
    }

    /// The definitions, as they stand in the book.
    fn defined(&self) -> Vec<Verdict> {
        let overlap = |one: (Option<u64>, Option<u64>), other: (Option<u64>, Option<u64>)| {
            let span = |(from, to): (Option<u64>, Option<u64>)| Some((from?, to.unwrap_or(self.now)));
            let (Some(one), Some(other)) = (span(one), span(other)) else { return false };
            one.0.max(other.0) < one.1.min(other.1)
        };
        let any = |broken: &dyn Fn(&Life, &Life) -> bool| {
            let pairs = self.lives.iter().flat_map(|one| self.lives.iter().map(move |other| (one, other)));
            let violated =
                pairs.filter(|(one, other)| !std::ptr::eq(*one, *other)).any(|(one, other)| broken(one, other));
            if violated { Verdict::Violated } else { Verdict::Holds }
        };
        let ranks = |a: &Life, b: &Life| a.rank.zip(b.rank).is_some_and(|(a, b)| a < b);
        let used = |life: &Life| life.reads.iter().chain(&life.writes).copied().min();
        vec![
            any(&|a, b| overlap((a.granted, a.ended), (b.granted, b.ended))),
            any(&|a, b| overlap((a.acquired, a.released), (b.acquired, b.released))),
            any(&|a, b| ranks(a, b) && a.token.zip(b.token).is_some_and(|(a, b)| a >= b)),
            any(&|a, b| ranks(a, b) && a.writes.iter().any(|write| used(b).is_some_and(|first| first < *write))),
        ]
    }
}

fn facts() -> CaseSpec {
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
    fn the_checkers_of_exclusion_and_tokens_say_what_their_definitions_say(
        turns in vec((0..GRANTS, any::<bool>(), 0..2_u64, 0..6_u64), 1..30),
    ) {
        let world = turns.iter().fold(World::default(), |world, turn| world.take(turn));
        prop_assert_eq!(world.verdicts(), world.defined(), "of {:?} in {:#?}", RULES, world.events);
    }
}
