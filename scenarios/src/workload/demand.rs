//! The demand: how many orders there are, and what each of them asks for. It is fixed before the case begins, so that
//! every lock has the same.

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
    /// Its number among all orders of the case.
    pub id: OrderId,
    /// How many units it asks for.
    pub units: u32,
    /// The time before the acquire.
    pub think: Duration,
    /// The time of the work inside the critical section.
    pub hold: Duration,
    /// The time between the check and the write.
    pub prepare: Duration,
    /// For an event: when it happens, by the client's wall clock.
    pub not_before: Option<Wall>,
}

/// The orders of one client. An order depends only on the seed, the client and the number of orders before it.
pub(crate) struct ClientOrders {
    next: OrderId,
    step: OrderId,
    end: OrderId,
    quantity: RangeInclusive<u32>,
    times: [Dist; 3],
    /// The interval between events, each of which is dealt to every client.
    every: Option<Duration>,
    stream: Stream,
}

impl ClientOrders {
    /// The orders dealt to the client with this index.
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

    /// The next order, until there are no more.
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

    fn dealt(scenario: &Scenario, index: u16) -> impl Iterator<Item = Order> {
        let mut orders = ClientOrders::new(&Streams::new(5), scenario, index);
        std::iter::from_fn(move || orders.next())
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
        assert_eq!(total_orders(&read.clients, pace(&read), read.run_for), 75);
    }

    #[test]
    fn an_event_is_dealt_to_every_client_at_its_time() {
        let read = scenario("run_for = '5s'\n[clients]\ncount = 2\n[workload.notify]\nevery = '2s'\n");
        assert_eq!(total_units(&read.clients, pace(&read), read.run_for), 6);
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
