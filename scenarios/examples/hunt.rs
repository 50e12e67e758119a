//! Measures how fast hunts find known violations and how far these shrink. Known are every bug that can be enabled, and
//! every property that a shipped scenario expects a lock to violate. Prints `docs/hunt.md`:
//!
//! ```sh
//! cargo run --release -p fencepost-scenarios --example hunt > docs/hunt.md
//! cargo run --release -p fencepost-scenarios --example hunt -- redlock    # rows with this word, and their reproducers
//! ```

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fencepost_scenarios::file::shipped;
use fencepost_scenarios::file::{self, Expectation};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::search::hunt::{Aim, Found, Hunt, hunt};
use fencepost_scenarios::search::shrink::{BUDGET, Effort, Failing, Size, shrink};
use toml::{Table, Value};

/// The maximum number of cases of a hunt.
const CASES: u64 = 2_000;
const THREADS: usize = 2;
/// The maximum time of a hunt.
const MAX_TIME: Duration = Duration::from_secs(60);

/// A known violation.
struct Known {
    name: String,
    lock: String,
    property: Property,
    bugs: Vec<String>,
    /// The scenario to hunt in.
    scenario: String,
}

/// The result for a known violation.
struct Row {
    text: String,
    reproducer: String,
    /// Whether the default hunt finds the violation and `shrink` makes it readable, within the limits.
    good: bool,
    aimed: Option<u64>,
    /// The number of other seeds that also show the violation.
    held: u32,
}

fn main() -> ExitCode {
    let registry = Registry::standard();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut known = bugs(&registry);
    known.extend(weaknesses(&registry));
    known.retain(|known| words.iter().all(|word| known.name.contains(word)));
    let rows: Vec<Row> = known.iter().map(|known| row(&registry, known)).collect();
    print!("{HEAD}");
    print!("{}", summary(&rows));
    print!("{COLUMNS}");
    for row in &rows {
        println!("{}", row.text);
        if !words.is_empty() {
            eprintln!("{}", row.reproducer);
        }
    }
    let bad: Vec<&Row> = rows.iter().filter(|row| !row.good).collect();
    bad.iter().for_each(|row| eprintln!("not found, or not small enough: {}", row.text));
    ExitCode::from(u8::from(!bad.is_empty()))
}

const HEAD: &str = "\
# Results of hunting and shrinking

The rows are all bugs that can be enabled, and all properties that a shipped scenario expects a lock to violate. A bug is hunted
in the scenario of its reproducer, with the same kinds of fault at random times. A property is hunted in the first scenario that
expects its violation. *uniform* and *aimed* (the default) give the cases and time until `hunt --aim` finds a violation among
2,000 cases, on two threads. *clients*, *faults* and *events* (of the history) describe the shrunk aimed case; *seeds* counts
those of eight other seeds that show the violation too. *runs* and *time* are the cost of shrinking. Times are from one machine.

None of these numbers is a rate. To regenerate this page:

```sh
cargo run --release -p fencepost-scenarios --example hunt > docs/hunt.md
```

The example fails unless the aimed hunt finds each violation within 2,000 cases and one minute, and each shrinks to at most 3
clients, 3 faults and 40 events within 2,000 runs. With words after `--`, it runs only the rows whose names contain all of
them, and prints their reproducers.

";

const COLUMNS: &str = "\
| what | property | uniform | aimed | clients | faults | events | seeds | runs | time |
|---|---|---|---|---|---|---|---|---|---|
";

/// Returns the paragraph above the table.
fn summary(rows: &[Row]) -> String {
    let mut cases: Vec<u64> = rows.iter().filter_map(|row| row.aimed).collect();
    cases.sort_unstable();
    let within = |most: u64| cases.iter().filter(|cases| **cases <= most).count();
    let held_by = |least: u32| rows.iter().filter(|row| row.held >= least).count();
    let (any, all) = (held_by(1), held_by(Effort::default().other_seeds));
    let (rows, good) = (rows.len(), rows.iter().filter(|row| row.good).count());
    format!(
        "{good} of {rows} rows are within these bounds. The aimed hunt finds {} with its first case, {} within ten, {} within a hundred,\n\
         and the last with case {}. In {any} rows at least one other seed shows the shrunk violation too, in {all} all eight do. The others\n\
         need latencies or an order of events that none of the other seeds draws, even with longer faults.\n\n",
        within(1),
        within(10),
        within(100),
        cases.last().unwrap_or(&0)
    )
}

fn row(registry: &Registry, known: &Known) -> Row {
    let scenario = file::scenario(registry, "hunt.toml", &known.scenario);
    let scenario = scenario.unwrap_or_else(|wrong| panic!("{}: {wrong:#?}\n{}", known.name, known.scenario));
    let cell = Cell::new(&Arc::new(scenario), registry.lock(&known.lock).expect("a known lock"), &known.bugs);
    let (uniform, _) = hunted(registry, known, &cell, Aim::Uniform);
    let (aimed, found) = hunted(registry, known, &cell, Aim::Aimed);
    let text = format!("| `{}` | {} | {uniform} | {aimed} |", known.name, known.property.name());
    let Some((found, soon)) = found else {
        let text = text + " – | – | – | – | – | – |";
        return Row { text, reproducer: String::new(), good: false, aimed: None, held: 0 };
    };
    let began = now();
    let failing = Failing { cell: &found.cell, seed: found.seed, bugs: &known.bugs, property: found.property };
    let shrunk = shrink(registry, &failing, Effort::default()).unwrap_or_else(|why| panic!("{}: {why}", known.name));
    let Size { clients, faults, events, .. } = shrunk.after;
    let (held, runs, time) = (shrunk.held, shrunk.runs, duration(began.elapsed()));
    let good = soon && shrunk.after.readable() && runs <= BUDGET;
    let text = format!("{text} {clients} | {faults} | {events} | {held} | {runs} | {time} |");
    Row { text, reproducer: shrunk.text, good, aimed: Some(found.seed + 1), held }
}

/// Runs a hunt. Returns its cases and time as text, and the case found with whether it was found in time.
fn hunted(registry: &Registry, known: &Known, cell: &Cell, aim: Aim) -> (String, Option<(Found, bool)>) {
    let wanted = [known.property];
    let began = now();
    let what = Hunt { cell, bugs: &known.bugs, wanted: &wanted, aim, cases: CASES, threads: THREADS };
    let hunted = hunt(registry, &what).unwrap_or_else(|panicked| panic!("{panicked}"));
    let took = began.elapsed();
    match hunted.found {
        Some(found) => (format!("{} in {}", hunted.cases, duration(took)), Some((found, took <= MAX_TIME))),
        None => (format!("none of {CASES} in {}", duration(took)), None),
    }
}

fn duration(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[expect(clippy::disallowed_methods, reason = "the page shows the time of hunts")]
fn now() -> Instant {
    Instant::now()
}

/// Returns every bug that can be enabled.
fn bugs(registry: &Registry) -> Vec<Known> {
    let of_file = |(name, text): &(&str, &str)| {
        let scenario = file::scenario(registry, name, text).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"));
        let pin = scenario.case.expect("a reproducer of a bug pins a case");
        let violated = pin.expect.iter().find(|(_, is)| **is == Expectation::Violated);
        let (property, _) = violated.expect("a reproducer of a bug expects a violation");
        let scenario = with_random_faults(text, &pin.lock);
        Known { name: pin.bugs.join("+"), lock: pin.lock, property: *property, bugs: pin.bugs, scenario }
    };
    shipped::BUGS.iter().filter(|(_, text)| registry.lock(&lock_of(text)).is_some()).map(of_file).collect()
}

fn lock_of(text: &str) -> String {
    let scenario: Table = toml::from_str(text).expect("a shipped file is TOML");
    scenario["case"]["lock"].as_str().unwrap_or_default().to_owned()
}

/// Returns every property that a lock is expected to violate, in the first scenario that expects it.
fn weaknesses(registry: &Registry) -> Vec<Known> {
    let mut seen = BTreeSet::new();
    let mut known = Vec::new();
    for (name, text) in shipped::SCENARIOS {
        let Ok(scenario) = file::scenario(registry, name, text) else { continue };
        for (lock, expected) in &scenario.expect {
            for (property, _) in expected.iter().filter(|(_, is)| **is == Expectation::Violated) {
                if seen.insert((lock.clone(), *property)) {
                    let (lock, property, scenario) = (lock.clone(), *property, text.to_string());
                    known.push(Known { name: format!("{name}/{lock}"), lock, property, bugs: Vec::new(), scenario });
                }
            }
        }
    }
    known.sort_by_key(|known| registry.locks().iter().position(|lock| lock.name() == known.lock));
    known
}

/// Returns the scenario of a reproducer, with its kinds of fault at random times and nodes.
fn with_random_faults(text: &str, lock: &str) -> String {
    let mut scenario: Table = toml::from_str(text).expect("a shipped file is TOML");
    scenario.remove("case");
    scenario.insert("locks".into(), Value::Array(vec![Value::String(lock.into())]));
    let run_for: fencepost_sim::units::Span =
        scenario["run_for"].as_str().unwrap_or("60s").parse().expect("a duration");
    let gap = format!("exp({})", fencepost_sim::units::Span(run_for.0 / 6));
    for (_, faults) in scenario.get_mut("fault").and_then(Value::as_table_mut).into_iter().flatten() {
        let Some(faults) = faults.as_array_mut() else { continue };
        let many = faults.len() > 1;
        for fault in faults.iter_mut().filter_map(Value::as_table_mut) {
            fault.remove("at");
            fault.remove("on");
            fault.insert("every".into(), Value::String(gap.clone()));
            if let Some(lasts) = fault.get("lasts").and_then(Value::as_str).map(String::from) {
                let fencepost_sim::units::Span(lasts) = lasts.parse().expect("a duration");
                let range = fencepost_sim::units::Dist::Uniform(lasts / 2, lasts * 3 / 2);
                fault.insert("lasts".into(), Value::String(range.to_string()));
            }
            for key in ["target", "from", "to"] {
                let group = fault.get(key).and_then(Value::as_str).map(|name| group_of(name, many));
                fault.extend(group.map(|group| (key.to_owned(), Value::String(group))));
            }
        }
        // Equal faults at several nodes become one fault at a group.
        let mut kinds: Vec<Table> = Vec::new();
        faults.retain(|fault| {
            let mut keys = fault.as_table().cloned().unwrap_or_default();
            keys.remove("name");
            let new = !kinds.contains(&keys);
            kinds.push(keys);
            new
        });
    }
    scenario.to_string()
}

/// Returns the group that replaces a node of a reproducer.
fn group_of(name: &str, many: bool) -> String {
    match (name, many) {
        ("store", _) => "store".into(),
        (client, _) if client.starts_with("client-") => "client:any".into(),
        (_, true) => "server:all".into(),
        (_, false) => "server:any".into(),
    }
}
