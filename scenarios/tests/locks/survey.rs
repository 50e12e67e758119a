//! `zookeeper` in worlds with random faults.

use fencepost_scenarios::property::Property;

use crate::lab::{run, run_with_bugs, shipped};

#[test]
fn survey() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let seeds = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
    for (name, _) in fencepost_scenarios::shipped::SCENARIOS.iter().filter(|(n, _)| n.contains(&only)) {
        let t = std::time::Instant::now();
        let Ok(seen) = std::panic::catch_unwind(|| run(&shipped(name), "zookeeper", seeds)) else {
            println!("{name} not applicable");
            continue;
        };
        tell(name, &seen, t);
    }
}

fn tell(name: &str, seen: &crate::lab::Seen, t: std::time::Instant) {
    let bad: Vec<String> = Property::ALL
        .iter()
        .filter(|p| seen.violated(**p) > 0)
        .map(|p| format!("{}:{}", p.name(), seen.violated(*p)))
        .collect();
    println!("{name} acked {} {bad:?} {:?}", seen.total("acked_units"), t.elapsed());
}

#[test]
fn file() {
    let path = std::env::var("FILE").unwrap();
    let bugs = std::env::var("BUGS").unwrap_or_default();
    let bugs: Vec<&str> = bugs.split(',').filter(|b| !b.is_empty()).collect();
    let seeds = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(5);
    let t = std::time::Instant::now();
    let seen = run_with_bugs(&std::fs::read_to_string(&path).unwrap(), "zookeeper", &bugs, seeds);
    tell(&path, &seen, t);
}
