//! A reproducer while it is being shrunk, and its text.

use std::fmt::Write as _;
use std::time::Duration;

use fencepost_sim::LAYOUT;
use fencepost_sim::units::Span;
use toml::{Table, Value};

use crate::property::Property;

/// A reproducer that can be changed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    pub name: String,
    pub about: String,
    pub run_for: Duration,
    pub lock: String,
    pub seed: u64,
    pub bugs: Vec<String>,
    /// The violated property.
    pub property: Property,
    /// `[clients]`, `[lock]`, `[workload]`, `[network]`.
    pub tables: Table,
    pub faults: Vec<DraftFault>,
}

/// One fault of a draft.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DraftFault {
    pub kind: String,
    pub keys: Table,
}

/// The maximum number of orders in a scenario file.
const MOST_ORDERS: u32 = 1_000_000;
/// Orders until the run ends.
pub(crate) const ENDLESS: u32 = u32::MAX;

/// Keys to write first, in this order. The other keys follow by name.
const FIRST_KEYS: [&str; 16] = [
    "name",
    "count",
    "orders",
    "think",
    "hold",
    "prepare",
    "target",
    "from",
    "to",
    "both_ways",
    "split",
    "shape",
    "on",
    "at",
    "lasts",
    "stock",
];

impl Draft {
    /// Returns the text of the scenario, without the case.
    pub fn scenario(&self) -> String {
        let mut text = String::new();
        let head = [("name", &self.name), ("about", &self.about), ("run_for", &Span(self.run_for).to_string())];
        for (key, value) in head.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(text, "{key} = {}", Value::String((*value).clone()));
        }
        let _ = writeln!(text, "locks = {}", Value::Array(vec![Value::String(self.lock.clone())]));
        for name in ["clients", "lock", "workload", "network"] {
            match self.tables.get(name) {
                // A workload's keys have their own table.
                Some(Value::Table(workloads)) if name == "workload" => {
                    for (kind, keys) in workloads {
                        let keys = keys.as_table().cloned().unwrap_or_default();
                        write_table(&mut text, &format!("[workload.{kind}]"), &keys);
                    }
                }
                Some(Value::Table(keys)) if !keys.is_empty() => write_table(&mut text, &format!("[{name}]"), keys),
                _ => {}
            }
        }
        for fault in &self.faults {
            write_table(&mut text, &format!("[[fault.{}]]", fault.kind), &fault.keys);
        }
        text
    }

    /// Returns the whole reproducer of a case with this trace hash.
    pub fn reproducer(&self, comment: &str, trace: &str) -> String {
        let mut text = String::new();
        for line in comment.lines() {
            let _ = writeln!(text, "# {line}");
        }
        text.push_str(&self.scenario());
        text.push_str(&self.case(trace));
        text
    }

    /// Returns a reproducer that still draws its faults, from the text of its scenario.
    pub fn as_drawn(&self, source: &str, comment: &str, trace: &str) -> String {
        let mut scenario: Table = toml::from_str(source).expect("the scenario was read from this text");
        scenario.insert("name".into(), Value::String(self.name.clone()));
        scenario.remove("case");
        let mut text = String::new();
        for line in comment.lines() {
            let _ = writeln!(text, "# {line}");
        }
        text + &scenario.to_string() + &self.case(trace)
    }

    /// Returns the text of `[case]`.
    fn case(&self, trace: &str) -> String {
        let bugs = Value::Array(self.bugs.iter().cloned().map(Value::String).collect());
        let (lock, trace) = (Value::String(self.lock.clone()), Value::String(trace.into()));
        format!(
            "\n[case]\nlock = {lock}\nseed = {}\nbugs = {bugs}\nlayout = {LAYOUT}\ntrace = {trace}\n\
             \n[case.expect]\n{} = \"violated\"\n",
            self.seed,
            self.property.name()
        )
    }

    /// Returns a table of the scenario, and adds the table if missing.
    pub fn table(&mut self, name: &str) -> &mut Table {
        let entry = self.tables.entry(name).or_insert_with(|| Value::Table(Table::new()));
        entry.as_table_mut().expect("tables are either parsed or created as tables")
    }

    /// Returns the value of a key of `[clients]`.
    pub fn client_key(&self, key: &str) -> Option<&Value> {
        self.tables.get("clients")?.as_table()?.get(key)
    }

    /// Returns the number of clients.
    pub fn clients(&self) -> u16 {
        self.client_key("count").and_then(Value::as_integer).and_then(|count| u16::try_from(count).ok()).unwrap_or(1)
    }

    /// Returns the number of orders, or [`ENDLESS`] if orders continue until the run ends.
    pub fn orders(&self) -> u32 {
        self.client_key("orders").and_then(Value::as_integer).and_then(|n| u32::try_from(n).ok()).unwrap_or(ENDLESS)
    }

    /// Returns the draft with this number of orders.
    pub fn with_orders(&self, orders: u32) -> Draft {
        let mut draft = self.clone();
        if orders <= MOST_ORDERS {
            draft.table("clients").insert("orders".into(), Value::Integer(orders.into()));
        }
        draft
    }
}

impl DraftFault {
    /// Returns the duration at this key.
    pub fn span(&self, key: &str) -> Option<Duration> {
        self.keys.get(key)?.as_str()?.parse::<Span>().ok().map(|span| span.0)
    }

    /// Sets a duration.
    pub fn set_span(&mut self, key: &str, length: Duration) {
        self.keys.insert(key.into(), span_value(length));
    }
}

/// Returns a duration in the form of scenario files.
pub(crate) fn span_value(length: Duration) -> Value {
    Value::String(Span(length).to_string())
}

fn write_table(text: &mut String, header: &str, keys: &Table) {
    let _ = writeln!(text, "\n{header}");
    let rank = |key: &str| FIRST_KEYS.iter().position(|first| *first == key).unwrap_or(FIRST_KEYS.len());
    let mut sorted: Vec<(&String, &Value)> = keys.iter().collect();
    sorted.sort_by_key(|(key, _)| (rank(key), *key));
    for (key, value) in sorted {
        let _ = writeln!(text, "{key} = {value}");
    }
}
