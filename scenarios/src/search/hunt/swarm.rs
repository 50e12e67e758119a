//! Swarm cases of any scenario.

use std::sync::Arc;

use super::Hunt;
use crate::file::Scenario;
use crate::run::cell::Cell;

/// Returns the cell of the case with this seed, and its choice as text.
pub(super) fn drawn(hunt: &Hunt<'_>, seed: u64) -> (Cell, String) {
    let scenario = Arc::new(Scenario { swarm: true, ..(*hunt.cell.scenario).clone() });
    let cell = Cell { scenario, ..hunt.cell.clone() }.drawn(seed).into_owned();
    let choice = cell.choice.as_ref().map(ToString::to_string).unwrap_or_default();
    (cell, choice)
}
