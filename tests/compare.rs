//! `compare`: two runs side by side.

mod support;

use support::Place;

/// A lock that the quiet scenario holds against, and one of the same name that is broken by a switch.
const LOCK: [&str; 6] = ["run", "bug-fence-not-durable", "--lock", "lease-server", "--seeds", "24"];

fn two_runs() -> Place {
    let place = Place::new();
    place.done(&[LOCK.as_slice(), &["--out", "before"]].concat());
    place.done(&[LOCK.as_slice(), &["--out", "after", "--bug", "fence-not-durable"]].concat());
    place
}

#[test]
fn a_new_violation_is_told_and_fails_where_it_must_not_be() {
    let place = two_runs();
    let json = place.run(&["compare", "before", "after", "--format", "json"]).json();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["pairs"], 24);
    let changes = json["properties"].as_array().expect("there are properties");
    let new: Vec<_> = changes.iter().filter(|change| change["change"] == "newly-violated").collect();
    assert!(!new.is_empty(), "{json}");
    for change in &new {
        assert_eq!(change["a"]["violated"], 0);
        assert!(change["b"]["violated"].as_u64() > Some(0) && change["first_seed"].is_u64());
    }
    let property = new[0]["property"].as_str().expect("it has a name");
    let ran = place.run(&["compare", "before", "after", "--fail-on", property]);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.contains("newly violated") && ran.err.contains("to reproduce: fencepost replay "), "{}", ran.err);
    assert!(ran.err.contains("--bug fence-not-durable"), "{}", ran.err);
    assert!(ran.out.contains("newly violated: properties"), "{}", ran.out);
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let place = two_runs();
    let ran = place.done(&["compare", "before", "before", "--fail-on", "any"]);
    assert!(ran.out.contains("0 newly violated, 0 worse, 0 better"), "{}", ran.out);
}

#[test]
fn what_is_no_run_is_bad_input() {
    let place = two_runs();
    for (name, code) in [("nowhere", 2), ("empty", 2), ("damaged", 2), ("other", 4)] {
        match name {
            "empty" => place.write("empty/note", ""),
            "damaged" => {
                place.write("damaged/run.json", &place.read("before/run.json"));
                place.write("damaged/results.jsonl", "{\"seed\":}\n");
            }
            "other" => drop(place.done(&["run", "quiet", "--lock", "none", "--seeds", "1", "--out", "other"])),
            _ => {}
        }
        let ran = place.run(&["compare", "before", name]);
        assert_eq!(ran.code, Some(code), "{name}: {}", ran.err);
        assert!(ran.err.contains("help: "), "{}", ran.err);
    }
    assert_eq!(place.run(&["compare", "before"]).code, Some(2));
    assert_eq!(place.run(&["compare", "before", "after", "--fail-on", "x"]).code, Some(2));
}
