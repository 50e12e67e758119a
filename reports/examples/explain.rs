//! Explains a case: `explain FILE.toml LOCK SEED|PROPERTY [OUT.svg|.html|.png] [BUG,..]`. With a property, the first
//! seed that violates it.

use std::sync::Arc;

use fencepost_reports::case_record::CaseRecord;
use fencepost_reports::{explain, timeline};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::{file, registry::Registry, run::case, run::cell::Cell};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let registry = Registry::standard();
    let text = std::fs::read_to_string(&args[1]).expect("a scenario file");
    let scenario = file::scenario(&registry, &args[1], &text).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let bugs: Vec<String> = args.get(5).map_or(Vec::new(), |bugs| bugs.split(',').map(String::from).collect());
    let cell = Cell::new(&Arc::new(scenario), registry.lock(&args[2]).expect("a lock"), &bugs);
    let violates = |seed: &u64, property| case::run(&cell, *seed, None).result.verdict(property) == Verdict::Violated;
    let seed = match Property::named(&args[3]) {
        Some(property) => (0..5_000).find(|seed| violates(seed, property)).expect("a seed that violates it"),
        None => args[3].parse().expect("a seed"),
    };
    let record = CaseRecord::watch(&cell, seed);
    println!("{}", cell.case_name(seed));
    print!("{}", explain::render_causes(&explain::chains(&record)));
    if let Some(path) = args.get(4).filter(|path| !path.is_empty() && *path != "-") {
        let theme = if path.contains("dark") { timeline::Theme::Dark } else { timeline::Theme::Auto };
        std::fs::write(path, timeline::file(&record, std::path::Path::new(path), theme).expect("a drawing"))
            .expect("a file");
    }
}
