//! Who is who in a case: names, whose a grant is, whose an order, and how the guarded row stands.

use std::collections::BTreeMap;

use fencepost_models::history::{Event, GrantId, OrderId};
use fencepost_scenarios::cell::Cell;
use fencepost_scenarios::file::Workload;
use fencepost_sim::NodeId;

pub(crate) struct Cast {
    nodes: Vec<String>,
    pub store: NodeId,
    /// The lock has grants; where it has none, attempts are transactions and nobody "holds" anything.
    pub grants: bool,
    owners: BTreeMap<GrantId, NodeId>,
    orders: BTreeMap<OrderId, OrderOf>,
    /// The row's count, as the store has it.
    pub count: i64,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct OrderOf {
    pub units: u32,
    /// The grant under which it was last worked on.
    pub grant: Option<GrantId>,
}

impl Cast {
    pub fn new(cell: &Cell) -> Cast {
        let Workload::Inventory(inventory) = &cell.scenario.workload;
        Cast {
            nodes: cell.nodes(),
            store: cell.store(),
            grants: cell.lock.info.grants,
            owners: BTreeMap::new(),
            orders: BTreeMap::new(),
            count: inventory.stock.into(),
        }
    }

    /// Takes note of who does what.
    pub fn learn(&mut self, event: &Event) {
        match *event {
            Event::AcquireInvoked { client, grant } | Event::NestedInvoked { client, nested: grant, .. } => {
                self.owners.insert(grant, client);
            }
            Event::OrderStarted { order, units, .. } => self.orders.entry(order).or_default().units = units,
            Event::ReadOk { grant, order, .. } | Event::WriteInvoked { grant, order, .. } => {
                self.orders.entry(order).or_default().grant = Some(grant);
            }
            _ => {}
        }
    }

    /// Takes note of how the row stands, once the event is told.
    pub fn learn_row(&mut self, event: &Event) {
        match *event {
            Event::WriteAccepted { count, .. } | Event::RolledBack { count, .. } => self.count = count,
            _ => {}
        }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn name(&self, node: NodeId) -> &str {
        self.nodes.get(node.index()).map_or("?", String::as_str)
    }

    pub fn owner(&self, grant: GrantId) -> Option<NodeId> {
        self.owners.get(&grant).copied()
    }

    /// `client-2`, or `somebody`.
    pub fn holder(&self, grant: GrantId) -> &str {
        self.owner(grant).map_or("somebody", |client| self.name(client))
    }

    pub fn order(&self, order: OrderId) -> OrderOf {
        self.orders.get(&order).copied().unwrap_or_default()
    }

    /// `order 12 (2 units)`.
    pub fn order_words(&self, order: OrderId) -> String {
        match self.order(order).units {
            1 => format!("order {order} (1 unit)"),
            units => format!("order {order} ({units} units)"),
        }
    }

    /// `client-1, client-2 and client-3`.
    pub fn list(&self, nodes: impl IntoIterator<Item = NodeId>) -> String {
        let names: Vec<&str> = nodes.into_iter().map(|node| self.name(node)).collect();
        listed(&names)
    }
}

/// `a, b and c`.
pub(crate) fn listed(names: &[&str]) -> String {
    match names {
        [] => "nobody".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
