//! The lines of `results.jsonl` as serde types.

use std::borrow::Cow;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::CellHeader;
use crate::property::{Property, Verdict};
use crate::run::case_result::{CaseResult, FaultTally, SPANS, Span};

const HASH_PREFIX: &str = "xxh3:";

/// Distinguishes the kinds of line.
#[derive(Deserialize)]
pub(super) struct Probe {
    pub(super) cell: Option<IgnoredAny>,
    pub(super) decisive: Option<IgnoredAny>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct HeaderLine<'a> {
    pub(super) cell: Cow<'a, CellHeader>,
}

/// A violated case that ran again without each of its faults; `decisive` is its seed.
#[derive(Serialize, Deserialize)]
pub(super) struct DecisiveLine {
    pub(super) decisive: u64,
    pub(super) changed: Vec<Option<bool>>,
}

/// A case. Properties without an entry are not applicable; faults are `[planned, fired, touched]`.
#[derive(Serialize, Deserialize)]
pub(super) struct CaseLine {
    pub(super) seed: u64,
    verdicts: OrderedMap<Verdict>,
    metrics: OrderedMap<i64>,
    faults: Vec<[u64; 3]>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    censored: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    touched_holder: bool,
    events: u64,
    /// Availability until healing: `[slices, wanted, served, faulty]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spans: Vec<[u64; 4]>,
    trace: String,
}

impl CaseLine {
    pub(super) fn new(seed: u64, result: &CaseResult) -> Self {
        let applicable = result.verdicts.iter().filter(|(_, verdict)| *verdict != Verdict::NotApplicable);
        CaseLine {
            seed,
            verdicts: OrderedMap(applicable.map(|(property, verdict)| (property.name().into(), *verdict)).collect()),
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
            return Err(format!("metric `{name}` is {value}, but metrics are never negative"));
        }
        let faults = self.faults.iter().map(|&[planned, fired, touched]| FaultTally { planned, fired, touched });
        Ok(CaseResult {
            verdicts: self.verdicts()?,
            faults: faults.collect(),
            censored: self.censored,
            touched_holder: self.touched_holder,
            trace: parse_hash(&self.trace).ok_or_else(|| format!("`{}` is not a trace hash", self.trace))?,
            events: self.events,
            spans: spans(&self.spans)?,
            metrics: self.metrics.0,
        })
    }

    fn verdicts(&self) -> Result<Vec<(Property, Verdict)>, String> {
        let mut verdicts = Property::ALL.map(|property| (property, Verdict::NotApplicable));
        for (name, verdict) in &self.verdicts.0 {
            let known = verdicts.iter_mut().find(|(property, _)| property.name() == name);
            known.ok_or_else(|| format!("`{name}` is not a property"))?.1 = *verdict;
        }
        Ok(verdicts.to_vec())
    }
}

fn spans(rows: &[[u64; 4]]) -> Result<Vec<Span>, String> {
    if rows.len() > SPANS {
        return Err(format!("{} spans, but a case has at most {SPANS}", rows.len()));
    }
    let span = |&[slices, wanted, served, faulty]: &[u64; 4]| match served <= wanted && wanted.max(faulty) <= slices {
        true => Ok(Span { slices, wanted, served, faulty }),
        false => Err("a span whose parts exceed its length".to_owned()),
    };
    rows.iter().map(span).collect()
}

fn parse_hash(text: &str) -> Option<u128> {
    let digits = text.strip_prefix(HASH_PREFIX)?;
    let all_hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_hex.then(|| u128::from_str_radix(digits, 16).ok())?
}

/// A JSON object whose keys keep their order.
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
