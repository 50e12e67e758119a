//! Parsing terminates on every input.

use std::sync::Arc;
use std::time::Duration;

use fencepost_scenarios::file::{File, Scenario, parse};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::{file::shipped, run::case};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::shipped::{SCENARIOS, SUITE, registry};

#[derive(Clone, Debug)]
enum Edit {
    FlipByte(Index, u8),
    Delete(Index, Index),
    Duplicate(Index, Index),
    SwapLines(Index, Index),
    DuplicateLine(Index, Index),
    Splice(Index, &'static str),
}

const SPLICES: [&str; 16] = [
    "\"\"",
    "[]",
    "{}",
    "-1",
    "nan",
    "99999999999999999999999999",
    "[[fault.pause]]\n",
    "[lock]\n",
    "\u{feff}",
    "\u{0}",
    "\"exp()\"",
    "\"lognormal(1s,)\"",
    "\"..\"",
    "\"..=\"",
    "[[[[[[[[[[",
    "é",
];

fn edit() -> impl Strategy<Value = Edit> {
    let position = any::<Index>;
    prop_oneof![
        (position(), any::<u8>()).prop_map(|(at, bits)| Edit::FlipByte(at, bits)),
        (position(), position()).prop_map(|(from, length)| Edit::Delete(from, length)),
        (position(), position()).prop_map(|(from, length)| Edit::Duplicate(from, length)),
        (position(), position()).prop_map(|(one, other)| Edit::SwapLines(one, other)),
        (position(), position()).prop_map(|(line, to)| Edit::DuplicateLine(line, to)),
        (position(), prop::sample::select(&SPLICES[..])).prop_map(|(at, piece)| Edit::Splice(at, piece)),
    ]
}

fn applied(text: &str, edit: &Edit) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if bytes.is_empty() {
        return String::new();
    }
    let range = |from: &Index, length: &Index| {
        let from = from.index(bytes.len());
        from..(from + 1 + length.index(40)).min(bytes.len())
    };
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    match edit {
        Edit::FlipByte(at, bits) => {
            let at = at.index(bytes.len());
            bytes[at] ^= bits;
        }
        Edit::Delete(from, length) => {
            bytes.drain(range(from, length));
        }
        Edit::Duplicate(from, length) => {
            let range = range(from, length);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.end..range.end, copy);
        }
        Edit::SwapLines(one, other) => {
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
            return lines.concat();
        }
        Edit::DuplicateLine(line, to) => {
            let (line, to) = (lines[line.index(lines.len())], to.index(lines.len()));
            lines.insert(to, line);
            return lines.concat();
        }
        Edit::Splice(at, piece) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, piece.bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn parsing_always_returns(file in 0..=SCENARIOS.len(), edits in prop::collection::vec(edit(), 1..6)) {
        let mut text = SCENARIOS.get(file).map_or(SUITE, |(_, text)| text).to_string();
        for edit in &edits {
            text = applied(&text, edit);
        }
        parses_or_explains("mutated.toml", &text);
    }

    #[test]
    fn mutations_of_the_corpus_parse_or_explain(file in any::<Index>(), edits in prop::collection::vec(edit(), 1..4)) {
        let corpus = corpus();
        let (name, text) = &corpus[file.index(corpus.len())];
        parses_or_explains(name, &edits.iter().fold(text.clone(), |text, edit| applied(&text, edit)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn a_mutated_scenario_can_run(file in 0..shipped::SCENARIOS.len(), edits in prop::collection::vec(edit(), 1..3)) {
        let text = edits.iter().fold(shipped::SCENARIOS[file].1.to_string(), |text, edit| applied(&text, edit));
        if let Ok(File::Scenario(mut scenario)) = parse(&registry(), "mutated.toml", &text) {
            scenario.run_for = scenario.run_for.min(Duration::from_secs(5));
            runs_with(Arc::new(*scenario), "redis-set-px");
        }
    }
}

/// Returns the corpus: invalid files that the parser once handled wrongly, or might, and valid files.
fn corpus() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let entries = std::fs::read_dir(folder).expect("the corpus exists");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let mut files: Vec<_> = paths
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, String::from_utf8_lossy(&std::fs::read(path).expect("a readable file")).into_owned())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn corpus_files_parse_if_their_names_say_so() {
    let corpus = corpus();
    assert!(corpus.len() > 20, "{}", corpus.len());
    for (name, text) in corpus {
        assert_eq!(parses_or_explains(&name, &text), name.starts_with("good-"), "{name}");
    }
}

/// Returns whether the file parses. Asserts that each error has a location and a reason.
fn parses_or_explains(name: &str, text: &str) -> bool {
    let Err(problems) = parse(&registry(), name, text) else { return true };
    assert!(!problems.is_empty(), "{name} failed without a reason");
    for problem in problems {
        assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len(), "{name}: {problem}");
        assert!(text.get(problem.span.clone()).is_some(), "{name}: {problem}");
        assert!(!problem.message.is_empty() && !problem.to_string().contains('\0'), "{name}: {problem}");
    }
    false
}

fn runs_with(scenario: Arc<Scenario>, lock: &str) {
    let registry = registry();
    let cell = Cell::new(&scenario, registry.lock(lock).expect("a known lock"), &[]);
    if cell.header.applicable {
        case::run(&cell, 1, None);
    }
}

#[test]
fn deep_and_long_files_fail_quickly() {
    for text in ["[".repeat(100_000), "a = ".to_string() + &"[".repeat(100_000), "a.".repeat(50_000) + "b = 1"] {
        assert!(parse(&registry(), "deep.toml", &text).is_err());
    }
    let many = "[[fault.pause]]\n".repeat(20_000);
    assert!(parse(&registry(), "many.toml", &format!("run_for = \"1s\"\n{many}")).unwrap_err().len() <= 50);
    let keys: String = (0..2_000).map(|n| format!("k{n} = 1\n")).collect();
    assert!(parse(&registry(), "keys.toml", &keys).unwrap_err().len() <= 50);
}
