//! Strategies for faults in the form of scenario files.

use std::fmt;

use fencepost_sim::faults::{self, DurationRule, TargetRule};
use proptest::collection::vec;
use proptest::prelude::*;

/// A fault of a scenario file.
#[derive(Clone, PartialEq)]
pub struct FaultText {
    /// The kind, as in `[[fault.pause]]`.
    pub kind: String,
    /// The lines of the fault's table.
    pub keys: Vec<String>,
}

impl fmt::Display for FaultText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[[fault.{}]]", self.kind)?;
        self.keys.iter().try_for_each(|key| writeln!(f, "{key}"))
    }
}

impl fmt::Debug for FaultText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns faults of these standard kinds that begin in the first 15 seconds.
///
/// # Panics
/// If a kind is not a standard one, or `kinds` is empty.
pub fn fault(kinds: &[&str]) -> impl Strategy<Value = FaultText> + use<> {
    let strategies = kinds.iter().map(|kind| fault_of_kind(kind).boxed());
    proptest::strategy::Union::new(strategies)
}

/// Returns up to `most` faults of these kinds, each with a unique name.
///
/// # Panics
/// As [`fault`].
pub fn schedule(kinds: &[&str], most: usize) -> impl Strategy<Value = Vec<FaultText>> + use<> {
    vec(fault(kinds), 0..=most).prop_map(|mut faults| {
        for (n, fault) in faults.iter_mut().enumerate() {
            fault.keys.insert(0, format!("name = \"fault-{}\"", n + 1));
        }
        faults
    })
}

fn fault_of_kind(name: &str) -> impl Strategy<Value = FaultText> + use<> {
    let kind = faults::standard(name).unwrap_or_else(|| panic!("no standard kind of fault is named `{name}`"));
    let at = (0..150_u32).prop_map(|tenths| vec![format!("at = \"{}ms\"", 100 * tenths)]).boxed();
    let mut keys = vec![at];
    if matches!(kind.target, TargetRule::Nodes | TargetRule::Links) {
        keys.push(chosen("target", &["\"client:any\"", "\"client:holder\"", "\"server:any\"", "\"server:leader\""]));
    }
    if kind.duration == DurationRule::Required {
        keys.push((1..120_u32).prop_map(|tenths| vec![format!("lasts = \"{}ms\"", 100 * tenths)]).boxed());
    }
    keys.extend(kind.samples.iter().map(|(key, values)| chosen(key, values)));
    keys.prop_map(|keys| FaultText { kind: kind.name.to_owned(), keys: keys.concat() })
}

fn chosen(key: &'static str, values: &'static [&'static str]) -> BoxedStrategy<Vec<String>> {
    prop::sample::select(values).prop_map(move |value| vec![format!("{key} = {value}")]).boxed()
}
