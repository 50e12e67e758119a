//! The store_log of the guarded store: which write made which version of a row, and which writes are still in effect.

use fencepost_models::history::{Event, GrantId, OrderEnd, OrderId, Version};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use crate::check::CaseSpec;
use crate::ledger::Ledger;
use crate::table::Table;
use crate::workload::WorkloadSpec;

/// What the store really did, and what the orders came to. It grows with the orders and with their accepted writes.
pub(crate) struct StoreLog {
    pub(crate) workload: Option<WorkloadSpec>,
    /// The store did something at all.
    pub(crate) in_use: bool,
    rows: [Row; 2],
    orders: Table<OrderId, Order>,
    pub(crate) acked_units: i64,
}

/// A row, as the store has it.
#[derive(Default)]
struct Row {
    count: i64,
    lowest_count: i64,
    /// Accepted writes that were not rolled back, by ascending version.
    writes: Vec<Write>,
    rolled_back: Vec<Write>,
}

/// An order, and what became of it.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) client: Option<NodeId>,
    pub(crate) units: u32,
    pub(crate) acked: bool,
    /// Some client resolved it.
    pub(crate) resolved: bool,
    /// Some client found that another had done it.
    pub(crate) done_already: bool,
    /// Its client does not know how it went.
    pub(crate) unknown: bool,
    /// What it did to each row.
    pub(crate) parts: [Part; 2],
}

/// What became of an order at one row.
#[derive(Default)]
pub(crate) struct Part {
    /// Its accepted writes, less those rolled back.
    pub(crate) writes: u32,
    /// One of its writes was overwritten (known when the store_log is settled).
    pub(crate) overwritten: bool,
    /// One of its writes was rolled back.
    pub(crate) rolled_back: bool,
    /// One of its writes is still in effect (known when the store_log is settled).
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

/// What a write was lost to.
#[derive(Clone, Copy)]
pub(crate) enum Overwritten {
    /// A later write that was based on an earlier version.
    ByWrite { version: Version, grant: GrantId, order: OrderId, based_on: Version },
    /// The store fell back to an earlier version.
    ByRollback { version: Version },
}

impl StoreLog {
    pub(crate) fn new(facts: &CaseSpec) -> Self {
        let count = facts.workload.map_or(0, |workload| workload.initial_count.into());
        let row =
            |orders| Row { count, lowest_count: count, writes: Vec::with_capacity(orders), rolled_back: Vec::new() };
        StoreLog {
            workload: facts.workload,
            in_use: false,
            rows: [row(facts.expected_orders()), row(0)],
            orders: Table::with_capacity(facts.expected_orders()),
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

    /// Finds out which orders are still in effect, now that nothing more happens.
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

    /// Whether there is anything that one client can overwrite of another's. Effects stand for themselves.
    pub(crate) fn has_shared_state(&self) -> bool {
        self.workload.map_or(self.in_use, |workload| !workload.has_effects())
    }

    /// The counts of the rows.
    pub(crate) fn counts(&self) -> [i64; 2] {
        [self.rows[0].count, self.rows[1].count]
    }

    /// The lowest that the first row's count ever was.
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

    /// The writes of the settled store_log that are no longer in effect and have no twin that is, with their order.
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
    /// Every write after the version that this one was computed from is gone from the count.
    fn overwrite(&mut self, at: SimTime, how: Overwritten, based_on: Version) {
        for write in self.writes.iter_mut().rev().take_while(|write| write.version > based_on) {
            write.lost.get_or_insert(Loss { at, how });
        }
    }

    /// Takes out the writes after this version; what they had overwritten is there again.
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
    /// At one row it took effect once, and in the settled store_log it no longer does.
    pub(crate) fn is_missing(&self) -> bool {
        self.parts.iter().any(Part::is_missing)
    }

    /// One of its writes was overwritten.
    pub(crate) fn is_overwritten(&self) -> bool {
        self.parts.iter().any(|part| part.overwritten)
    }

    /// It took up an event that nobody dealt with.
    pub(crate) fn is_missed(&self) -> bool {
        self.resolved && !self.acked && !self.done_already && self.parts[0].writes == 0
    }
}

impl Part {
    fn is_missing(&self) -> bool {
        (self.overwritten || self.rolled_back) && !self.in_effect
    }
}
