//! Swarm cases of any scenario, as if it were a swarm.

use std::sync::Arc;

use super::Hunt;
use crate::file::Scenario;
use crate::run::cell::Cell;

/// The cell of the case of this seed, and what was chosen for it.
pub(super) fn drawn(hunt: &Hunt<'_>, seed: u64) -> (Cell, String) {
    let scenario = Arc::new(Scenario { swarm: true, ..(*hunt.cell.scenario).clone() });
    let cell = Cell { scenario, ..hunt.cell.clone() }.drawn(seed).into_owned();
    let choice = cell.choice.as_ref().map(ToString::to_string).unwrap_or_default();
    (cell, choice)
}
