//! Invariants of locks under generated schedules.

use std::sync::Arc;

use fencepost_scenarios::file;
use fencepost_scenarios::property::Property::{self, GrantExclusion, Linearizable, NoLostUpdate, ValidityExclusion};
use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::case::{self, CaseReport};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::strategies::{ScenarioText, scenario, scenario_with};
use proptest::prelude::*;
use proptest::sample::select;

use crate::cases;

/// The locks of consensus stores.
const CONSENSUS: [&str; 5] = ["zookeeper", "etcd", "consul", "chubby", "hazelcast-cp"];

/// Locks whose advertised validity ends, by the holder's own clock, before the lease at the service.
const CONSERVATIVE: [&str; 2] = ["lease-server", "dynamodb"];

/// Locks whose tokens and highest token are durable before any reply, with a new token for every acquire.
const DURABLE_TOKENS: [&str; 3] = ["lease-server", "zookeeper", "consul"];

const ANYTHING: [&str; 9] =
    ["pause", "vm-pause", "crash", "hold", "latency", "loss", "clock-step", "clock-rate", "partition"];

/// Faults that leave clocks alone.
const NO_CLOCKS: [&str; 6] = ["pause", "crash", "hold", "latency", "loss", "partition"];

fn cell(text: &ScenarioText, lock: &str) -> Cell {
    let registry = Registry::standard();
    let read = file::scenario(&registry, "generated.toml", &text.to_string());
    let read = read.unwrap_or_else(|problems| panic!("{}\n{text}", problems[0]));
    Cell::new(&Arc::new(read), registry.lock(lock).expect("the lock is registered"), &[])
}

fn run(text: &ScenarioText, lock: &str, seed: u64) -> CaseReport {
    case::run(&cell(text, lock), seed, None)
}

/// Checks that no property is violated. The error has the evidence and the command to replay the case.
fn check(text: &ScenarioText, lock: &str, seed: u64, properties: &[Property]) -> Result<(), TestCaseError> {
    let report = run(text, lock, seed);
    for property in properties {
        let verdict = report.result.verdict(*property);
        let evidence = report.evidence.iter().find(|evidence| evidence.property == *property);
        let evidence = evidence.map(|evidence| evidence.to_string()).unwrap_or_default();
        prop_assert_ne!(verdict, Verdict::Violated, "{}: {}\n{}", property.name(), evidence, text.replay(lock, seed));
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn no_two_grants_of_a_consensus_lock_overlap(
        text in scenario(&ANYTHING), lock in select(&CONSENSUS[..]), seed in 0..1_u64 << 40,
    ) {
        check(&text, lock, seed, &[GrantExclusion, Linearizable])?;
    }

    #[test]
    fn no_two_conservative_validities_overlap_without_clock_faults(
        text in scenario(&NO_CLOCKS), lock in select(&CONSERVATIVE[..]), seed in 0..1_u64 << 40,
    ) {
        check(&text, lock, seed, &[ValidityExclusion])?;
    }

    #[test]
    fn durable_fresh_tokens_and_fenced_reads_lose_no_update(
        text in scenario_with("fence-reads", &ANYTHING), lock in select(&DURABLE_TOKENS[..]), seed in 0..1_u64 << 40,
    ) {
        check(&text, lock, seed, &[NoLostUpdate])?;
    }
}

proptest! {
    #![proptest_config(cases(20))]

    #[test]
    fn a_replay_equals_its_run(
        text in scenario(&ANYTHING), lock in select(&["redis-set-px", "etcd", "dynamodb", "redlock"][..]),
        seed in 0..1_u64 << 40,
    ) {
        let [first, again] = [(), ()].map(|()| run(&text, lock, seed).result);
        prop_assert_eq!(&first, &again, "{}", text.replay(lock, seed));
        let elsewhere = std::thread::scope(|threads| threads.spawn(|| run(&text, lock, seed).result).join());
        prop_assert_eq!(first, elsewhere.expect("the case ends"), "{}", text.replay(lock, seed));
    }
}
