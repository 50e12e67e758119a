//! The book of the guarded store: which write made which version, and which writes are still in effect.

use fencepost_models::history::{Event, GrantId, OrderEnd, OrderId, Version};
use fencepost_sim::NodeId;
use fencepost_sim::time::SimTime;

use super::Facts;
use super::table::Table;

/// What the store really did, and what the orders came to. It grows with the orders and with their accepted writes.
pub(super) struct Book {
    pub(super) stock: Option<i64>,
    /// The row's count, as the store has it.
    pub(super) count: i64,
    pub(super) lowest_count: i64,
    /// The store did something at all.
    pub(super) in_use: bool,
    /// Accepted writes that were not rolled back, by ascending version.
    writes: Vec<Write>,
    rolled_back: Vec<Write>,
    orders: Table<OrderId, Order>,
    pub(super) acked_units: i64,
}

/// An order, and what became of it.
#[derive(Default)]
pub(super) struct Order {
    pub(super) client: Option<NodeId>,
    pub(super) units: u32,
    pub(super) acked: bool,
    /// Its accepted writes, less those rolled back.
    pub(super) writes: u32,
    /// One of its writes was overwritten (known when the book is settled).
    pub(super) overwritten: bool,
    /// One of its writes was rolled back.
    pub(super) rolled_back: bool,
    /// One of its writes is still in effect (known when the book is settled).
    pub(super) in_effect: bool,
}

/// An accepted write.
#[derive(Clone, Copy)]
pub(super) struct Write {
    pub(super) version: Version,
    pub(super) at: SimTime,
    pub(super) grant: GrantId,
    pub(super) order: OrderId,
    pub(super) units: u32,
    pub(super) lost: Option<Loss>,
}

/// How a write was lost.
#[derive(Clone, Copy)]
pub(super) struct Loss {
    pub(super) at: SimTime,
    pub(super) how: Loser,
}

/// What a write was lost to.
#[derive(Clone, Copy)]
pub(super) enum Loser {
    /// A later write that was based on an earlier version.
    Overwrite { version: Version, grant: GrantId, order: OrderId, based_on: Version },
    /// The store fell back to an earlier version.
    Rollback { version: Version },
}

impl Book {
    pub(super) fn new(facts: &Facts) -> Self {
        let count = facts.stock.unwrap_or(0);
        Book {
            stock: facts.stock,
            count,
            lowest_count: count,
            in_use: false,
            writes: Vec::with_capacity(facts.expected_orders()),
            rolled_back: Vec::new(),
            orders: Table::with_capacity(facts.expected_orders()),
            acked_units: 0,
        }
    }

    pub(super) fn observe(&mut self, at: SimTime, event: &Event) {
        match *event {
            Event::ReadAccepted { .. } | Event::OperationRefused { .. } => self.in_use = true,
            Event::WriteAccepted { grant, order, units, based_on, version, count } => {
                self.overwrite(at, Loser::Overwrite { version, grant, order, based_on }, based_on);
                self.writes.push(Write { version, at, grant, order, units, lost: None });
                self.orders.row(order).writes += 1;
                self.set_count(count);
            }
            Event::RolledBack { version, count } => {
                self.roll_back(at, version);
                self.set_count(count);
            }
            Event::OrderResolved { client, order, units, end } => self.resolve(client, order, units, end),
            _ => {}
        }
    }

    /// Finds out which orders are still in effect, now that nothing more happens.
    pub(super) fn settle(&mut self) {
        for write in &self.writes {
            let order = self.orders.row(write.order);
            order.in_effect |= write.lost.is_none();
            order.overwritten |= write.lost.is_some();
        }
        for write in &self.rolled_back {
            self.orders.row(write.order).rolled_back = true;
        }
    }

    pub(super) fn order(&self, order: OrderId) -> Option<&Order> {
        self.orders.get(order)
    }

    pub(super) fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// The accepted writes that were not rolled back.
    pub(super) fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// The writes of the settled book that are no longer in effect and have no twin that is, with their order.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&Write, &Order, Loss)> {
        let lost = self.writes.iter().chain(&self.rolled_back);
        lost.filter_map(|write| Some((write, self.orders.get(write.order)?, write.lost?)))
            .filter(|(_, order, _)| order.is_missing())
    }

    /// Every write after the version that this one was computed from is gone from the count.
    fn overwrite(&mut self, at: SimTime, how: Loser, based_on: Version) {
        for write in self.writes.iter_mut().rev().take_while(|write| write.version > based_on) {
            write.lost.get_or_insert(Loss { at, how });
        }
    }

    /// Takes out the writes after this version; what they had overwritten is there again.
    fn roll_back(&mut self, at: SimTime, back_to: Version) {
        let kept = self.writes.partition_point(|write| write.version <= back_to);
        for mut write in self.writes.drain(kept..) {
            self.orders.row(write.order).writes -= 1;
            write.lost.get_or_insert(Loss { at, how: Loser::Rollback { version: back_to } });
            self.rolled_back.push(write);
        }
        for write in &mut self.writes {
            write.lost = write.lost.filter(|loss| match loss.how {
                Loser::Overwrite { version, .. } => version <= back_to,
                Loser::Rollback { .. } => true,
            });
        }
    }

    fn resolve(&mut self, client: NodeId, order: OrderId, units: u32, end: OrderEnd) {
        let row = self.orders.row(order);
        row.client = Some(client);
        row.units = units;
        if end == OrderEnd::Acked && !row.acked {
            row.acked = true;
            self.acked_units += i64::from(units);
        }
    }

    fn set_count(&mut self, count: i64) {
        self.in_use = true;
        self.count = count;
        self.lowest_count = self.lowest_count.min(count);
    }
}

impl Order {
    /// It took effect once, and in the settled book it no longer does.
    pub(super) fn is_missing(&self) -> bool {
        (self.overwritten || self.rolled_back) && !self.in_effect
    }
}
