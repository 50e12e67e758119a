//! `dynamodb` and `k8s-lease`: the waiting client's stopwatch decides.

use fencepost_scenarios::property::Property;

use crate::lab::{run, shipped};

const LOCKS: [&str; 2] = ["dynamodb", "k8s-lease"];

#[test]
fn quiet() {
    for lock in LOCKS {
        run(&shipped("quiet"), lock, 50).keeps_everything();
    }
}

#[test]
fn survey() {
    let names: Vec<&str> = fencepost_scenarios::shipped::SCENARIOS.iter().map(|(n, _)| *n).collect();
    for name in names {
        for lock in LOCKS {
            let Ok(seen) = std::panic::catch_unwind(|| run(&shipped(name), lock, 20)) else {
                println!("{name} {lock} not applicable");
                continue;
            };
            let bad: Vec<String> = Property::ALL
                .iter()
                .filter(|p| seen.violated(**p) > 0)
                .map(|p| format!("{}:{}", p.name(), seen.violated(*p)))
                .collect();
            println!("{name} {lock} {bad:?}");
        }
    }
}
