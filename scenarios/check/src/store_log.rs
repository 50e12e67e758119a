//! The log of the guarded store: which write made which version of a row, and which writes are still in effect.

use fencepost_models::history::{Event, GrantId, OrderEnd, OrderId, Version};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::CaseSpec;
use crate::ledger::Ledger;
use crate::table::Table;
use crate::workload::WorkloadSpec;

/// What the store did, and how orders ended. It grows with the orders and their accepted writes.
pub(crate) struct StoreLog {
    pub(crate) workload: Option<WorkloadSpec>,
    /// The store handled an operation.
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
    /// A client resolved it.
    pub(crate) resolved: bool,
    /// A client found that another had done it.
    pub(crate) done_already: bool,
    /// Its client does not know whether it took effect.
    pub(crate) unknown: bool,
    /// Its effect on each row.
    pub(crate) parts: [Part; 2],
}

/// The effect of an order on one row.
#[derive(Default)]
pub(crate) struct Part {
    /// Its accepted writes, without those rolled back.
    pub(crate) writes: u32,
    /// One of its writes was overwritten (known once the log is settled).
    pub(crate) overwritten: bool,
    /// One of its writes was rolled back.
    pub(crate) rolled_back: bool,
    /// One of its writes is still in effect (known once the log is settled).
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

/// What removed the effect of a write.
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
                let place = ledger.row_of(grant);
                let row = &mut self.rows[place];
                row.overwrite(at, Overwritten::ByWrite { version, grant, order, based_on }, based_on);
                row.writes.push(Write { version, at, grant, order, units, lost: None });
                row.set_count(count);
                self.orders.row(order).parts[place].writes += 1;
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
        for (place, row) in self.rows.iter().enumerate() {
            for write in &row.writes {
                let part = &mut self.orders.row(write.order).parts[place];
                part.in_effect |= write.lost.is_none();
                part.overwritten |= write.lost.is_some();
            }
            for write in &row.rolled_back {
                self.orders.row(write.order).parts[place].rolled_back = true;
            }
        }
    }

    /// Whether one client can overwrite the writes of another. Effects are independent of each other.
    pub(crate) fn has_shared_state(&self) -> bool {
        self.workload.map_or(self.in_use, |workload| !workload.has_effects())
    }

    /// The counts of the rows.
    pub(crate) fn counts(&self) -> [i64; 2] {
        [self.rows[0].count, self.rows[1].count]
    }

    /// The lowest count that the first row ever had.
    pub(crate) fn lowest_count(&self) -> i64 {
        self.rows[0].lowest_count
    }

    pub(crate) fn order(&self, order: OrderId) -> Option<&Order> {
        self.orders.get(order)
    }

    pub(crate) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// The accepted writes to a row that were not rolled back.
    pub(crate) fn writes(&self, row: usize) -> &[Write] {
        &self.rows[row].writes
    }

    /// In the settled log, the writes that are not in effect and whose order has no other write that is.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&Write, &Order, Loss)> {
        let lost = self
            .rows
            .iter()
            .enumerate()
            .flat_map(|(place, row)| row.writes.iter().chain(&row.rolled_back).map(move |write| (place, write)));
        lost.filter_map(|(place, write)| Some((place, write, self.orders.get(write.order)?, write.lost?)))
            .filter(|(place, _, order, _)| order.parts[*place].is_missing())
            .map(|(_, write, order, loss)| (write, order, loss))
    }

    fn roll_back(&mut self, at: SimTime, place: usize, back_to: Version, count: i64) {
        let orders = &mut self.orders;
        self.rows[place].roll_back(at, back_to, |order| orders.row(order).parts[place].writes -= 1);
        self.rows[place].set_count(count);
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
    /// The new count lacks every write after the version that it was computed from.
    fn overwrite(&mut self, at: SimTime, how: Overwritten, based_on: Version) {
        for write in self.writes.iter_mut().rev().take_while(|write| write.version > based_on) {
            write.lost.get_or_insert(Loss { at, how });
        }
    }

    /// Removes the writes after this version. Writes that these had overwritten are in effect again.
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
    /// In the settled log, it had an effect on a row and has none at the end.
    pub(crate) fn is_missing(&self) -> bool {
        self.parts.iter().any(Part::is_missing)
    }

    /// One of its writes was overwritten.
    pub(crate) fn is_overwritten(&self) -> bool {
        self.parts.iter().any(|part| part.overwritten)
    }

    /// Clients took its event up, and none handled it.
    pub(crate) fn is_missed(&self) -> bool {
        self.resolved && !self.acked && !self.done_already && self.parts[0].writes == 0
    }
}

impl Part {
    fn is_missing(&self) -> bool {
        (self.overwritten || self.rolled_back) && !self.in_effect
    }
}
