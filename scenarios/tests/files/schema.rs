//! The JSON Schema matches the parser.

use std::collections::BTreeSet;

use fencepost_scenarios::file;
use fencepost_scenarios::file::schema::{scenario, suite};
use fencepost_scenarios::file::shipped;
use fencepost_scenarios::property::Property;
use serde_json::{Value, json};

use crate::shipped::{SCENARIOS, SUITE, registry};

/// Asserts that the schema contains every key of a file.
fn assert_known(root: &Value, schema: &Value, value: &toml::Value, path: &str) {
    let schema = resolved(root, schema);
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = format!("{path}.{key}");
                let property = schema["properties"].get(key).unwrap_or_else(|| panic!("{path} is not in the schema"));
                assert_known(root, property, value, &path);
            }
        }
        toml::Value::Array(items) => items.iter().for_each(|item| assert_known(root, &schema["items"], item, path)),
        toml::Value::String(text) => {
            if let Some(choices) = schema["enum"].as_array() {
                assert!(choices.contains(&json!(text)), "{path}: {text} is not in {choices:?}");
            }
        }
        _ => {}
    }
}

fn resolved<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).expect("references resolve"),
        None => schema,
    }
}

#[test]
fn the_schema_contains_every_key_of_the_fixtures() {
    let schema = scenario(&registry());
    for (name, text) in SCENARIOS {
        assert_known(&schema, &schema, &text.parse::<toml::Table>().unwrap().into(), name);
    }
    let schema = suite(&registry());
    assert_known(&schema, &schema, &SUITE.parse::<toml::Table>().unwrap().into(), "suite");
}

#[test]
fn the_schema_contains_the_registry() {
    let registry = registry();
    let schema = scenario(&registry);
    for fault in registry.faults() {
        let items = &schema["properties"]["fault"]["properties"][fault.info.name]["items"];
        assert!(items["properties"]["every"].is_object(), "{}", fault.info.name);
        assert_eq!(items["additionalProperties"], json!(false));
        let presets: Vec<&str> = fault.info.presets.iter().map(|preset| preset.name).collect();
        let known = items["properties"]["preset"]["enum"].as_array().map_or(0, Vec::len);
        assert_eq!(known, presets.len(), "{}: {presets:?}", fault.info.name);
    }
    for lock in registry.locks() {
        assert!(schema["properties"]["lock"]["properties"][lock.name()].is_object(), "{}", lock.name());
        let expected = &schema["properties"]["expect"]["properties"][lock.name()]["properties"];
        assert!(Property::ALL.iter().all(|property| expected[property.name()].is_object()));
        assert!(schema["properties"]["locks"]["items"]["enum"].as_array().unwrap().contains(&json!(lock.name())));
    }
    for workload in registry.workloads() {
        assert!(schema["properties"]["workload"]["properties"][workload.info.name].is_object());
    }
}

#[test]
fn every_key_is_described_and_defaults_are_as_users_write_them() {
    let schema = scenario(&registry());
    for table in ["clients", "network", "explore", "case"] {
        for (key, property) in schema["properties"][table]["properties"].as_object().unwrap() {
            let described = property["description"].is_string() || key == "expect";
            assert!(described, "{table}.{key}: {property}");
        }
    }
    let clients = &schema["properties"]["clients"]["properties"];
    assert_eq!(clients["wait_at_most"]["default"], json!("30s"));
    assert_eq!((&clients["think"]["default"], &clients["count"]["default"]), (&json!("1ms"), &json!(5)));
    assert_eq!(schema["properties"]["network"]["properties"]["latency"]["default"], json!("1ms..5ms"));
    let step = &schema["properties"]["fault"]["properties"]["clock-step"]["items"];
    assert_eq!(step["required"], json!(["target"]));
    let either = json!([{ "anyOf": [{ "required": ["preset"] }, { "required": ["by"] }] }]);
    assert_eq!(step["allOf"], either, "a preset may replace the key");
    assert!(step["properties"].get("lasts").is_none() && step["properties"].get("from").is_none());
    let text = schema.to_string();
    assert!(!text.contains("null"), "TOML has no null");
    assert_eq!(schema["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
}

/// Returns the keys that an editor offers in a table.
fn offered<'s>(root: &'s Value, schema: &'s Value) -> BTreeSet<&'s str> {
    let schema = resolved(root, schema);
    assert_eq!(schema["additionalProperties"], json!(false), "other keys are errors");
    schema["properties"].as_object().expect("a table has keys").keys().map(String::as_str).collect()
}

/// Returns whether the parser rejects this key for this kind of fault.
fn refuses(kind: &str, key: &str) -> bool {
    let text = format!("run_for = '10s'\n[[fault.{kind}]]\n{key} = false\n");
    let problems = file::parse(&registry(), "one.toml", &text).expect_err("no fault is valid with one key");
    let unknown = [format!("unknown key `{key}`"), format!("it has no `{key}`"), format!("has no {key}s")];
    problems.iter().any(|problem| unknown.iter().any(|words| problem.message.contains(words)))
}

#[test]
fn an_editor_completes_the_kinds_of_fault_and_the_keys_of_each() {
    let registry = registry();
    let schema = scenario(&registry);
    let kinds = &schema["properties"]["fault"];
    let known: BTreeSet<&str> = registry.faults().iter().map(|fault| fault.info.name).collect();
    assert_eq!(offered(&schema, kinds), known);
    let of = |kind: &str| resolved(&schema, &resolved(&schema, &kinds["properties"][kind])["items"]);
    let all: BTreeSet<&str> = known.iter().flat_map(|kind| offered(&schema, of(kind))).collect();
    for kind in &known {
        let here = offered(&schema, of(kind));
        for key in &all {
            assert_eq!(refuses(kind, key), !here.contains(key), "{kind}: {key}");
        }
        let target = |key: &str| resolved(&schema, &of(kind)["properties"][key]);
        for key in &here {
            let described =
                of(kind)["properties"][*key]["description"].is_string() || target(key)["description"].is_string();
            assert!(described, "{kind}.{key} is not described");
        }
    }
    let words = |kind: &str, key: &str| {
        let text = resolved(&schema, &of(kind)["properties"][key]).to_string();
        move |word: &str| text.contains(&format!("\"{word}\""))
    };
    let shapes = ["isolate", "minority", "majority", "ring", "bridge", "one-way", "clients-from-lock"];
    assert!(shapes.into_iter().all(words("partition", "shape")));
    assert!(["process", "host"].into_iter().all(words("crash", "what")));
    assert!(["stall", "slow", "lie"].into_iter().all(words("disk-stall", "what")));
    assert!(["gc-young", "gc-full-old-heap"].into_iter().all(words("pause", "preset")));
}

#[test]
fn the_schema_contains_every_key_of_the_shipped_files() {
    let schema = scenario(&registry());
    for (name, text) in shipped::SCENARIOS.iter().chain(shipped::BUGS) {
        assert_known(&schema, &schema, &text.parse::<toml::Table>().unwrap().into(), name);
    }
    let schema = suite(&registry());
    for (name, text) in shipped::SUITES {
        assert_known(&schema, &schema, &text.parse::<toml::Table>().unwrap().into(), name);
    }
}
