//! `compare`: the differences between two runs.

mod support;

use support::Sandbox;

/// A run without violations; a second run switches on a bug of the lock.
const RUN: [&str; 6] = ["run", "bug-fence-not-durable", "--lock", "lease-server", "--seeds", "24"];

fn two_runs() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.succeed(&[RUN.as_slice(), &["--out", "before"]].concat());
    sandbox.succeed(&[RUN.as_slice(), &["--out", "after", "--bug", "fence-not-durable"]].concat());
    sandbox
}

#[test]
fn a_new_violation_is_printed_and_fails_if_named() {
    let sandbox = two_runs();
    let json = sandbox.run(&["compare", "before", "after", "--format", "json"]).json();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["pairs"], 24);
    let changes = json["properties"].as_array().expect("properties is an array");
    let new: Vec<_> = changes.iter().filter(|change| change["change"] == "newly-violated").collect();
    assert!(!new.is_empty(), "{json}");
    for change in &new {
        assert_eq!(change["a"]["violated"], 0);
        assert!(change["b"]["violated"].as_u64() > Some(0) && change["first_seed"].is_u64());
    }
    let property = new[0]["property"].as_str().expect("property is a string");
    let ran = sandbox.run(&["compare", "before", "after", "--fail-on", property]);
    assert_eq!(ran.code, Some(100), "{}", ran.err);
    assert!(ran.err.contains("newly violated") && ran.err.contains("to reproduce: fencepost replay "), "{}", ran.err);
    assert!(ran.err.contains("--bug fence-not-durable"), "{}", ran.err);
    assert!(ran.out.contains("newly violated: properties"), "{}", ran.out);
}

#[test]
fn a_run_does_not_differ_from_itself() {
    let sandbox = two_runs();
    let ran = sandbox.succeed(&["compare", "before", "before", "--fail-on", "any"]);
    assert!(ran.out.contains("0 newly violated, 0 worse, 0 better"), "{}", ran.out);
}

#[test]
fn a_directory_without_a_run_is_bad_input() {
    let sandbox = two_runs();
    for (name, code) in [("nowhere", 2), ("empty", 2), ("damaged", 2), ("other", 4)] {
        match name {
            "empty" => sandbox.write("empty/note", ""),
            "damaged" => {
                sandbox.write("damaged/run.json", &sandbox.read("before/run.json"));
                sandbox.write("damaged/results.jsonl", "{\"seed\":}\n");
            }
            "other" => drop(sandbox.succeed(&["run", "quiet", "--lock", "none", "--seeds", "1", "--out", "other"])),
            _ => {}
        }
        let ran = sandbox.run(&["compare", "before", name]);
        assert_eq!(ran.code, Some(code), "{name}: {}", ran.err);
        assert!(ran.err.contains("help: "), "{}", ran.err);
    }
    assert_eq!(sandbox.run(&["compare", "before"]).code, Some(2));
    assert_eq!(sandbox.run(&["compare", "before", "after", "--fail-on", "x"]).code, Some(2));
}
