//! What the lines look like.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::json::from_seconds;
use super::super::{CellHeader, FaultLabel};
use crate::property::{Property, Verdict};
use crate::run::case_result::{CaseResult, FaultTally, SPANS, Span};

const HASH_PREFIX: &str = "xxh3:";

/// Tells the kinds of line apart.
#[derive(Deserialize)]
pub(super) struct Probe {
    pub(super) cell: Option<IgnoredAny>,
    pub(super) decisive: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct HeaderLine {
    pub(super) cell: CellLine,
}

#[derive(Serialize, Deserialize)]
pub(super) struct CellLine {
    scenario: String,
    lock: String,
    applicable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    effective_expiry_s: Option<f64>,
    faults: Vec<FaultLine>,
    #[serde(default)]
    about: String,
    #[serde(default)]
    family: String,
    #[serde(default)]
    workload: String,
    #[serde(default)]
    use_case: String,
    #[serde(default)]
    harm_unit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    guard: Option<String>,
    #[serde(default)]
    clients: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    takeover_bound_s: Option<f64>,
    #[serde(default)]
    setting: String,
    #[serde(default)]
    load: String,
    #[serde(default, skip_serializing_if = "is_false")]
    swarm: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dose: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct FaultLine {
    name: String,
    kind: String,
}

impl From<&CellHeader> for CellLine {
    fn from(header: &CellHeader) -> Self {
        let header = header.clone();
        CellLine {
            scenario: header.scenario,
            lock: header.lock,
            applicable: header.applicable,
            reason: header.reason,
            effective_expiry_s: header.effective_expiry.map(|expiry| expiry.as_secs_f64()),
            faults: header.faults.into_iter().map(|FaultLabel { name, kind }| FaultLine { name, kind }).collect(),
            about: header.about,
            family: header.family,
            workload: header.workload,
            use_case: header.use_case,
            harm_unit: header.harm_unit,
            update: header.update,
            guard: header.guard,
            clients: header.clients,
            takeover_bound_s: header.takeover_bound.map(|bound| bound.as_secs_f64()),
            setting: header.setting,
            load: header.load,
            swarm: header.swarm,
            dose: header.dose,
        }
    }
}

impl CellLine {
    pub(super) fn into_header(self) -> Result<CellHeader, &'static str> {
        let duration = |seconds: Option<f64>| seconds.map(|seconds| from_seconds(seconds).ok_or(())).transpose();
        let effective_expiry = duration(self.effective_expiry_s).or(Err("`effective_expiry_s` is not a duration"))?;
        let takeover_bound = duration(self.takeover_bound_s).or(Err("`takeover_bound_s` is not a duration"))?;
        Ok(CellHeader {
            scenario: self.scenario,
            about: self.about,
            family: self.family,
            lock: self.lock,
            applicable: self.applicable,
            reason: self.reason,
            effective_expiry,
            faults: self.faults.into_iter().map(|FaultLine { name, kind }| FaultLabel { name, kind }).collect(),
            workload: self.workload,
            use_case: self.use_case,
            harm_unit: self.harm_unit,
            update: self.update,
            guard: self.guard,
            clients: self.clients,
            takeover_bound,
            setting: self.setting,
            load: self.load,
            swarm: self.swarm,
            dose: self.dose,
        })
    }
}

/// A violated case that was looked at again; `decisive` is its seed.
#[derive(Serialize, Deserialize)]
pub(super) struct DecisiveLine {
    pub(super) decisive: u64,
    pub(super) changed: Vec<Option<bool>>,
}

/// A case. A property that is not named has no meaning in it; faults are `[planned, fired, touched]`.
#[derive(Serialize, Deserialize)]
pub(super) struct CaseLine {
    pub(super) seed: u64,
    verdicts: OrderedMap<Verdict>,
    metrics: OrderedMap<i64>,
    faults: Vec<[u64; 3]>,
    #[serde(default, skip_serializing_if = "is_false")]
    censored: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    touched_holder: bool,
    events: u64,
    /// The course until healing: `[slices, wanted, served, faulty]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spans: Vec<[u64; 4]>,
    trace: String,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl CaseLine {
    pub(super) fn of(seed: u64, result: &CaseResult) -> Self {
        let judged = result.verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::NotApplicable);
        CaseLine {
            seed,
            verdicts: OrderedMap(judged.map(|(property, verdict)| (property.name().into(), *verdict)).collect()),
            metrics: OrderedMap(result.metrics.clone()),
            faults: result.faults.iter().map(|fault| [fault.planned, fault.fired, fault.touched]).collect(),
            censored: result.censored,
            touched_holder: result.touched_holder,
            events: result.events,
            spans: result.spans.iter().map(|span| [span.slices, span.wanted, span.served, span.faulty]).collect(),
            trace: format!("{HASH_PREFIX}{:032x}", result.trace),
        }
    }

    pub(super) fn into_result(self) -> Result<CaseResult, String> {
        if let Some((name, value)) = self.metrics.0.iter().find(|(_, value)| *value < 0) {
            return Err(format!("metric `{name}` is {value}, and none can be negative"));
        }
        let faults = self.faults.iter().map(|&[planned, fired, touched]| FaultTally { planned, fired, touched });
        Ok(CaseResult {
            verdicts: self.verdicts()?,
            faults: faults.collect(),
            censored: self.censored,
            touched_holder: self.touched_holder,
            trace: parse_hash(&self.trace).ok_or_else(|| format!("`{}` is no trace hash", self.trace))?,
            events: self.events,
            spans: spans(&self.spans)?,
            metrics: self.metrics.0,
        })
    }

    fn verdicts(&self) -> Result<Vec<(Property, Verdict)>, String> {
        let mut verdicts = Property::ALL.map(|property| (property, Verdict::NotApplicable));
        for (name, verdict) in &self.verdicts.0 {
            let known = verdicts.iter_mut().find(|(property, _)| property.name() == name);
            known.ok_or_else(|| format!("`{name}` is no property"))?.1 = *verdict;
        }
        Ok(verdicts.to_vec())
    }
}

fn spans(rows: &[[u64; 4]]) -> Result<Vec<Span>, String> {
    if rows.len() > SPANS {
        return Err(format!("{} spans, and there are at most {SPANS}", rows.len()));
    }
    let span = |&[slices, wanted, served, faulty]: &[u64; 4]| match served <= wanted && wanted.max(faulty) <= slices {
        true => Ok(Span { slices, wanted, served, faulty }),
        false => Err("a span in which parts are more than the whole".to_owned()),
    };
    rows.iter().map(span).collect()
}

fn parse_hash(text: &str) -> Option<u128> {
    let digits = text.strip_prefix(HASH_PREFIX)?;
    let all_hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_hex.then(|| u128::from_str_radix(digits, 16).ok())?
}

/// A JSON object whose order matters.
struct OrderedMap<V>(Vec<(Cow<'static, str>, V)>);

impl<V: Serialize> Serialize for OrderedMap<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for OrderedMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<V>(std::marker::PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
            type Value = OrderedMap<V>;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, V>()? {
                    entries.push((Cow::Owned(name), value));
                }
                Ok(OrderedMap(entries))
            }
        }

        deserializer.deserialize_map(InOrder(std::marker::PhantomData))
    }
}
