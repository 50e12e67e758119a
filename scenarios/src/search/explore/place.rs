//! The possible placements of a fault in a run, and their representation in scenarios.

use std::time::Duration;

use fencepost_sim::faults::{ExploreLength, ExploreSite, ExploreValue};
use fencepost_sim::schedule::{Aim, FaultPlan, OnStep, Target, Trigger};
use fencepost_sim::units::{Dist, SignedSpan, Span};
use fencepost_sim::{NodeId, SimTime};
use toml::{Table, Value};

use super::points::{Point, What, trimmed};
use crate::file::Placeable;
use crate::run::cell::Cell;
use crate::run::registry::Registry;
use crate::search::shrink::DraftFault;

/// A placed fault.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    /// The kind in the menu.
    pub what: Placeable,
    pub place: Place,
    pub begins: Begins,
    /// When the fault begins, in the run in which it was placed.
    pub at: SimTime,
    /// The duration, or the delay of a message.
    pub lasts: Duration,
    /// The clock step in nanoseconds.
    pub step: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    Node(NodeId),
    Link(NodeId, NodeId),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Begins {
    At,
    /// When the client reaches the step for the nth time.
    On(NodeId, &'static str, u32),
}

/// A duration so short that a link fault affects only the message sent at its beginning.
const A_MOMENT: Duration = Duration::from_nanos(1);

impl Placed {
    /// Returns whether the end of the fault is placed too.
    pub fn has_an_end(&self) -> bool {
        self.what.placing().has_end()
    }

    /// Returns the fault in the form of scenario files.
    pub fn fault(&self, nodes: &[String], number: usize) -> DraftFault {
        let text = |text: String| Value::String(text);
        let span = |length: Duration| text(Span(length).to_string());
        let name = |node: NodeId| nodes[node.index()].clone();
        let mut keys = Table::new();
        keys.insert("name".into(), text(format!("{}-{number}", self.kind())));
        match self.place {
            Place::Node(node) => {
                keys.insert("target".into(), text(name(node)));
            }
            Place::Link(from, to) => {
                keys.insert("from".into(), text(name(from)));
                keys.insert("to".into(), text(name(to)));
                keys.insert("both_ways".into(), Value::Boolean(false));
            }
        }
        match self.begins {
            Begins::At => keys.insert("at".into(), span(self.at.since(SimTime(0)))),
            Begins::On(client, step, nth) => {
                let on = [("client", text(name(client))), ("event", text(step.into()))];
                let mut on: Table = on.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
                on.insert("nth".into(), Value::Integer(nth.into()));
                keys.insert("on".into(), Value::Table(on))
            }
        };
        if let Some(lasts) = self.fault_lasts() {
            keys.insert("lasts".into(), span(lasts));
        }
        keys.extend(self.own_keys());
        DraftFault { kind: self.kind().into(), keys }
    }

    fn kind(&self) -> &'static str {
        self.what.kind().name
    }

    fn fault_lasts(&self) -> Option<Duration> {
        match self.what.placing().lasts {
            ExploreLength::Chosen => Some(self.lasts),
            ExploreLength::Moment => Some(A_MOMENT),
            ExploreLength::Absent => None,
        }
    }

    fn own_keys(&self) -> Table {
        let value = |value| match value {
            ExploreValue::Text(text) => Value::String(text.into()),
            ExploreValue::Number(number) => Value::Float(number),
            ExploreValue::Chosen => Value::String(Span(self.lasts).to_string()),
            ExploreValue::Step => Value::String(SignedSpan::constant(self.step).to_string()),
        };
        self.what.placing().keys.iter().map(|(key, given)| ((*key).to_owned(), value(*given))).collect()
    }

    /// Returns the fault in the form of schedules, equal to the parsed text of [`Placed::fault`].
    pub fn plan(&self, registry: &Registry, nodes: &[String], number: usize) -> FaultPlan {
        let entry = registry.fault(self.kind()).expect("the standard kinds of fault are registered");
        let named = |node: NodeId| Target::Named(nodes[node.index()].clone());
        FaultPlan {
            name: format!("{}-{number}", self.kind()),
            kind: entry.info,
            fault: entry.read(&self.own_keys()).expect("the keys of the menu are valid"),
            trigger: match self.begins {
                Begins::At => Trigger::At(self.at.since(SimTime(0))),
                Begins::On(client, step, nth) => Trigger::On(OnStep {
                    client: Some(nodes[client.index()].clone()),
                    step: step.into(),
                    nth,
                    after: Duration::ZERO,
                }),
            },
            aim: match self.place {
                Place::Node(node) => Aim::Nodes(named(node)),
                Place::Link(from, to) => Aim::Between { from: named(from), to: named(to), both_ways: false },
            },
            lasts: self.fault_lasts().map(Dist::Constant),
        }
    }
}

/// Returns the placements of faults of the menu that begin between `from` and `until`, the end of the run phase.
pub(super) fn beginnings(
    cell: &Cell,
    menu: &[Placeable],
    points: &[Point],
    from: SimTime,
    until: SimTime,
) -> Vec<Placed> {
    let points: Vec<Point> = trimmed(points).into_iter().filter(|point| (from..until).contains(&point.at)).collect();
    let mut placed: Vec<Placed> = Vec::new();
    for point in &points {
        for what in menu {
            if let Some((place, begins, at)) = starts(*what, point) {
                for step in steps(cell, *what) {
                    let lasts = until.since(at);
                    let one = Placed { what: *what, place, begins, at, lasts, step };
                    // Simultaneous events at a node give one placement.
                    if at >= from && !placed.contains(&one) {
                        placed.push(one);
                    }
                }
            }
        }
    }
    placed
}

/// Returns where and when a fault of this kind can begin at a point: right before its event.
fn starts(what: Placeable, point: &Point) -> Option<(Place, Begins, SimTime)> {
    match (what.placing().site, point.what) {
        (ExploreSite::NodeOrStep, What::Step(node, step, nth)) => {
            Some((Place::Node(node), Begins::On(node, step, nth), point.at))
        }
        (ExploreSite::Node | ExploreSite::NodeOrStep, What::Delivered(..) | What::At(_)) => {
            Some((Place::Node(point.node()), Begins::At, point.at))
        }
        (ExploreSite::Link, What::Delivered(from, to, sent)) => Some((Place::Link(from, to), Begins::At, sent)),
        _ => None,
    }
}

/// Returns clock steps in nanoseconds: the lock's expiry plus one second, forward and backward.
fn steps(cell: &Cell, what: Placeable) -> Vec<i64> {
    if !what.placing().has_step() {
        return vec![0];
    }
    let expiry = cell.header.effective_expiry.unwrap_or(Duration::from_secs(10)) + Duration::from_secs(1);
    let step = i64::try_from(expiry.as_nanos()).unwrap_or(i64::MAX);
    vec![step, -step]
}

/// Returns the fault with each possible end: right after an event at another node, in the run with the endless fault.
pub(super) fn endings(endless: &Placed, points: &[Point]) -> Vec<Placed> {
    let is_affected = |node: NodeId| match endless.place {
        Place::Node(own) => node == own,
        Place::Link(_, to) => node == to,
    };
    let mut ends: Vec<SimTime> = (trimmed(points).iter())
        .filter(|point| point.at >= endless.at && !matches!(point.what, What::Step(..)))
        .filter(|point| !is_affected(point.node()))
        .map(|point| point.at)
        .collect();
    ends.dedup();
    let length = |end: SimTime| end.since(endless.at) + A_MOMENT;
    ends.retain(|end| length(*end) < endless.lasts);
    ends.into_iter().map(|end| Placed { lasts: length(end), ..endless.clone() }).collect()
}
