//! Rules that stop a cell before its last seed. They are applied in the order of seeds, so they stop at the same seed with
//! any number of threads.

use fencepost_scenarios::run::case_result::CaseResult;
use fencepost_scenarios::run::results::CellResult;

use super::fail_on::FailOn;

/// When to stop a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum StopRule {
    /// At the last seed.
    Never,
    /// When the intervals of all properties are narrower than this.
    Interval(f64),
    /// At the first violation of one of these properties.
    Violation(FailOn),
}

/// The number of cases between two checks of the intervals, which cost about as much as a case.
const INTERVAL_STEP: u64 = 16;

impl StopRule {
    /// Returns whether to stop the cell after its latest case.
    pub(super) fn ends(&self, result: &CellResult, last: &CaseResult) -> bool {
        match self {
            StopRule::Never => false,
            StopRule::Violation(properties) => properties.is_violated_in(last),
            StopRule::Interval(width) => {
                result.cases().is_multiple_of(INTERVAL_STEP) && widest(result).is_some_and(|widest| widest < *width)
            }
        }
    }

    /// Returns the command-line flags of this rule.
    pub(super) fn flags(&self) -> Option<String> {
        match self {
            StopRule::Never => None,
            StopRule::Interval(width) => Some(format!("--until-interval {width}")),
            StopRule::Violation(properties) => Some(format!("--until-violation --fail-on {}", properties.text())),
        }
    }
}

/// Returns the width of the widest interval, or `None` if no property is applicable.
fn widest(result: &CellResult) -> Option<f64> {
    let applicable = result.properties().filter(|(_, count)| count.is_applicable());
    let widths = applicable.map(|(_, count)| count.ci95().upper - count.ci95().lower);
    widths.max_by(f64::total_cmp)
}
