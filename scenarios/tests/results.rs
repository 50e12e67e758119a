//! Results survive a round trip through their file, and the JSON of a run follows its contract.

use std::time::Duration;

use fencepost_scenarios::property::{Property, Verdict};
use fencepost_scenarios::run::case_result::{CaseResult, FaultTally, Span};
use fencepost_scenarios::run::results::{
    CellHeader, CellResult, FaultLabel, ResultsError, ResultsReader, ResultsWriter, Row, RunResult, read_cells,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn header() -> CellHeader {
    CellHeader {
        scenario: "gc-pause-inventory".into(),
        about: "Buyers hit by pauses \"longer\" than\nthe lease.".into(),
        family: "pause".into(),
        lock: "redlock".into(),
        applicable: true,
        reason: None,
        effective_expiry: Some(Duration::from_millis(10_250)),
        faults: vec![FaultLabel { name: "gc".into(), kind: "pause".into() }],
        workload: "inventory".into(),
        use_case: "efficiency".into(),
        harm_unit: "units".into(),
        update: Some("target".into()),
        guard: Some("none".into()),
        clients: 5,
        takeover_bound: Some(Duration::from_millis(12_500)),
        setting: "00ff".into(),
        load: "0ff0".into(),
        swarm: false,
        dose: Some(0.1 + 0.2),
    }
}

fn result(seed: u64) -> CaseResult {
    let verdict = |property| match (property, seed % 10) {
        (Property::EffectExclusion, 3) => Verdict::Violated,
        (Property::EffectExclusion, 4) => Verdict::Unknown,
        (Property::Fencing, _) => Verdict::NotApplicable,
        _ => Verdict::Holds,
    };
    CaseResult {
        verdicts: Property::ALL.into_iter().map(|property| (property, verdict(property))).collect(),
        metrics: vec![("oversold_units".into(), (seed % 3) as i64), ("acked_orders".into(), 100 + seed as i64)],
        faults: vec![FaultTally { planned: 9, fired: 8, touched: seed % 2 }],
        censored: seed.is_multiple_of(5),
        touched_holder: seed % 2 == 1,
        trace: u128::from(seed) << 64 | 0xabc,
        events: 1000 + seed,
        spans: vec![Span { slices: 9, wanted: 7, served: seed % 7, faulty: 3 }; 2],
    }
}

fn written(seeds: std::ops::Range<u64>) -> Vec<u8> {
    let mut writer = ResultsWriter::new(Vec::new());
    writer.cell(&header()).unwrap();
    for seed in seeds {
        writer.case(seed, &result(seed)).unwrap();
    }
    writer.into_inner()
}

fn added(seeds: std::ops::Range<u64>) -> CellResult {
    let mut cell = CellResult::default();
    seeds.for_each(|seed| cell.add(seed, &result(seed)));
    cell
}

fn printed(header: CellHeader, result: CellResult) -> Value {
    let run = RunResult { suite: "standard".into(), cells: vec![(header, result)], until: None };
    serde_json::to_value(&run).unwrap()
}

#[test]
fn rows_survive_a_round_trip() {
    let bytes = written(0..20);
    let mut reader = ResultsReader::new(bytes.as_slice());
    let rows: Vec<Row> = reader.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows[0], Row::Cell(Box::new(header())));
    for (seed, row) in (0..20).zip(&rows[1..]) {
        assert_eq!(*row, Row::Case { seed, result: result(seed) });
    }
    assert!(!reader.truncated());
    assert_eq!(reader.complete_bytes(), bytes.len() as u64);
    assert_eq!(read_cells(bytes.as_slice()).unwrap(), vec![(header(), added(0..20))]);
}

#[test]
fn case_line_is_compact_and_contains_the_hash() {
    let text = String::from_utf8(written(7..8)).unwrap();
    let case = text.lines().nth(1).unwrap();
    assert!(case.starts_with(r#"{"seed":7,"verdicts":{"grant-exclusion":"holds","#), "{case}");
    assert!(case.contains(r#""metrics":{"oversold_units":1,"acked_orders":107},"faults":[[9,8,1]]"#), "{case}");
    assert!(case.ends_with(r#""trace":"xxh3:00000000000000070000000000000abc"}"#), "{case}");
}

#[test]
fn interrupted_run_loses_only_its_last_line() {
    let whole = written(0..5);
    let up_to = |lines: usize| whole.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum::<usize>();
    for cut in [up_to(5) + 1, whole.len() - 20, whole.len() - 1] {
        let mut reader = ResultsReader::new(&whole[..cut]);
        assert_eq!(reader.by_ref().filter(|row| row.is_ok()).count(), 5, "cut at {cut}");
        assert!(reader.truncated());
        assert_eq!(reader.complete_bytes(), up_to(5) as u64);
    }
}

#[test]
fn parts_of_a_sharded_run_add_up() {
    let mut parts = written(0..7);
    parts.extend(written(7..20));
    assert_eq!(read_cells(parts.as_slice()).unwrap(), vec![(header(), added(0..20))]);
}

#[test]
fn invalid_rows_are_reported_with_their_line() {
    let case_first = b"{\"seed\":1,\"verdicts\":{},\"metrics\":{},\"faults\":[],\"events\":1,\
        \"trace\":\"xxh3:00000000000000000000000000000000\"}\n";
    assert!(matches!(read_cells(&case_first[..]), Err(ResultsError::CaseWithoutCell { line: 1 })));

    let broken = |replace: &str, by: &str| {
        let text = String::from_utf8(written(0..1)).unwrap();
        assert!(text.contains(replace));
        read_cells(text.replace(replace, by).as_bytes()).unwrap_err().to_string()
    };
    assert!(broken("\"takeover\"", "\"take-over\"").contains("line 2: `take-over` is not a property"));
    assert!(broken("\"acked_orders\":100", "\"acked_orders\":-1").contains("`acked_orders` is -1"));
    assert!(broken("xxh3:0", "xxh3:+").contains("is not a trace hash"));
    assert!(broken("10.25", "-1").starts_with("line 1: -1 is not a duration in seconds"));
    assert!(broken("{\"seed\"", "[\"seed\"").starts_with("line 2: "));

    let endless = std::io::BufReader::new(std::io::repeat(b'x'));
    assert!(matches!(read_cells(endless), Err(ResultsError::TooLong { line: 1 })));
}

#[test]
fn parts_of_different_runs_are_refused() {
    let mut parts = written(0..2);
    let other = String::from_utf8(written(2..4)).unwrap().replace("10.25", "12");
    parts.extend(other.into_bytes());
    assert!(matches!(read_cells(parts.as_slice()), Err(ResultsError::Conflicting { .. })));
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let value = printed(header(), added(0..100));
    assert_eq!((&value["schema_version"], &value["suite"]), (&json!(1), &json!("standard")));
    let cell = &value["cells"][0];
    assert_eq!((&cell["scenario"], &cell["lock"]), (&json!("gc-pause-inventory"), &json!("redlock")));
    assert_eq!((&cell["cases"], &cell["applicable"]), (&json!(100), &json!(true)));
    let effect = &cell["properties"]["effect-exclusion"];
    assert_eq!(effect["holds"], 80);
    assert_eq!((&effect["violated"], &effect["unknown"]), (&json!(10), &json!(10)));
    assert_eq!(effect["rate"], json!(10.0 / 90.0));
    assert_eq!(effect["first_seed"], 3);
    // 10 of 90 below; with the 10 unknown ones counted, 20 of 100 above.
    assert_eq!(effect["ci95"], json!([0.054586, 0.291843]));
    let fencing = &cell["properties"]["fencing"];
    assert_eq!(
        *fencing,
        json!({"holds":0,"violated":0,"unknown":0,"not_applicable":100,"rate":null,
        "ci95":[0.0,1.0],"first_seed":null})
    );
    let sold = &cell["metrics"]["oversold_units"];
    assert_eq!(*sold, json!({"total":99,"mean":0.99,"p50":1,"p95":2,"max":2}));
    assert_eq!(
        cell["faults"]["gc"],
        json!({"kind":"pause","planned":900,"fired":800,"touched":50,"decisive":{"sampled":0,"changed":0}})
    );
    assert_eq!((&cell["effective_expiry_s"], &cell["censored"]), (&json!(10.25), &json!(20)));
    assert_eq!(cell["touched_holder"]["violated"], 10);
}

#[test]
fn cell_that_does_not_apply_is_empty() {
    let reason = Some("no tokens".to_owned());
    let value = printed(CellHeader { applicable: false, reason, ..header() }, CellResult::default());
    let cell = &value["cells"][0];
    assert_eq!((&cell["cases"], &cell["applicable"]), (&json!(0), &json!(false)));
    for map in ["properties", "metrics", "faults"] {
        assert_eq!(cell[map], json!({}), "{map}");
    }
    assert_eq!(cell["reason"], "no tokens");
}

#[test]
fn censored_cases_do_not_count_for_oversell() {
    let cell = added(0..30);
    assert_eq!(cell.metric("oversold_units").unwrap().samples(), 30);
    assert_eq!(cell.oversold_uncensored().samples(), 24);
}

proptest! {
    #[test]
    fn merged_shards_equal_the_whole(cut in 0_u64..50) {
        let mut merged = added(cut..50);
        merged.merge(&added(0..cut));
        prop_assert_eq!(merged, added(0..50));
    }

    #[test]
    fn reader_survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_cells(bytes.as_slice());
    }
}
