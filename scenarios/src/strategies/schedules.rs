//! Faults, as they stand in scenario files.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::*;

/// A fault of a scenario file.
#[derive(Clone, PartialEq)]
pub struct FaultText {
    /// Its kind, as in `[[fault.pause]]`.
    pub kind: String,
    /// The lines of its table.
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

/// A fault of one of these kinds, at any time of the first 15 seconds. Kinds that have no strategy are a mistake.
///
/// # Panics
/// If there is no strategy for a kind, or no kind.
pub fn fault(kinds: &[&str]) -> impl Strategy<Value = FaultText> + use<> {
    let strategies = kinds.iter().map(|kind| one(kind).boxed());
    proptest::strategy::Union::new(strategies)
}

/// Up to so many faults of these kinds, each with a name of its own.
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

fn one(kind: &str) -> impl Strategy<Value = FaultText> + use<> {
    let (anybody, targets) = ("client:any", vec!["client:any", "client:holder", "server:any", "server:leader"]);
    let (targets, more): (Vec<&str>, BoxedStrategy<Vec<String>>) = match kind {
        "pause" | "vm-pause" | "hold" => (targets, lasting()),
        "crash" => (
            targets,
            prop::sample::select(vec!["500ms", "3s"])
                .prop_map(|after| vec![format!("restart_after = \"{after}\"")])
                .boxed(),
        ),
        "latency" => (targets, with_key("add", vec!["\"20ms\"", "\"400ms\""])),
        "loss" => (targets, with_key("rate", vec!["0.05", "0.5"])),
        "clock-step" => {
            (targets, prop::sample::select(vec!["-20s", "20s"]).prop_map(|by| vec![format!("by = \"{by}\"")]).boxed())
        }
        "clock-rate" => (targets, with_key("ppm", vec!["-100000", "100000"])),
        "partition" => (Vec::new(), shaped()),
        _ => panic!("there is no strategy for the fault {kind}: pick others than {anybody}"),
    };
    let target =
        if targets.is_empty() { Just(None).boxed() } else { prop::sample::select(targets).prop_map(Some).boxed() };
    let kind = kind.to_owned();
    (0..150_u32, target, more).prop_map(move |(at, target, more)| {
        let mut keys = vec![format!("at = \"{}ms\"", 100 * at)];
        keys.extend(target.map(|target| format!("target = \"{target}\"")));
        keys.extend(more);
        FaultText { kind: kind.clone(), keys }
    })
}

fn lasting() -> BoxedStrategy<Vec<String>> {
    (1..120_u32).prop_map(|tenths| vec![format!("lasts = \"{}ms\"", 100 * tenths)]).boxed()
}

fn with_key(key: &'static str, values: Vec<&'static str>) -> BoxedStrategy<Vec<String>> {
    (lasting(), prop::sample::select(values))
        .prop_map(move |(mut keys, value)| {
            keys.push(format!("{key} = {value}"));
            keys
        })
        .boxed()
}

fn shaped() -> BoxedStrategy<Vec<String>> {
    let shapes = vec!["minority", "isolate", "clients-from-lock", "clients-from-store"];
    (lasting(), prop::sample::select(shapes))
        .prop_map(|(mut keys, shape)| {
            keys.push(format!("shape = \"{shape}\""));
            keys
        })
        .boxed()
}
