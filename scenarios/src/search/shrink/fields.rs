//! Passes for smaller numbers and durations, wherever a draft has them.

use std::time::Duration;

use fencepost_sim::units::Span;
use toml::{Table, Value};

use super::draft::Draft;
use super::round_values::{counts_below, first_of, lengths_below, lower, rounded};
use super::shrinker::Shrinker;

/// A number or duration of a draft.
struct Field {
    /// The fault, or `None` for a table of the scenario.
    fault: Option<usize>,
    /// The tables that lead to the key, and the key.
    path: Vec<String>,
    /// The value if the key is omitted.
    default: Option<Value>,
    /// The smallest number to try.
    least: u32,
    /// Returns the shorter durations to try.
    shorter: fn(Duration) -> Vec<Duration>,
}

impl Field {
    fn new(path: &[&str]) -> Self {
        let path = path.iter().map(|key| (*key).to_owned()).collect();
        Field { fault: None, path, default: None, least: 1, shorter: lengths_below }
    }

    fn read<'d>(&'d self, draft: &'d Draft) -> Option<&'d Value> {
        let (key, tables) = self.path.split_last()?;
        let root = self.fault.map_or(&draft.tables, |index| &draft.faults[index].keys);
        let table = tables.iter().try_fold(root, |table, name| table.get(name)?.as_table());
        table.and_then(|table| table.get(key)).or(self.default.as_ref())
    }

    fn with(&self, draft: &Draft, value: Value) -> Draft {
        let mut draft = draft.clone();
        let mut table = match self.fault {
            Some(index) => &mut draft.faults[index].keys,
            None => &mut draft.tables,
        };
        let (key, tables) = self.path.split_last().expect("a path has a key");
        for name in tables {
            let inner = table.entry(name).or_insert_with(|| Value::Table(Table::new()));
            table = inner.as_table_mut().expect("only the last key of a path has a value");
        }
        match (key.as_str(), value.as_str()) {
            ("after", Some("0s")) => table.remove(key),
            _ => table.insert(key.clone(), value),
        };
        draft
    }

    /// Returns smaller values in ascending order, and for faults also rounded values.
    fn simpler(&self, value: &Value) -> (Vec<Value>, Vec<Value>) {
        let text = match value {
            Value::Integer(count) => {
                let counts = counts_below(u32::try_from(*count).unwrap_or_default()).into_iter();
                let counts = counts.filter(|count| *count >= self.least).map(|count| Value::Integer(count.into()));
                return (counts.collect(), Vec::new());
            }
            Value::String(text) if text.contains("..=") => return (vec![Value::Integer(1)], Vec::new()),
            value => value.as_str().unwrap_or_default(),
        };
        // A clock step may be negative.
        let (sign, text) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
        let Ok(Span(length)) = text.parse::<Span>() else { return Default::default() };
        let values = |lengths: Vec<Duration>| {
            lengths.into_iter().map(|length| Value::String(format!("{sign}{}", Span(length)))).collect()
        };
        (values((self.shorter)(length)), values(self.fault.map_or(Vec::new(), |_| rounded(length))))
    }
}

fn orders() -> Field {
    Field { default: Some(Value::Integer(u32::MAX.into())), ..Field::new(&["clients", "orders"]) }
}

/// Finds the smallest number of orders.
pub(crate) fn fewer_orders(shrinker: &mut Shrinker<'_>) {
    smaller(shrinker, [orders()]);
    while shrinker.best().orders() > 1 && shrinker.offer(shrinker.best().with_orders(shrinker.best().orders() - 1)) {}
}

/// Shortens the think or work time of clients at this key.
pub(crate) fn shorter_work(shrinker: &mut Shrinker<'_>, key: &str) {
    smaller(shrinker, [Field::new(&["clients", key])]);
}

/// Shortens the time from a step of a client to the beginning of a fault, and rounds the times of other faults. Tries
/// three servers if the lock has more.
pub(crate) fn smaller_times(shrinker: &mut Shrinker<'_>) {
    for index in 0..shrinker.best().faults.len() {
        let of_fault = |path: &[&str], shorter| Field { fault: Some(index), shorter, ..Field::new(path) };
        let zero = |after: Duration| if after.is_zero() { Vec::new() } else { vec![Duration::ZERO] };
        let on = [of_fault(&["on", "nth"], lengths_below), of_fault(&["on", "after"], zero)];
        smaller(shrinker, [of_fault(&["at"], |_| Vec::new())].into_iter().chain(on));
    }
    let servers = shrinker.lock().defaults().get("servers").and_then(serde_json::Value::as_i64);
    let default = servers.map(Value::Integer);
    // A majority of three servers has more than one server.
    smaller(shrinker, [Field { default, least: 3, ..Field::new(&["lock", shrinker.lock().name(), "servers"]) }]);
}

/// Shortens faults and clock steps, and lowers the numbers of the workload, such as units per order and stock.
pub(crate) fn smaller_faults(shrinker: &mut Shrinker<'_>) {
    for index in 0..shrinker.best().faults.len() {
        let of_fault = |key| Field { fault: Some(index), ..Field::new(&[key]) };
        smaller(shrinker, ["lasts", "restart_after", "by"].map(of_fault));
    }
    let Some(Value::Table(workloads)) = shrinker.best().tables.get("workload").cloned() else { return };
    for (kind, keys) in &workloads {
        let is_count = |value: &Value| value.is_integer() || value.as_str().is_some_and(|text| text.contains("..="));
        let counts = keys.as_table().into_iter().flatten().filter(|(_, value)| is_count(value));
        smaller(shrinker, counts.map(|(key, _)| Field::new(&["workload", kind, key])));
    }
}

/// Finds the smallest value of each field, or otherwise a rounded one.
fn smaller(shrinker: &mut Shrinker<'_>, fields: impl IntoIterator<Item = Field>) {
    for field in fields {
        let Some(value) = field.read(shrinker.best()) else { continue };
        let (smaller, rounded) = field.simpler(value);
        if !lower(shrinker, &smaller, |draft, value| field.with(draft, value)) {
            let rounded: Vec<Draft> = rounded.into_iter().map(|value| field.with(shrinker.best(), value)).collect();
            first_of(shrinker, rounded);
        }
    }
}
