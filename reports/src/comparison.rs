//! Renders the comparison of two runs as text and JSON.

use comfy_table::Table;
use fencepost_scenarios::property::Property;
use fencepost_scenarios::run::compare::{Change, Comparison, Difference};
use fencepost_scenarios::run::results::shown_metric;
use fencepost_scenarios::run::stats::clopper_pearson;
use serde_json::{Value, json};

use crate::terminal::{Terminal, new_table, titled};
use crate::text::{clipped, grouped, of, short};

/// One of the two runs.
#[derive(Clone, Debug)]
pub struct Side {
    /// The suite.
    pub suite: String,
    /// The version of fencepost.
    pub version: String,
    /// The seeds.
    pub seeds: String,
    /// The layout of randomness.
    pub layout: u32,
}

const CHANGES: [(Change, &str, &str); 4] = [
    (Change::NewlyViolated, "newly-violated", "newly violated"),
    (Change::Worse, "worse", "worse"),
    (Change::Better, "better", "better"),
    (Change::None, "none", "no difference shown"),
];

/// Renders the differences and the amount of data compared as text.
pub fn comparison_text(comparison: &Comparison, sides: &[Side; 2], notes: &[String], terminal: Terminal) -> String {
    let mut text = String::new();
    for (name, side) in ["A", "B"].into_iter().zip(sides) {
        text.push_str(&format!(
            "{name}: {} with seeds {}, fencepost {}\n",
            clipped(&side.suite, 60),
            clipped(&side.seeds, 40),
            clipped(&side.version, 20)
        ));
    }
    notes.iter().for_each(|note| text.push_str(&format!("note: {note}\n")));
    text.push('\n');
    for (change, _, words) in CHANGES.into_iter().take(3) {
        text.push_str(&properties_table(comparison, change, words, terminal));
        text.push_str(&metrics_table(comparison, change, words, terminal));
    }
    text + &summary(comparison)
}

fn summary(comparison: &Comparison) -> String {
    let count = |change| comparison.properties.iter().filter(|d| d.change == change).count();
    let metrics = |change| comparison.metrics.iter().filter(|d| d.change == change).count();
    format!(
        "properties: {} newly violated, {} worse, {} better, {} with no difference shown\n\
         metrics: {} worse, {} better, {} with no difference shown\n\
         {} pairs of cases; exact McNemar and sign tests, corrected after Holm at 5 % over all cells. \
         No difference shown is not the same as no difference.\n",
        count(Change::NewlyViolated),
        count(Change::Worse),
        count(Change::Better),
        count(Change::None),
        metrics(Change::Worse),
        metrics(Change::Better),
        metrics(Change::None),
        grouped(comparison.pairs.into()),
    )
}

fn properties_table(comparison: &Comparison, change: Change, words: &str, terminal: Terminal) -> String {
    let mut table = new_table(terminal);
    table.set_header(["scenario", "lock", "property", "A", "B", "only A / only B", "p", "p (Holm)"]);
    let counts = |(violated, decided)| of(violated, decided, clopper_pearson(violated, decided).upper);
    let rows = comparison.properties.iter().filter(|d| d.change == change);
    let shown = rows.map(|d| row(d, d.what.name(), counts(d.before), counts(d.after)));
    filled(table, shown, &format!("{words}: properties"))
}

fn metrics_table(comparison: &Comparison, change: Change, words: &str, terminal: Terminal) -> String {
    let mut table = new_table(terminal);
    table.set_header(["scenario", "lock", "metric (mean of a case)", "A", "B", "more in A / in B", "p", "p (Holm)"]);
    let shown = comparison.metrics.iter().filter(|d| d.change == change).map(|d| {
        let (name, scale) = shown_metric(d.what);
        let mean = |(total, cases): (u64, u64)| short(scale.apply(total as f64) / cases.max(1) as f64);
        row(d, &name, mean(d.before), mean(d.after))
    });
    filled(table, shown, &format!("{words}: metrics"))
}

fn filled(mut table: Table, rows: impl Iterator<Item = [String; 8]>, title: &str) -> String {
    let mut any = false;
    for row in rows {
        table.add_row(row);
        any = true;
    }
    if any { titled(title, &table) } else { String::new() }
}

fn row<T>(difference: &Difference<T>, what: &str, before: String, after: String) -> [String; 8] {
    [
        clipped(&difference.scenario, 34),
        clipped(&difference.lock, 24),
        what.to_owned(),
        before,
        after,
        format!("{} / {}", difference.only_before, difference.only_after),
        short(difference.p),
        short(difference.p_holm),
    ]
}

/// Renders the comparison as JSON.
pub fn comparison_json(comparison: &Comparison, sides: &[Side; 2], notes: &[String]) -> Value {
    let side = |side: &Side| json!({ "suite": side.suite, "version": side.version, "seeds": side.seeds, "layout": side.layout });
    let alone = |cells: &[(String, String)]| -> Vec<Value> {
        cells.iter().map(|(scenario, lock)| json!({ "scenario": scenario, "lock": lock })).collect()
    };
    json!({
        "schema_version": 1,
        "a": side(&sides[0]),
        "b": side(&sides[1]),
        "notes": notes,
        "pairs": comparison.pairs,
        "properties": comparison.properties.iter().map(property).collect::<Vec<_>>(),
        "metrics": comparison.metrics.iter().map(metric).collect::<Vec<_>>(),
        "only_in_a": alone(&comparison.only_before),
        "only_in_b": alone(&comparison.only_after),
    })
}

fn property(difference: &Difference<Property>) -> Value {
    let side = |(violated, decided): (u64, u64)| {
        let interval = clopper_pearson(violated, decided);
        json!({ "violated": violated, "decided": decided, "ci95": [interval.lower, interval.upper] })
    };
    let mut value = tested(difference);
    value["property"] = json!(difference.what.name());
    value["a"] = side(difference.before);
    value["b"] = side(difference.after);
    value["first_seed"] = json!(difference.first_seed);
    value
}

fn metric(difference: &Difference<&'static str>) -> Value {
    let (name, scale) = shown_metric(difference.what);
    let side = |(total, cases): (u64, u64)| json!({ "total": scale.apply(total as f64), "cases": cases });
    let mut value = tested(difference);
    value["metric"] = json!(name);
    value["a"] = side(difference.before);
    value["b"] = side(difference.after);
    value
}

fn tested<T>(difference: &Difference<T>) -> Value {
    let change = CHANGES.iter().find(|(change, _, _)| *change == difference.change).map(|(_, name, _)| *name);
    json!({
        "scenario": difference.scenario,
        "lock": difference.lock,
        "pairs": difference.pairs,
        "only_a": difference.only_before,
        "only_b": difference.only_after,
        "p": difference.p,
        "p_holm": difference.p_holm,
        "q": difference.q,
        "change": change,
    })
}
