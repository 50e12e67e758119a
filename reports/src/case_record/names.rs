//! The names in a case: nodes, clients of grants, units of orders, and the phrases of the workload.

use std::collections::BTreeMap;

use fencepost_models::ResourceId;
use fencepost_models::history::{Event, GrantId, OrderEnd, OrderId};
use fencepost_scenarios::run::cell::Cell;
use fencepost_scenarios::workload::{StoreKind, Workload};
use fencepost_sim::NodeId;

use crate::text::{counted, listed};

pub(crate) struct CaseNames {
    nodes: Vec<String>,
    pub store: NodeId,
    /// Whether the lock has grants. If not, attempts are transactions.
    pub grants: bool,
    owners: BTreeMap<GrantId, NodeId>,
    orders: BTreeMap<OrderId, OrderInfo>,
    workload: Workload,
    /// The resources of grants, if not the default resource.
    resources: BTreeMap<GrantId, ResourceId>,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct OrderInfo {
    pub units: u32,
    /// The grant of its last attempt.
    pub grant: Option<GrantId>,
}

impl CaseNames {
    pub fn new(cell: &Cell) -> CaseNames {
        let workload = Workload::of_scenario(&cell.scenario).clone();
        CaseNames {
            nodes: cell.nodes(),
            store: cell.store(),
            grants: cell.lock.info.grants,
            owners: BTreeMap::new(),
            orders: BTreeMap::new(),
            workload,
            resources: BTreeMap::new(),
        }
    }

    /// Records the clients of grants and the units of orders.
    pub fn observe(&mut self, event: &Event) {
        match *event {
            Event::AcquireInvoked { client, grant, resource } => {
                self.owners.insert(grant, client);
                if resource != ResourceId::default() {
                    self.resources.insert(grant, resource);
                }
            }
            Event::NestedInvoked { client, nested: grant, .. } => {
                self.owners.insert(grant, client);
            }
            Event::OrderStarted { order, units, .. } => self.orders.entry(order).or_default().units = units,
            Event::ReadOk { grant, order, .. } | Event::WriteInvoked { grant, order, .. } => {
                self.orders.entry(order).or_default().grant = Some(grant);
            }
            _ => {}
        }
    }

    /// Returns the index of a grant's guarded row: 0 or 1.
    pub fn row(&self, grant: GrantId) -> usize {
        self.resources.get(&grant).map_or(0, |resource| resource.0.into())
    }

    /// Returns the initial count of each row.
    pub fn initial_counts(&self) -> [i64; 2] {
        [self.workload.work.initial_count.into(); 2]
    }

    /// Returns ` on the second account` if the workload has two resources and the grant is for the second.
    pub fn row_text(&self, grant: GrantId) -> String {
        let names = self.workload.info.phrases.resources;
        names.get(self.row(grant)).map(|name| format!(" on {name}")).unwrap_or_default()
    }

    /// Formats a count, such as `3 in stock`.
    pub fn count_text(&self, count: i64) -> String {
        (self.workload.info.phrases.count)(count)
    }

    /// Describes how an order ended, as its client sees it.
    pub fn order_end(&self, end: OrderEnd) -> &'static str {
        (self.workload.info.phrases.order_end)(end)
    }

    /// Returns whether the store keeps rows; otherwise it logs effects.
    pub fn has_rows(&self) -> bool {
        self.workload.work.store == StoreKind::Rows
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, node: NodeId) -> &str {
        self.nodes.get(node.index()).map_or("?", String::as_str)
    }

    pub fn owner(&self, grant: GrantId) -> Option<NodeId> {
        self.owners.get(&grant).copied()
    }

    /// Returns the name of a grant's client.
    pub fn holder(&self, grant: GrantId) -> &str {
        self.owner(grant).map_or("an unknown client", |client| self.node(client))
    }

    pub fn order(&self, order: OrderId) -> OrderInfo {
        self.orders.get(&order).copied().unwrap_or_default()
    }

    /// Formats an order, such as `order 12 (2 units)`.
    pub fn order_text(&self, order: OrderId) -> String {
        format!("order {order} ({})", counted(self.order(order).units, "unit"))
    }

    /// Formats a list of nodes, such as `client-1, client-2 and client-3`.
    pub fn list(&self, nodes: impl IntoIterator<Item = NodeId>) -> String {
        let names: Vec<&str> = nodes.into_iter().map(|node| self.node(node)).collect();
        listed(&names)
    }
}
