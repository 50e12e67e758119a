//! Tells what happened in a case. Everything that tells it to a person goes through here.

use fencepost_scenarios::case::{CaseReport, node_name};
use fencepost_scenarios::property::{Property, Verdict};
use fencepost_sim::{NodeId, TraceHash};
use serde::Serialize;

/// The first violation of a property, in a sentence.
#[derive(Debug, Serialize)]
pub(super) struct EvidenceLine {
    pub(super) property: &'static str,
    pub(super) t_ns: u64,
    pub(super) text: String,
}

/// The evidence of a case, or of one property in it.
pub(super) fn evidence(report: &CaseReport, only: Option<Property>) -> Vec<EvidenceLine> {
    let names = |node: NodeId| node_name(&report.nodes, node);
    let wanted = report.evidence.iter().filter(|evidence| only.is_none_or(|only| evidence.property == only));
    wanted
        .map(|evidence| EvidenceLine {
            property: evidence.property.name(),
            t_ns: evidence.at.0,
            text: format!("at {}: {}", evidence.at, evidence.told(&names)),
        })
        .collect()
}

/// The case for a person.
pub(super) fn tell(case: &str, report: &CaseReport) -> String {
    let mut text = format!("{case}\n");
    for (property, verdict) in &report.outcome.verdicts {
        text.push_str(&format!("  {:<20} {}\n", property.name(), word(*verdict)));
    }
    for line in evidence(report, None) {
        text.push_str(&format!("\n{}:\n  {}\n", line.property, line.text));
    }
    let (hash, events) = (TraceHash(report.outcome.trace), report.outcome.events);
    text.push_str(&format!("\nended at {} after {events} events\ntrace {hash}\n", report.ended));
    text
}

/// A verdict as a word.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Violated => "violated",
        Verdict::Unknown => "unknown",
        Verdict::Holds => "holds",
        Verdict::NotApplicable => "not-applicable",
    }
}
