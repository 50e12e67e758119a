//! The keys that all faults share: when, where and how long.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use fencepost_sim::faults::{DurationRule, FaultInfo, TargetRule};
use fencepost_sim::schedule::{Aim, MOST_INJECTIONS, OnStep, Trigger};
use fencepost_sim::units::{Dist, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::nodes::Nodes;
use super::problem::Report;
use super::values::whole;
use super::words::{quoted, remedy};

/// The steps of a client that can trigger a fault.
pub const STEPS: [&str; 8] =
    ["acquire-sent", "acquired", "read", "checked", "write-sent", "written", "release-sent", "released"];

/// The keys that faults share.
pub(super) const COMMON: [&str; 9] = ["name", "target", "from", "to", "both_ways", "at", "every", "on", "lasts"];

/// The shared keys that a fault of this kind may have.
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
    /// Its name in results; it also keys the fault's stream of randomness. Left out: its kind and number.
    #[schemars(with = "Option<String>")]
    pub(super) name: Option<Spanned<String>>,
    /// The node it acts on, or a group: `client:any`, `server:minority`. For a link fault: all links of that node.
    #[schemars(with = "Option<String>")]
    target: Option<Spanned<String>>,
    /// The node or group whose outgoing links it acts on.
    #[schemars(with = "Option<String>")]
    from: Option<Spanned<String>>,
    /// The node or group that these links lead to.
    #[schemars(with = "Option<String>")]
    to: Option<Spanned<String>>,
    /// Whether the links back are affected too.
    #[schemars(with = "Option<bool>", extend("default" = true))]
    both_ways: Option<Spanned<bool>>,
    /// Begins once, at this time.
    #[schemars(with = "Option<Span>")]
    at: Option<Spanned<Span>>,
    /// Begins repeatedly; the time from one beginning to the next.
    #[schemars(with = "Option<Dist>")]
    every: Option<Spanned<Dist>>,
    /// Begins when a client passes a step.
    on: Option<On>,
    /// How long it lasts.
    #[schemars(with = "Option<Dist>")]
    lasts: Option<Spanned<Dist>>,
}

/// A step that a client passes: `{ client = "client-1", event = "acquired", nth = 1, after = "1s" }`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct On {
    /// The client; any client if left out.
    #[schemars(with = "Option<String>")]
    client: Option<Spanned<String>>,
    /// The step.
    #[schemars(schema_with = "step_schema")]
    event: Spanned<String>,
    /// Which time, from 1.
    #[serde(default = "first", deserialize_with = "whole::<_, _, 1, 1_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    nth: u32,
    /// How long after it the fault begins.
    #[serde(default)]
    after: Span,
}

fn step_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "enum": STEPS })
}

fn first() -> u32 {
    1
}

/// A fault table whose shared keys are being read.
pub(super) struct Reading<'a> {
    pub kind: &'static FaultInfo,
    /// The span of its header.
    pub header: Range<usize>,
    /// The spans of its keys, right or wrong.
    pub keys: BTreeMap<String, Range<usize>>,
    /// No key is wrong so far. A key that seems to be missing may otherwise be the wrong one.
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
                ("lasts", _) => ("happens at once", "remove `lasts`".into()),
                (_, TargetRule::Nodes) => ("acts on nodes, not on links", "name the node in `target`".into()),
                _ => ("has keys of its own for where it acts", format!("use those instead of `{key}`")),
            };
            report.add(span.clone(), format!("a `{kind}` {reason}: it has no `{key}`"), help);
        }
    }

    /// When it begins: exactly one of `at`, `every` and `on`.
    pub(super) fn trigger(&self, report: &mut Report, common: &Common) -> Option<Trigger> {
        let spans = ["at", "every", "on"].into_iter().filter_map(|key| Some((self.keys.get(key)?, key)));
        let mut given: Vec<_> = spans.collect();
        given.sort_by_key(|(span, _)| span.start);
        for (span, key) in given.iter().skip(1) {
            let message = format!("`{key}` beside `{}`: a fault has exactly one trigger", given[0].1);
            report.add((*span).clone(), message, "remove one, or write a second fault");
        }
        if given.is_empty() && self.is_sound {
            let help = "add `at = \"5s\"`, `every = \"exp(5s)\"` or `on = { event = \"acquired\" }`";
            report.add(self.header.clone(), format!("this `{}` has no trigger", self.kind.name), help);
        }
        if let Some(at) = &common.at {
            return Some(Trigger::At(self.at(report, at)));
        }
        if let Some(every) = &common.every {
            return Some(Trigger::Every(self.every(report, every)));
        }
        self.on(report, common.on.as_ref()?).map(Trigger::On)
    }

    fn at(&self, report: &mut Report, at: &Spanned<Span>) -> Duration {
        let Span(begin) = *at.get_ref();
        if let Some(run_for) = self.run_for.filter(|run_for| begin >= *run_for) {
            let message = format!("`{}` is too late: the run ends after `{}`", at.get_ref(), Span(run_for));
            report.add(at.span(), message, "make it begin earlier, or lengthen `run_for`");
        }
        begin
    }

    fn every(&self, report: &mut Report, every: &Spanned<Dist>) -> Dist {
        let gap = *every.get_ref();
        if let Some(run_for) = self.run_for {
            let injections = run_for.as_secs_f64() / mean_seconds(&gap);
            // A gap of zero gives infinitely many, or none in no time.
            if injections.is_nan() || injections > MOST_INJECTIONS as f64 {
                let many = if injections.is_finite() { format!("about {injections:.0}") } else { "endless".into() };
                let message = format!(
                    "{} is too short a gap: {many} injections in `{}`, and {MOST_INJECTIONS} are the most",
                    quoted(&gap.to_string()),
                    Span(run_for)
                );
                let shortest = Duration::from_nanos(run_for.as_nanos() as u64 / MOST_INJECTIONS as u64 + 1);
                report.add(every.span(), message, format!("make the mean gap at least `{}`", readable(shortest)));
            }
        }
        gap
    }

    fn on(&self, report: &mut Report, on: &On) -> Option<OnStep> {
        let step = on.event.get_ref();
        let known = STEPS.contains(&step.as_str());
        if !known {
            report.add(on.event.span(), format!("no event is named {}", quoted(step)), remedy(step, &STEPS));
        }
        let client = on.client.as_ref();
        let client_known = client.is_none_or(|name| self.nodes.check_client(report, name.span(), name.get_ref()));
        (known && client_known).then(|| OnStep {
            client: client.map(|name| name.get_ref().clone()),
            step: step.clone(),
            nth: on.nth,
            after: on.after.0,
        })
    }

    /// Where it acts.
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
                    let message =
                        format!("`{}` beside `target`, which means all links of a node", &report.text()[span.clone()]);
                    report.add(span.clone(), message, "give `target`, or `from` and `to`");
                }
                target.map(Aim::LinksOf)
            }
            TargetRule::Links => {
                let (from, to) = (node(&common.from), node(&common.to));
                self.require(report, &["from", "to"], "give `from` and `to`, or `target` for all links of a node");
                let both_ways = common.both_ways.as_ref().is_none_or(|both| *both.get_ref());
                Some(Aim::Between { from: from?, to: to?, both_ways })
            }
        }
    }

    /// How long it lasts.
    pub(super) fn lasts(&self, report: &mut Report, common: &Common) -> Option<Dist> {
        if self.kind.duration == DurationRule::Instant {
            return None;
        }
        self.require(report, &["lasts"], "add `lasts = \"5s\"`, or a distribution such as \"1s..20s\"");
        let lasts = common.lasts.as_ref()?;
        if lasts.get_ref().is_zero() {
            report.add(lasts.span(), "a fault of zero length has no effect", "give it some time, such as \"5s\"");
        }
        Some(*lasts.get_ref())
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

/// The mean of a distribution, in seconds.
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
