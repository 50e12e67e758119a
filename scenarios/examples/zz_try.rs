//! Scratch.
use fencepost_scenarios::cell::Cell;
use fencepost_scenarios::explore::*;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::shrink::*;
use fencepost_scenarios::{case, file, interest, shipped};
use std::sync::Arc;
use std::time::Instant;
#[allow(clippy::all)]
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let registry = Registry::standard();
    match a[0].as_str() {
        "explore" => {
            let (name, lock, k) = (&a[1], &a[2], a[3].parse::<u32>().unwrap());
            let cell = cell(&registry, name, lock);
            let t = Instant::now();
            let wanted = [Property::NoLostUpdate];
            let what = Exploration { cell: &cell, seed: 0, bugs: &[], faults: k, wanted: &wanted, threads: 2 };
            let e = explore(&registry, &what, |s| {
                if s.done % 256 == 0 || s.done == s.of {
                    eprintln!("{s:?} {:?}", t.elapsed())
                }
            });
            println!("{name} {lock} {:?} {:?}", e.levels, t.elapsed());
            if let Some(c) = e.counterexample {
                println!("{}", c.scenario);
                let sc = file::scenario(&registry, "x.toml", &c.scenario).unwrap();
                let cell = Cell::new(&Arc::new(sc), &cell.lock, &[]);
                match shrink(
                    &registry,
                    &Failing { cell: &cell, seed: 0, bugs: &[], property: c.property },
                    Effort::default(),
                ) {
                    Ok(s) => println!("{}", s.text),
                    Err(e) => println!("{e}"),
                }
            }
        }
        _ => {
            let budget: u64 = a[2].parse().unwrap();
            for name in a[0].split(',') {
                for lock in a[1].split(',') {
                    let cell = cell(&registry, name, lock);
                    if !cell.header.applicable {
                        continue;
                    }
                    let t = Instant::now();
                    let mut found = None;
                    for seed in 0..50 {
                        let o = case::run(&cell, seed, None).outcome;
                        if let Some(p) = interest::of_case(&cell, &[], &o) {
                            if p != Property::BeliefExclusion {
                                found = Some((seed, p));
                                break;
                            }
                        }
                    }
                    let t1 = t.elapsed();
                    let Some((seed, property)) = found else {
                        println!("{name}/{lock} none {t1:?}");
                        continue;
                    };
                    let t = Instant::now();
                    let e = if budget == 150 { Effort::OF_A_RUN } else { Effort { budget, ..Effort::default() } };
                    match shrink(&registry, &Failing { cell: &cell, seed, bugs: &[], property }, e) {
                        Ok(s) => {
                            println!(
                                "{name}/{lock}/{seed} {} {} -> {} runs {} held {}/{} {:?} (find {t1:?})",
                                property.name(),
                                s.before,
                                s.after,
                                s.runs,
                                s.held,
                                s.tried,
                                t.elapsed()
                            );
                            if a.len() > 3 {
                                println!("{}", s.text)
                            }
                        }
                        Err(e) => println!("{name}/{lock}/{seed} {e}"),
                    }
                }
            }
        }
    }
}
fn cell(registry: &Registry, name: &str, lock: &str) -> Cell {
    let text = shipped::scenario(name).map(String::from).unwrap_or_else(|| std::fs::read_to_string(name).unwrap());
    let sc = file::scenario(registry, "x.toml", &text).unwrap_or_else(|e| panic!("{e:#?}"));
    Cell::new(&Arc::new(sc), registry.lock(lock).unwrap(), &[])
}
