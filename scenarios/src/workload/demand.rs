//! Demand: the orders of a case, and the units that each order requests. Demand is fixed before the case begins, so it
//! is the same for every lock.

use std::ops::RangeInclusive;
use std::time::Duration;

use fencepost_models::history::OrderId;
use fencepost_sim::Wall;
use fencepost_sim::stream::{Stream, Streams};
use fencepost_sim::time::nanos;
use fencepost_sim::units::Dist;

use crate::file::{Pace, Scenario, total_orders};
use crate::workload::Workload;

/// One order: a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order's number among all orders of the case.
    pub id: OrderId,
    /// The number of units requested.
    pub units: u32,
    /// The delay before the acquire.
    pub think: Duration,
    /// The duration of the work inside the critical section.
    pub hold: Duration,
    /// The delay between the check and the write.
    pub prepare: Duration,
    /// When the order's event is due, by the client's wall clock; `None` if the order has no event.
    pub not_before: Option<Wall>,
}

/// The orders of one client. An order depends only on the seed, the client and the number of orders before it.
pub(crate) struct ClientOrders {
    next: OrderId,
    step: OrderId,
    end: OrderId,
    quantity: RangeInclusive<u32>,
    times: [Dist; 3],
    /// The interval between events, if the workload has events. Every client receives every event.
    every: Option<Duration>,
    stream: Stream,
}

impl ClientOrders {
    /// Creates the orders of the client with this index.
    pub fn new(streams: &Streams, scenario: &Scenario, index: u16) -> Self {
        let Scenario { clients, run_for, .. } = scenario;
        let work = &Workload::of_scenario(scenario).work;
        let every = if let Pace::Every(interval) = work.pace { Some(interval) } else { None };
        let (first, step) = if every.is_some() { (0, 1) } else { (index.into(), clients.count.into()) };
        ClientOrders {
            next: first,
            step,
            end: total_orders(clients, work.pace, *run_for),
            quantity: work.quantity.clone(),
            times: [clients.think, clients.hold, clients.prepare],
            every,
            stream: streams.stream(&format!("orders client-{}", index + 1)),
        }
    }

    /// Returns the next order, or `None` if there are no more.
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
    use crate::file::{self, total_units};
    use crate::registry::Registry;

    fn scenario(text: &str) -> Scenario {
        file::scenario(&Registry::standard(), "demand.toml", text).unwrap_or_else(|wrong| panic!("{wrong:#?}"))
    }

    fn pace(scenario: &Scenario) -> Pace {
        Workload::of_scenario(scenario).work.pace
    }

    fn orders_of(scenario: &Scenario, index: u16) -> impl Iterator<Item = Order> {
        let mut orders = ClientOrders::new(&Streams::new(5), scenario, index);
        std::iter::from_fn(move || orders.next())
    }

    #[test]
    fn every_order_belongs_to_exactly_one_client() {
        let scenario = scenario("run_for = '1s'\n[clients]\ncount = 3\n");
        let mut ids: Vec<OrderId> =
            (0..3).flat_map(|index| orders_of(&scenario, index).map(|order| order.id)).collect();
        ids.sort_unstable();
        assert_eq!(ids, (0..150).collect::<Vec<_>>());
    }

    #[test]
    fn default_demand_is_one_and_a_half_times_the_stock() {
        let read = scenario("run_for = '1s'\n[workload.inventory]\nstock = 100\nquantity = '1..=3'\n");
        assert_eq!(total_orders(&read.clients, pace(&read), read.run_for), 75);
    }

    #[test]
    fn every_client_receives_every_event_at_its_time() {
        let read = scenario("run_for = '5s'\n[clients]\ncount = 2\n[workload.notify]\nevery = '2s'\n");
        assert_eq!(total_units(&read.clients, pace(&read), read.run_for), 6);
        for index in 0..2 {
            let events: Vec<_> = orders_of(&read, index).map(|order| (order.id, order.not_before)).collect();
            assert_eq!(events, [0, 1, 2].map(|n| (n, Some(Wall(i64::from(n) * 2_000_000_000)))));
        }
    }

    #[test]
    fn other_workloads_continue_until_the_run_ends() {
        let read = scenario("run_for = '5s'\n[workload.set]\n");
        assert_eq!(orders_of(&read, 0).take(1_000).count(), 1_000);
    }
}
