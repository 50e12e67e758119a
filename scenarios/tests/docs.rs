//! The book matches the program: its examples parse, and it explains every name and key.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fencepost_models::{Class, Requirement};
use fencepost_scenarios::file;
use fencepost_scenarios::file::schema;
use fencepost_scenarios::file::shipped;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::workload::Workload;
use serde_json::Value;

#[path = "../examples/offers.rs"]
mod offers;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the paths and texts of the README, CONTRIBUTING and every page of the book.
fn pages() -> Vec<(PathBuf, String)> {
    let book = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = book.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    paths.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// Returns the fenced blocks in this language, each with the number of its first line.
fn blocks(text: &str, language: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        if info == language {
            found.push((number + 2, body.join("\n")));
        }
    }
    found
}

/// Returns the part of a page under the heading `## NAME` or `### NAME` whose name is in backticks.
fn section<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let heading = [format!("\n## `{name}`\n"), format!("\n### `{name}`\n")];
    let after = heading.iter().find_map(|heading| text.split_once(heading))?.1;
    Some(after.split("\n## ").next().unwrap_or(after))
}

/// Returns the names in headings that consist of one name in backticks.
fn headings(text: &str) -> BTreeSet<&str> {
    (text.lines())
        .filter(|line| line.starts_with("## `") || line.starts_with("### `"))
        .filter_map(|line| line.trim_start_matches('#').trim().strip_prefix('`')?.strip_suffix('`'))
        .filter(|name| !name.starts_with('['))
        .collect()
}

#[test]
fn every_scenario_in_the_book_parses() {
    let mut seen = 0;
    for (path, text) in pages() {
        for (line, block) in blocks(&text, "toml").iter().filter(|(_, block)| block.contains("run_for")) {
            let read = file::scenario(&Registry::standard(), "example.toml", block);
            if let Err(problems) = read {
                panic!("{}:{line}: {problems:#?}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} examples were found");
}

/// Returns in how many of 50 cases this lock lost an update.
fn lost_updates(text: &str, lock: &str) -> u64 {
    fencepost_testkit::run(text, lock, 50).violated(Property::NoLostUpdate)
}

#[test]
fn the_scenario_of_the_readme_behaves_as_described() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, text) = &blocks(&readme, "toml")[0];
    for lock in ["redis-set-px", "lease-server"] {
        let lost = lost_updates(text, lock);
        assert!(lost >= 40, "{lock} lost an update in {lost} of 50 cases");
    }
    let guarded = text.replace("[workload.inventory]", "[workload.inventory]\nguard = \"fence-reads\"");
    assert_eq!(lost_updates(&guarded, "lease-server"), 0);
}

#[test]
fn the_scenario_of_the_million_cases_parses() {
    let text = fs::read_to_string(root().join(".ci/million.toml")).unwrap();
    let read =
        file::scenario(&Registry::standard(), "million.toml", &text).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
    assert_eq!((read.clients.count, read.run_for.as_secs()), (2, 5));
}

/// Asserts that the headings of a page in backticks are these names.
fn assert_same_names(page_name: &str, names: impl Iterator<Item = &'static str>) {
    let text = page(page_name);
    assert_eq!(headings(&text), names.collect::<BTreeSet<_>>(), "{page_name}");
}

#[test]
fn every_lock_fault_workload_and_property_has_a_section() {
    let registry = Registry::standard();
    assert_same_names("locks.md", registry.locks().iter().map(|lock| lock.name()));
    assert_same_names("faults.md", registry.faults().iter().map(|fault| fault.info.name));
    assert_same_names("workloads.md", registry.workloads().iter().map(|workload| workload.info.name));
    assert_same_names("properties.md", Property::ALL.into_iter().map(Property::name));
    let scenarios = page("scenarios.md");
    for workload in registry.workloads() {
        assert!(section(&scenarios, &format!("[workload.{}]", workload.info.name)).is_some(), "{}", workload.info.name);
    }
    for class in Class::ALL {
        let row = format!("| `@{}` | {} |", class.name(), class.about());
        assert!(scenarios.contains(&row), "scenarios.md has no row: {row}");
    }
}

#[test]
fn the_table_of_workloads_matches_the_registry() {
    let table = page("workloads.md");
    for workload in Registry::standard().workloads() {
        let row = format!("| `{}` | {} | {} |", workload.info.name, workload.info.use_case.name(), workload.info.unit);
        let line = table.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
        let scenarios = line.split('|').nth(5).unwrap_or_default().split(',');
        for name in scenarios.map(|name| name.trim().trim_matches('`')) {
            assert!(shipped::scenario(name).is_some(), "{}: no scenario {name}", workload.info.name);
        }
    }
}

#[test]
fn the_table_of_suites_matches_the_files() {
    let text = page("scenarios.md");
    let table = text.split_once("\n## Suites\n").expect("a section").1;
    let suites = shipped::SUITES.iter().map(|(name, text)| {
        file::suite(&Registry::standard(), name, text).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"))
    });
    let rows: Vec<String> = suites
        .map(|suite| format!("| `{}` | {} | {} |", suite.name, suite.seeds.unwrap_or_default(), suite.about))
        .collect();
    for row in &rows {
        assert!(table.lines().any(|line| line == row), "no row {row}");
    }
    let named = table.lines().filter(|line| line.starts_with("| `") && !line.starts_with("| `name`"));
    let keys = ["| `scenarios`", "| `seeds`", "| `locks`"];
    let listed = named.filter(|line| !keys.iter().any(|key| line.starts_with(key))).count();
    assert_eq!(listed, rows.len(), "every row names an existing suite");
}

/// Returns the names of the scenarios in a table's cell.
fn scenarios_in(cell: &str) -> Vec<&str> {
    cell.split(',').map(|name| name.trim().trim_matches('`')).collect()
}

#[test]
fn every_statement_lists_scenarios_with_expectations() {
    let registry = Registry::standard();
    let text = page("statements.md");
    let suite = shipped::suite("statements").expect("a suite");
    let suite = file::suite(&registry, "statements.toml", suite).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
    let mut named = BTreeSet::new();
    for statement in 1..=9 {
        let row = text.lines().find(|line| line.starts_with(&format!("| {statement} |")));
        let row = row.unwrap_or_else(|| panic!("statement {statement} has no row"));
        for name in scenarios_in(row.split('|').nth(3).unwrap_or_default()) {
            let text = shipped::scenario(name).unwrap_or_else(|| panic!("{statement}: no scenario {name}"));
            let scenario = file::scenario(&registry, name, text).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"));
            assert!(!scenario.expect.is_empty() || scenario.case.is_some(), "{name} has no expectations");
            if scenario.case.is_none() {
                named.insert(name.to_string());
            }
        }
    }
    assert_eq!(named, suite.scenarios.into_iter().collect(), "the suite must have the scenarios of the table");
}

#[test]
fn the_ablation_changes_one_setting_at_a_time() {
    let text = page("scenarios.md");
    let registry = Registry::standard();
    let rows = ["no guard", "fenced writes", "fenced reads", "claims"].map(|guard| {
        let row = text.lines().find(|line| line.starts_with(&format!("| {guard} |")));
        row.unwrap_or_else(|| panic!("no row {guard}")).split('|').skip(2).take(4).map(str::trim).collect::<Vec<_>>()
    });
    for (guard, row) in ["none", "fence-writes", "fence-reads", "claim"].iter().zip(&rows) {
        for (column, name) in row.iter().enumerate() {
            let name = name.trim_matches('`');
            let text = shipped::scenario(name).unwrap_or_else(|| panic!("no scenario {name}"));
            let scenario = file::scenario(&registry, name, text).unwrap_or_else(|wrong| panic!("{name}: {wrong:#?}"));
            let actual = serde_json::to_value(Workload::of_scenario(&scenario).guard()).expect("a guard is a string");
            assert_eq!(actual, Value::String((*guard).into()), "{name}");
            let kind = if column < 2 { "pause" } else { "vm-pause" };
            assert_eq!((scenario.faults[0].kind.name, scenario.faults.len()), (kind, 1), "{name}");
            assert_eq!(scenario.clients.check_before_write, column % 2 == 1, "{name}");
            assert_eq!((scenario.clients.count, scenario.run_for.as_secs()), (4, 180), "{name}: all else is equal");
        }
    }
}

#[test]
fn the_metadata_of_locks_is_complete() {
    let registry = Registry::standard();
    for (_, bug) in registry.bugs() {
        assert!(shipped::scenario(bug.scenario).is_some(), "{}: no scenario {}", bug.name, bug.scenario);
        assert!(Property::named(bug.property).is_some(), "{}: no property {}", bug.name, bug.property);
    }
    for lock in registry.locks() {
        let info = &lock.info;
        let documented: BTreeSet<Requirement> = info.promises.iter().map(|promise| promise.requirement).collect();
        assert_eq!(documented.len(), info.promises.len(), "{}: one promise for each requirement", info.name);
        assert!(info.promises.iter().all(|promise| !promise.says.is_empty() && !promise.source.is_empty()));
    }
}

#[test]
fn locks_md_says_what_each_lock_and_variant_offers() {
    let (tables, page) = (offers::tables(), page("locks.md"));
    for table in tables.split("\n\n").map(str::trim_end) {
        assert!(page.contains(table), "locks.md has an old table; the example `offers` prints this one:\n{table}");
    }
}

/// Asserts that the text contains each key of a table of the schema, in backticks.
fn assert_keys(what: &str, text: &str, table: &Value, except: &[&str]) {
    let keys = table["properties"].as_object().unwrap_or_else(|| panic!("{what} has no keys"));
    for key in keys.keys().filter(|key| !except.contains(&key.as_str())) {
        assert!(text.contains(&format!("`{key}`")), "{what}: `{key}` is not explained");
    }
}

#[test]
fn every_key_is_explained_in_its_section() {
    let registry = Registry::standard();
    let schema = schema::scenario(&registry);
    let table = |name: &str| resolved(&schema, &schema["properties"][name]);
    let names: Vec<&str> = registry.locks().iter().map(|lock| lock.name()).collect();
    let scenarios = page("scenarios.md");
    let head = scenarios.split_once("\n## Top of the file\n").and_then(|(_, rest)| rest.split_once("\n## "));
    let tables = ["clients", "lock", "workload", "network", "fault", "expect", "explore", "case"];
    assert_keys("the top", head.expect("a section").0, &schema, &tables);
    for name in ["clients", "lock", "network", "explore", "case"] {
        let text = section(&scenarios, &format!("[{name}]")).unwrap_or_else(|| panic!("[{name}] has no section"));
        assert_keys(name, text, table(name), &names);
    }
    for workload in registry.workloads() {
        let text = section(&scenarios, &format!("[workload.{}]", workload.info.name)).unwrap();
        let keys = resolved(&schema, &table("workload")["properties"][workload.info.name]);
        assert_keys(workload.info.name, text, keys, &[]);
    }
    let (faults, locks) = (page("faults.md"), page("locks.md"));
    let shared = ["name", "at", "every", "on", "lasts", "preset", "target", "from", "to", "both_ways"];
    for key in shared {
        assert!(faults.contains(&format!("`{key}")), "`{key}` is not explained");
    }
    for fault in registry.faults() {
        let keys = resolved(&schema, &resolved(&schema, &table("fault")["properties"][fault.info.name])["items"]);
        assert_keys(fault.info.name, section(&faults, fault.info.name).unwrap(), keys, &shared);
    }
    for lock in registry.locks().iter().filter(|lock| lock.name() != "redis-set-px-del") {
        let keys = resolved(&schema, &table("lock")["properties"][lock.name()]);
        if keys["properties"].is_object() {
            assert_keys(lock.name(), section(&locks, lock.name()).unwrap(), keys, &[]);
        }
    }
}

#[test]
fn every_preset_is_in_the_book() {
    let text = page("faults.md");
    let presets = section(&text.replace("## Presets\n", "## `Presets`\n"), "Presets").unwrap().to_string();
    let kinds = fencepost_sim::faults::STANDARD.iter();
    let all: Vec<_> = kinds.flat_map(|kind| kind.presets.iter().map(move |preset| (kind.name, preset))).collect();
    for (kind, preset) in &all {
        let row = presets.lines().find(|line| line.starts_with(&format!("| `{}` | `{kind}` |", preset.name)));
        let row = row.unwrap_or_else(|| panic!("{} has no row", preset.name));
        assert!(row.contains(preset.about) && row.contains(preset.source), "{row}");
        assert!(preset.keys.lines().all(|key| row.contains(&format!("`{key}`"))), "{row}");
    }
    let rows = presets.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, all.len());
}

fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("references resolve"),
        None => schema,
    }
}

#[test]
fn every_page_is_in_the_table_of_contents() {
    let (contents, index) = (page("SUMMARY.md"), page("README.md"));
    for entry in fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") && !["SUMMARY.md", "README.md"].contains(&name.as_str()) {
            assert!(contents.contains(&format!("]({name})")), "{name} is not in SUMMARY.md");
            assert!(index.contains(&format!("]({name})")), "{name} is not in docs/README.md");
        }
    }
}

#[test]
fn links_between_pages_resolve() {
    for (path, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            if link.starts_with("http") || file.ends_with(".png") {
                continue;
            }
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: the target of {link} does not exist", path.display());
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                assert!(anchors(&text).any(|known| known == anchor), "{}: no heading for {link}", path.display());
            }
        }
    }
}

/// Returns the anchors of all headings.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    (text.lines().filter(|line| line.starts_with('#'))).map(move |line| {
        let title: String = line.trim_start_matches('#').trim().chars().filter(kept).collect();
        title.to_lowercase().replace(' ', "-")
    })
}
