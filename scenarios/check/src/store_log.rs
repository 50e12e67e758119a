//! The log of the guarded store: the write that produced each version of a row, and which writes are still in effect.

use fencepost_models::history::{Event, GrantId, OrderEnd, OrderId, Version};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::CaseSpec;
use crate::ledger::Ledger;
use crate::table::Table;
use crate::workload::WorkloadSpec;

/// The operations of the store and the results of orders. Memory grows with orders and accepted writes.
pub(crate) struct StoreLog {
    pub(crate) workload: Option<WorkloadSpec>,
    /// Whether the store handled any operation.
    pub(crate) in_use: bool,
    rows: [Row; 2],
    orders: Table<OrderId, Order>,
    pub(crate) acked_units: i64,
}

/// A row of the store.
#[derive(Default)]
struct Row {
    count: i64,
    lowest_count: i64,
    /// Accepted writes that were not rolled back, by ascending version.
    writes: Vec<Write>,
    rolled_back: Vec<Write>,
}

/// An order and its result.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) client: Option<NodeId>,
    pub(crate) units: u32,
    pub(crate) acked: bool,
    /// Whether a client resolved the order.
    pub(crate) resolved: bool,
    /// Whether a client found that another client had already executed the order.
    pub(crate) done_already: bool,
    /// Whether its client does not know if the order took effect.
    pub(crate) unknown: bool,
    /// The effect on each row.
    pub(crate) parts: [Part; 2],
}

/// The effect of an order on one row.
#[derive(Default)]
pub(crate) struct Part {
    /// The number of accepted writes that were not rolled back.
    pub(crate) writes: u32,
    /// Whether a write of the order was overwritten (set by [`StoreLog::settle`]).
    pub(crate) overwritten: bool,
    /// Whether a write of the order was rolled back (set by [`StoreLog::settle`]).
    pub(crate) rolled_back: bool,
    /// Whether a write of the order is still in effect (set by [`StoreLog::settle`]).
    pub(crate) in_effect: bool,
}

/// An accepted write.
#[derive(Clone, Copy)]
pub(crate) struct Write {
    pub(crate) version: Version,
    pub(crate) at: SimTime,
    pub(crate) grant: GrantId,
    pub(crate) order: OrderId,
    pub(crate) units: u32,
    pub(crate) lost: Option<Loss>,
}

/// How a write was lost.
#[derive(Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) at: SimTime,
    pub(crate) how: Overwritten,
}

/// The cause of the loss of a write.
#[derive(Clone, Copy)]
pub(crate) enum Overwritten {
    /// A later write, based on an earlier version.
    ByWrite { version: Version, grant: GrantId, order: OrderId, based_on: Version },
    /// The store rolled back to an earlier version.
    ByRollback { version: Version },
}

impl StoreLog {
    pub(crate) fn new(case: &CaseSpec) -> Self {
        let count = case.workload.map_or(0, |workload| workload.initial_count.into());
        let row =
            |orders| Row { count, lowest_count: count, writes: Vec::with_capacity(orders), rolled_back: Vec::new() };
        StoreLog {
            workload: case.workload,
            in_use: false,
            rows: [row(case.expected_orders()), row(0)],
            orders: Table::with_capacity(case.expected_orders()),
            acked_units: 0,
        }
    }

    pub(crate) fn observe(&mut self, at: SimTime, event: &Event, ledger: &Ledger) {
        match *event {
            Event::ReadAccepted { .. } | Event::OperationRefused { .. } => self.in_use = true,
            Event::WriteAccepted { grant, order, units, based_on, version, count } => {
                let index = ledger.row_of(grant);
                let row = &mut self.rows[index];
                row.overwrite(at, Overwritten::ByWrite { version, grant, order, based_on }, based_on);
                row.writes.push(Write { version, at, grant, order, units, lost: None });
                row.set_count(count);
                self.orders.row(order).parts[index].writes += 1;
                self.in_use = true;
            }
            Event::RolledBack { version, count } => self.roll_back(at, 0, version, count),
            Event::OtherRowRolledBack { resource, version, count } => {
                self.roll_back(at, resource.0.into(), version, count);
            }
            Event::OrderResolved { client, order, units, end } => self.resolve(client, order, units, end),
            _ => {}
        }
    }

    /// Determines which orders are in effect at the end of the case.
    pub(crate) fn settle(&mut self) {
        for (index, row) in self.rows.iter().enumerate() {
            for write in &row.writes {
                let part = &mut self.orders.row(write.order).parts[index];
                part.in_effect |= write.lost.is_none();
                part.overwritten |= write.lost.is_some();
            }
            for write in &row.rolled_back {
                self.orders.row(write.order).parts[index].rolled_back = true;
            }
        }
    }

    /// Returns whether one client can overwrite the writes of another. Effects are independent of each other.
    pub(crate) fn has_shared_state(&self) -> bool {
        self.workload.map_or(self.in_use, |workload| !workload.has_effects())
    }

    /// Returns the counts of the rows.
    pub(crate) fn counts(&self) -> [i64; 2] {
        [self.rows[0].count, self.rows[1].count]
    }

    /// Returns the lowest count that the first row ever had.
    pub(crate) fn lowest_count(&self) -> i64 {
        self.rows[0].lowest_count
    }

    pub(crate) fn order(&self, order: OrderId) -> Option<&Order> {
        self.orders.get(order)
    }

    pub(crate) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// Returns the accepted writes to a row that were not rolled back.
    pub(crate) fn writes(&self, row: usize) -> &[Write] {
        &self.rows[row].writes
    }

    /// Returns the lost writes whose order has no write in effect on the same row. The log must be settled.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&Write, &Order, Loss)> {
        let lost = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(index, row)| row.writes.iter().chain(&row.rolled_back).map(move |write| (index, write)));
        lost.filter_map(|(index, write)| Some((index, write, self.orders.get(write.order)?, write.lost?)))
            .filter(|(index, _, order, _)| order.parts[*index].is_missing())
            .map(|(_, write, order, loss)| (write, order, loss))
    }

    fn roll_back(&mut self, at: SimTime, index: usize, back_to: Version, count: i64) {
        let orders = &mut self.orders;
        self.rows[index].roll_back(at, back_to, |order| orders.row(order).parts[index].writes -= 1);
        self.rows[index].set_count(count);
        self.in_use = true;
    }

    fn resolve(&mut self, client: NodeId, order: OrderId, units: u32, end: OrderEnd) {
        let row = self.orders.row(order);
        row.client = Some(client);
        row.units = units;
        row.resolved = true;
        row.done_already |= end == OrderEnd::DoneAlready;
        row.unknown |= end == OrderEnd::Unknown;
        if end == OrderEnd::Acked && !row.acked {
            row.acked = true;
            self.acked_units += i64::from(units);
        }
    }
}

impl Row {
    /// Marks every write after version `based_on` as lost, because the new count does not include it.
    fn overwrite(&mut self, at: SimTime, how: Overwritten, based_on: Version) {
        for write in self.writes.iter_mut().rev().take_while(|write| write.version > based_on) {
            write.lost.get_or_insert(Loss { at, how });
        }
    }

    /// Removes the writes after version `back_to`. Writes that these had overwritten are in effect again.
    fn roll_back(&mut self, at: SimTime, back_to: Version, mut undone: impl FnMut(OrderId)) {
        let kept = self.writes.partition_point(|write| write.version <= back_to);
        for mut write in self.writes.drain(kept..) {
            undone(write.order);
            write.lost.get_or_insert(Loss { at, how: Overwritten::ByRollback { version: back_to } });
            self.rolled_back.push(write);
        }
        for write in &mut self.writes {
            write.lost = write.lost.filter(|loss| match loss.how {
                Overwritten::ByWrite { version, .. } => version <= back_to,
                Overwritten::ByRollback { .. } => true,
            });
        }
    }

    fn set_count(&mut self, count: i64) {
        self.count = count;
        self.lowest_count = self.lowest_count.min(count);
    }
}

impl Order {
    /// Returns whether the order had an effect on a row and has none at the end. The log must be settled.
    pub(crate) fn is_missing(&self) -> bool {
        self.parts.iter().any(Part::is_missing)
    }

    /// Returns whether a write of the order was overwritten. The log must be settled.
    pub(crate) fn is_overwritten(&self) -> bool {
        self.parts.iter().any(|part| part.overwritten)
    }

    /// Returns whether clients picked up the event of the order but no client handled it.
    pub(crate) fn is_missed(&self) -> bool {
        self.resolved && !self.acked && !self.done_already && self.parts[0].writes == 0
    }
}

impl Part {
    fn is_missing(&self) -> bool {
        (self.overwritten || self.rolled_back) && !self.in_effect
    }
}
