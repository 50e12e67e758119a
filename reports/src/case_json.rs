//! One case as JSON: what `replay --format json` prints.

use fencepost_scenarios::run::case::{CaseReport, node_name};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::run::results::shown_metric;
use fencepost_sim::{LAYOUT, NodeId, TraceHash};
use serde_json::{Map, Value, json};

use crate::case_record::CaseRecord;
use crate::explain::chains;

/// Returns the result of a case as JSON.
pub fn case_json(cell: &Cell, seed: u64, report: &CaseReport) -> Value {
    let mut value = json!({
        "scenario": cell.header.scenario,
        "lock": cell.header.lock,
        "seed": seed,
        "layout": LAYOUT,
        "trace": TraceHash(report.result.trace).to_string(),
        "events": report.result.events,
        "ended_ns": report.ended.0,
        "censored": report.result.censored,
        "verdicts": verdicts(report),
        "metrics": metrics(report),
        "faults": faults(cell, report),
        "violations": violations(report),
    });
    if let Some(choice) = &cell.drawn(seed).choice {
        value["swarm"] = json!(choice.to_string());
    }
    value
}

/// Returns the result of a case as JSON, with the chain of causes of each violation.
pub fn explained_json(cell: &Cell, seed: u64, record: &CaseRecord) -> Value {
    let mut value = case_json(cell, seed, &record.report);
    let chains = chains(record);
    for (violation, chain) in value["violations"].as_array_mut().into_iter().flatten().zip(&chains) {
        violation["causes"] = chain.json();
    }
    value
}

fn verdicts(report: &CaseReport) -> Map<String, Value> {
    let verdicts = report.result.verdicts.iter();
    verdicts.map(|(property, verdict)| (property.name().to_owned(), json!(verdict))).collect()
}

/// Returns the metrics with the names and units that runs show.
fn metrics(report: &CaseReport) -> Map<String, Value> {
    let shown = report.result.metrics.iter().map(|(stored, value)| {
        let (name, scale) = shown_metric(stored);
        let value = if scale.is_one() { json!(value) } else { json!(scale.apply(*value as f64)) };
        (name.into_owned(), value)
    });
    shown.collect()
}

fn faults(cell: &Cell, report: &CaseReport) -> Map<String, Value> {
    let labels = cell.header.faults.iter().zip(&report.result.faults);
    let entries = labels.map(|(label, tally)| {
        let counts = json!({
            "kind": label.kind, "planned": tally.planned, "fired": tally.fired, "touched": tally.touched,
        });
        (label.name.clone(), counts)
    });
    entries.collect()
}

fn violations(report: &CaseReport) -> Vec<Value> {
    let names = |node: NodeId| node_name(&report.nodes, node);
    let entries = report.evidence.iter().map(|evidence| {
        json!({
            "property": evidence.property.name(),
            "at_ns": evidence.at.0,
            "sentence": evidence.render(&names),
        })
    });
    entries.collect()
}
