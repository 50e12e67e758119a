//! Prints the log of a case: `log FILE.toml LOCK SEED|PROPERTY [full|whole]`. With a property, the first seed that violates it.

use std::sync::Arc;

use fencepost_reports::case_log::{LogOptions, render_log};
use fencepost_reports::case_record::{CaseRecord, Detail};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::{file, registry::Registry, run::case, run::cell::Cell};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let registry = Registry::standard();
    let text = std::fs::read_to_string(&args[1]).expect("a scenario file");
    let scenario = file::scenario(&registry, &args[1], &text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let cell = Cell::new(&Arc::new(scenario), registry.lock(&args[2]).expect("a lock"), &[]);
    let violates = |seed: &u64, property| case::run(&cell, *seed, None).result.verdict(property) == Verdict::Violated;
    let seed = match Property::named(&args[3]) {
        Some(property) => (0..5_000).find(|seed| violates(seed, property)).expect("a seed that violates it"),
        None => args[3].parse().expect("a seed"),
    };
    let wants = |what: &str| args[4..].iter().any(|arg| arg == what);
    let options = LogOptions { full: wants("full"), whole: wants("whole"), colour: wants("colour"), width: Some(150) };
    let record = CaseRecord::watch_with(&cell, seed, if options.full { Detail::Full } else { Detail::Normal });
    print!("{}", render_log(&record, options));
}
