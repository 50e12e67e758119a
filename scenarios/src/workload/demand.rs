//! The demand: how many orders there are, and what each of them wants. It is fixed before the case begins, so that every
//! lock faces the same.

use std::ops::RangeInclusive;
use std::time::Duration;

use fencepost_models::history::OrderId;
use fencepost_sim::Wall;
use fencepost_sim::stream::{Stream, Streams};
use fencepost_sim::time::nanos;
use fencepost_sim::units::Dist;

use crate::file::{Clients, Scenario};
use crate::workload::{Pace, Workload};

/// One order: a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub id: OrderId,
    pub units: u32,
    pub think: Duration,
    pub hold: Duration,
    pub prepare: Duration,
    /// Not before this reading of the client's wall clock, if it is of an event.
    pub not_before: Option<Wall>,
}

/// The orders of one client. What an order wants depends on the seed, the client and how many came before it alone.
pub(crate) struct OrderBook {
    next: OrderId,
    step: OrderId,
    end: OrderId,
    quantity: RangeInclusive<u32>,
    times: [Dist; 3],
    /// The interval between events, each of which is dealt to every client.
    every: Option<Duration>,
    stream: Stream,
}

/// How many different orders there are. An event is one order for all clients, and a unit of work for each of them.
pub(crate) fn total_orders(clients: &Clients, workload: &Workload, run_for: Duration) -> u32 {
    match workload.work.pace {
        Pace::Orders(by_default) => clients.orders.unwrap_or(by_default),
        Pace::UntilTheEnd => clients.orders.unwrap_or(u32::MAX),
        Pace::Every(interval) => {
            let until_the_end = nanos(run_for).div_ceil(nanos(interval).max(1));
            let by_default = || u32::try_from(until_the_end).unwrap_or(u32::MAX);
            clients.orders.map_or_else(by_default, |orders| orders.div_ceil(clients.count.into()))
        }
    }
}

/// How many units of work there are.
pub(crate) fn total_units(clients: &Clients, workload: &Workload, run_for: Duration) -> u32 {
    let orders = total_orders(clients, workload, run_for);
    match workload.work.pace {
        Pace::Every(_) => orders.saturating_mul(clients.count.into()),
        Pace::Orders(_) | Pace::UntilTheEnd => orders,
    }
}

impl OrderBook {
    /// The orders dealt to the client with this index.
    pub fn new(streams: &Streams, scenario: &Scenario, index: u16) -> Self {
        let Scenario { clients, workload, run_for, .. } = scenario;
        let every = if let Pace::Every(interval) = workload.work.pace { Some(interval) } else { None };
        let (first, step) = if every.is_some() { (0, 1) } else { (index.into(), clients.count.into()) };
        OrderBook {
            next: first,
            step,
            end: total_orders(clients, workload, *run_for),
            quantity: workload.work.quantity.clone(),
            times: [clients.think, clients.hold, clients.prepare],
            every,
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
        let event = |every| Wall(i64::try_from(u64::from(id).saturating_mul(nanos(every))).unwrap_or(i64::MAX));
        Some(Order { id, units, think, hold, prepare, not_before: self.every.map(event) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;
    use crate::registry::Registry;

    fn scenario(text: &str) -> Scenario {
        file::scenario(&Registry::standard(), "demand.toml", text).unwrap_or_else(|wrong| panic!("{wrong:#?}"))
    }

    fn dealt(scenario: &Scenario, index: u16) -> impl Iterator<Item = Order> {
        let mut book = OrderBook::new(&Streams::new(5), scenario, index);
        std::iter::from_fn(move || book.next())
    }

    #[test]
    fn every_order_is_dealt_to_exactly_one_client() {
        let scenario = scenario("run_for = '1s'\n[clients]\ncount = 3\n");
        let mut dealt: Vec<OrderId> = (0..3).flat_map(|index| dealt(&scenario, index).map(|order| order.id)).collect();
        dealt.sort_unstable();
        assert_eq!(dealt, (0..150).collect::<Vec<_>>());
    }

    #[test]
    fn the_default_demand_is_half_as_much_again_as_the_stock() {
        let read = scenario("run_for = '1s'\n[workload.inventory]\nstock = 100\nquantity = '1..=3'\n");
        assert_eq!(total_orders(&read.clients, &read.workload, read.run_for), 75);
    }

    #[test]
    fn an_event_is_dealt_to_every_client_at_its_time() {
        let read = scenario("run_for = '5s'\n[clients]\ncount = 2\n[workload.notify]\nevery = '2s'\n");
        assert_eq!(total_units(&read.clients, &read.workload, read.run_for), 6);
        for index in 0..2 {
            let events: Vec<_> = dealt(&read, index).map(|order| (order.id, order.not_before)).collect();
            assert_eq!(events, [0, 1, 2].map(|n| (n, Some(Wall(i64::from(n) * 2_000_000_000)))));
        }
    }

    #[test]
    fn other_work_goes_on_until_the_run_ends() {
        let read = scenario("run_for = '5s'\n[workload.set]\n");
        assert_eq!(dealt(&read, 0).take(1_000).count(), 1_000);
    }
}
