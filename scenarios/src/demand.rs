//! The demand: how many orders there are, and what each of them wants. It is fixed before the case begins, so that every
//! lock faces the same.

use std::ops::RangeInclusive;
use std::time::Duration;

use fencepost_models::history::OrderId;
use fencepost_sim::stream::{Stream, Streams};
use fencepost_sim::units::Dist;

use crate::file::{Clients, Inventory};

/// One order: a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub id: OrderId,
    pub units: u32,
    pub think: Duration,
    pub hold: Duration,
    pub prepare: Duration,
}

/// The orders of one client. What an order wants depends on the seed, the client and how many came before it alone.
pub(crate) struct OrderBook {
    next: OrderId,
    step: OrderId,
    end: OrderId,
    quantity: RangeInclusive<u32>,
    times: [Dist; 3],
    stream: Stream,
}

/// How many orders there are in all: half as many units again as there are in stock, unless the scenario says.
pub(crate) fn total_orders(clients: &Clients, inventory: &Inventory) -> u32 {
    let (low, high) = (*inventory.quantity.start(), *inventory.quantity.end());
    let by_default = || (u64::from(inventory.stock) * 3).div_ceil(u64::from(low) + u64::from(high)) as u32;
    clients.orders.unwrap_or_else(by_default)
}

impl OrderBook {
    /// The orders dealt to the client with this index.
    pub fn new(streams: &Streams, clients: &Clients, inventory: &Inventory, index: u16) -> Self {
        OrderBook {
            next: index.into(),
            step: clients.count.into(),
            end: total_orders(clients, inventory),
            quantity: inventory.quantity.clone(),
            times: [clients.think, clients.hold, clients.prepare],
            stream: streams.stream(&format!("orders client-{}", index + 1)),
        }
    }

    /// The next order, until the demand is used up.
    pub fn next(&mut self) -> Option<Order> {
        if self.next >= self.end {
            return None;
        }
        let id = self.next;
        self.next = id.saturating_add(self.step);
        let (low, high) = (*self.quantity.start(), *self.quantity.end());
        let units = self.stream.between(low.into(), high.into()) as u32;
        let [think, hold, prepare] = self.times.map(|time| time.draw(&mut self.stream));
        Some(Order { id, units, think, hold, prepare })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_dealt_to_exactly_one_client() {
        let (clients, inventory) = (Clients { count: 3, ..Clients::default() }, Inventory::default());
        let streams = Streams::new(5);
        let mut dealt: Vec<OrderId> = (0..3)
            .flat_map(|index| {
                let mut book = OrderBook::new(&streams, &clients, &inventory, index);
                std::iter::from_fn(move || book.next().map(|order| order.id))
            })
            .collect();
        dealt.sort_unstable();
        assert_eq!(dealt, (0..150).collect::<Vec<_>>());
    }

    #[test]
    fn the_default_demand_is_half_as_much_again_as_the_stock() {
        let inventory = Inventory { stock: 100, quantity: 1..=3, ..Inventory::default() };
        assert_eq!(total_orders(&Clients::default(), &inventory), 75);
    }
}
