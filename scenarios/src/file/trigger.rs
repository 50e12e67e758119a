//! The keys that all faults share: when and where a fault acts, and for how long.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use fencepost_sim::faults::{DurationRule, FaultInfo, TargetRule};
use fencepost_sim::schedule::{Aim, MOST_INJECTIONS, OnStep, Trigger};
use fencepost_sim::units::{Dist, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;

use super::nodes::Nodes;
use super::problem::Report;
use super::values::whole;
use super::words::{quoted, suggestion};

/// The steps of a client that can trigger a fault.
pub const STEPS: [&str; 8] =
    ["acquire-sent", "acquired", "read", "checked", "write-sent", "written", "release-sent", "released"];

/// The keys that faults share.
pub(super) const COMMON: [&str; 9] = ["name", "target", "from", "to", "both_ways", "at", "every", "on", "lasts"];

/// Returns the shared keys that a fault of this kind may have.
pub(crate) fn allowed(kind: &FaultInfo) -> Vec<&'static str> {
    let places: &[&str] = match kind.target {
        TargetRule::Nodes => &["target"],
        TargetRule::Links => &["target", "from", "to", "both_ways"],
        TargetRule::Leader | TargetRule::Own => &[],
    };
    let lasts: &[&str] = if kind.duration == DurationRule::Required { &["lasts"] } else { &[] };
    ["name", "at", "every", "on"].iter().chain(places).chain(lasts).copied().collect()
}

/// The shared keys of a fault.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Common {
    /// The name in results, which also selects the fault's random stream. The default is the kind and a number.
    #[schemars(with = "Option<String>")]
    pub(super) name: Option<Spanned<String>>,
    /// The node that the fault acts on, or a group: `client:any`, `server:minority`. A link fault acts on all links of
    /// that node.
    #[schemars(with = "Option<String>")]
    target: Option<Spanned<String>>,
    /// The node or group whose outgoing links the fault acts on.
    #[schemars(with = "Option<String>")]
    from: Option<Spanned<String>>,
    /// The node or group that these links lead to.
    #[schemars(with = "Option<String>")]
    to: Option<Spanned<String>>,
    /// Whether the fault also affects the links in the opposite direction.
    #[schemars(extend("default" = true))]
    both_ways: Option<bool>,
    /// The time at which the fault begins once.
    #[schemars(with = "Option<Span>")]
    at: Option<Spanned<Span>>,
    /// The time between the beginnings of a repeated fault.
    #[schemars(with = "Option<Dist>")]
    every: Option<Spanned<Dist>>,
    /// The step of a client at which the fault begins.
    on: Option<On>,
    /// The duration of the fault.
    #[serde(default, deserialize_with = "positive")]
    lasts: Option<Dist>,
}

/// A step that a client reaches: `{ client = "client-1", event = "acquired", nth = 1, after = "1s" }`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct On {
    /// The client; by default any client.
    #[schemars(with = "Option<String>")]
    client: Option<Spanned<String>>,
    /// The step.
    #[schemars(schema_with = "step_schema")]
    event: Spanned<String>,
    /// The nth time that the client reaches the step, from 1.
    #[serde(default = "first", deserialize_with = "whole::<_, _, 1, 1_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    nth: u32,
    /// The delay from the step to the beginning of the fault.
    #[serde(default)]
    after: Span,
}

fn step_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": STEPS })
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Dist>, D::Error> {
    let lasts = Dist::deserialize(deserializer)?;
    if lasts.is_zero() {
        let message = "a fault of zero length has no effect: set a positive duration, such as \"5s\"";
        return Err(D::Error::custom(message));
    }
    Ok(Some(lasts))
}

fn first() -> u32 {
    1
}

/// A fault table whose shared keys are being read.
pub(super) struct Reading<'a> {
    pub kind: &'static FaultInfo,
    /// The span of the header.
    pub header: Range<usize>,
    /// The spans of all keys, valid or not.
    pub keys: BTreeMap<String, Range<usize>>,
    /// Whether no key is invalid so far. Otherwise, a key that seems missing may be misspelled.
    pub is_sound: bool,
    pub nodes: &'a Nodes,
    pub run_for: Option<Duration>,
}

impl Reading<'_> {
    /// Reports the shared keys that this kind of fault does not have.
    pub(super) fn reject_others(&self, report: &mut Report) {
        let (kind, allowed) = (self.kind.name, allowed(self.kind));
        for key in COMMON.iter().filter(|key| !allowed.contains(key)) {
            let Some(span) = self.keys.get(*key) else { continue };
            let (reason, help) = match (*key, self.kind.target) {
                ("lasts", _) => ("is instantaneous", "remove `lasts`".into()),
                (_, TargetRule::Nodes) => ("acts on nodes, not on links", "name the node in `target`".into()),
                _ => ("has its own keys for where it acts", format!("use those instead of `{key}`")),
            };
            report.add(span.clone(), format!("a `{kind}` {reason}: it has no `{key}`"), help);
        }
    }

    /// Reads the trigger: exactly one of `at`, `every` and `on`.
    pub(super) fn trigger(&self, report: &mut Report, common: &Common) -> Option<Trigger> {
        let spans = ["at", "every", "on"].into_iter().filter_map(|key| Some((self.keys.get(key)?, key)));
        let mut given: Vec<_> = spans.collect();
        given.sort_by_key(|(span, _)| span.start);
        for (span, key) in given.iter().skip(1) {
            let message =
                format!("`{key}` and `{}` are mutually exclusive: a fault has exactly one trigger", given[0].1);
            report.add((*span).clone(), message, "remove one, or add a second fault");
        }
        if given.is_empty() && self.is_sound {
            let help = "add `at = \"5s\"`, `every = \"exp(5s)\"` or `on = { event = \"acquired\" }`";
            report.add(self.header.clone(), format!("this `{}` has no trigger", self.kind.name), help);
        }
        if let Some(at) = &common.at {
            return Some(Trigger::At(self.read_at(report, at)));
        }
        if let Some(every) = &common.every {
            return Some(Trigger::Every(self.read_every(report, every)));
        }
        self.read_on(report, common.on.as_ref()?).map(Trigger::On)
    }

    fn read_at(&self, report: &mut Report, at: &Spanned<Span>) -> Duration {
        let Span(begin) = *at.get_ref();
        if let Some(run_for) = self.run_for.filter(|run_for| begin >= *run_for) {
            let message = format!("`{}` is too late: the run ends after `{}`", at.get_ref(), Span(run_for));
            report.add(at.span(), message, "set an earlier time, or lengthen `run_for`");
        }
        begin
    }

    fn read_every(&self, report: &mut Report, every: &Spanned<Dist>) -> Dist {
        let gap = *every.get_ref();
        if let Some(run_for) = self.run_for {
            let injections = run_for.as_secs_f64() / mean_seconds(&gap);
            // A gap of zero gives an infinite quotient, or NaN if `run_for` is zero too.
            if injections.is_nan() || injections > MOST_INJECTIONS as f64 {
                let many =
                    if injections.is_finite() { format!("about {injections:.0}") } else { "infinitely many".into() };
                let message = format!(
                    "the interval {} is too short: {many} injections in `{}`, but the maximum is {MOST_INJECTIONS}",
                    quoted(&gap.to_string()),
                    Span(run_for)
                );
                let shortest = Duration::from_nanos(run_for.as_nanos() as u64 / MOST_INJECTIONS as u64 + 1);
                report.add(every.span(), message, format!("make the mean interval at least `{}`", readable(shortest)));
            }
        }
        gap
    }

    fn read_on(&self, report: &mut Report, on: &On) -> Option<OnStep> {
        let step = on.event.get_ref();
        let step_known = STEPS.contains(&step.as_str());
        if !step_known {
            report.add(on.event.span(), format!("no event is named {}", quoted(step)), suggestion(step, &STEPS));
        }
        let client = on.client.as_ref();
        let client_known = client.is_none_or(|name| self.nodes.check_client(report, name.span(), name.get_ref()));
        let client = client.map(|name| name.get_ref().clone());
        (step_known && client_known).then(|| OnStep { client, step: step.clone(), nth: on.nth, after: on.after.0 })
    }

    /// Reads where the fault acts.
    pub(super) fn aim(&self, report: &mut Report, common: &Common) -> Option<Aim> {
        let mut node = |name: &Option<Spanned<String>>| {
            let name = name.as_ref()?;
            self.nodes.target(report, name.span(), name.get_ref())
        };
        match self.kind.target {
            TargetRule::Own => Some(Aim::Own),
            TargetRule::Leader => Some(Aim::Leader),
            TargetRule::Nodes => {
                let target = node(&common.target);
                self.require(report, &["target"], "add `target = \"client:any\"`, or the name of a node");
                target.map(Aim::Nodes)
            }
            TargetRule::Links if self.keys.contains_key("target") => {
                let target = node(&common.target);
                for span in ["from", "to", "both_ways"].iter().filter_map(|key| self.keys.get(*key)) {
                    let message = format!(
                        "`{}` and `target` are mutually exclusive: `target` means all links of a node",
                        &report.text()[span.clone()]
                    );
                    report.add(span.clone(), message, "set `target`, or `from` and `to`");
                }
                target.map(Aim::LinksOf)
            }
            TargetRule::Links => {
                let (from, to) = (node(&common.from), node(&common.to));
                self.require(report, &["from", "to"], "set `from` and `to`, or `target` for all links of a node");
                Some(Aim::Between { from: from?, to: to?, both_ways: common.both_ways.unwrap_or(true) })
            }
        }
    }

    /// Reads the duration.
    pub(super) fn lasts(&self, report: &mut Report, common: &Common) -> Option<Dist> {
        if self.kind.duration == DurationRule::Instant {
            return None;
        }
        self.require(report, &["lasts"], "add `lasts = \"5s\"`, or a distribution such as \"1s..20s\"");
        common.lasts
    }

    fn require(&self, report: &mut Report, keys: &[&str], help: &str) {
        let missing = keys.iter().filter(|key| !self.keys.contains_key(**key)).map(|key| format!("`{key}`"));
        let missing: Vec<String> = missing.collect();
        if self.is_sound && !missing.is_empty() {
            let message = format!("this `{}` has no {}", self.kind.name, missing.join(" and no "));
            report.add(self.header.clone(), message, help);
        }
    }
}

/// Returns the mean of a distribution in seconds.
pub(super) fn mean_seconds(dist: &Dist) -> f64 {
    match *dist {
        Dist::Constant(value) | Dist::Exponential(value) => value.as_secs_f64(),
        Dist::Uniform(low, high) => (low.as_secs_f64() + high.as_secs_f64()) / 2.0,
        Dist::LogNormal(median, sigma) => median.as_secs_f64() * libm::exp(sigma * sigma / 2.0),
    }
}

/// Rounds up to a whole number of one unit.
fn readable(duration: Duration) -> Span {
    let unit = [1_000_000_000, 1_000_000, 1_000].into_iter().find(|unit| duration.as_nanos() >= *unit).unwrap_or(1);
    Span(Duration::from_nanos((duration.as_nanos().div_ceil(unit) * unit) as u64))
}
