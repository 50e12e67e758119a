//! Effects on the outside world, such as a job that runs, an email that is sent, or a dose that is given. The store
//! logs each effect and reports whether an event has already had its effect. It cannot undo effects and does not refuse
//! repetitions. A client that reads the log before another client's effect repeats that effect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate};
use fencepost_sim::time::nanos;
use fencepost_sim::{Caller, Message, Service};

use super::message::{ReadReply, StoreMessage, Write};
use crate::history::{Event, GrantId, OrderId, Version};
use crate::wire::{Env, Wire};

/// The definition of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// One order, whose effect must happen once.
    Order,
    /// One interval of this length by the store's wall clock. One effect must happen in it, regardless of the order.
    Interval(Duration),
}

/// The server of a store with effects.
pub(super) struct EffectStore {
    slot: Slot,
    /// The number of logged effects in each slot.
    known: BTreeMap<u64, i64>,
    /// Requests with an id, used to recognize repetitions. A client retries with the same grant.
    seen: BTreeSet<(OrderId, GrantId)>,
    disk: Disk<Effect>,
    /// The actual number of effects in each slot. A crash cannot undo effects, although the disk may lose the log.
    real: BTreeMap<u64, i64>,
    version: Version,
}

/// One effect in the log.
#[derive(Clone, Copy, Debug)]
struct Effect {
    slot: u64,
    id: Option<(OrderId, GrantId)>,
}

impl EffectStore {
    /// Creates a store without effects.
    pub fn new(slot: Slot) -> Self {
        EffectStore {
            slot,
            known: BTreeMap::new(),
            seen: BTreeSet::new(),
            disk: Disk::default(),
            real: BTreeMap::new(),
            version: 0,
        }
    }

    fn slot_of<L: Message>(&self, env: &Env<'_, L>, order: OrderId) -> u64 {
        match self.slot {
            Slot::Order => order.into(),
            Slot::Interval(length) => u64::try_from(env.wall().0).unwrap_or(0) / nanos(length).max(1),
        }
    }

    /// Replies with the number of logged effects of the event.
    fn read<L: Message>(&self, env: &mut Env<'_, L>, grant: GrantId, order: OrderId) -> StoreMessage {
        let count = self.known.get(&self.slot_of(env, order)).copied().unwrap_or(0);
        env.note(Event::ReadAccepted { grant, version: self.version });
        StoreMessage::Row(ReadReply { count, version: self.version })
    }

    /// Executes the effect and notes how often it has happened.
    fn execute<L: Message>(&mut self, env: &mut Env<'_, L>, write: &Write) -> StoreMessage {
        let Write { grant, order, units, with_id, .. } = *write;
        let id = with_id.then_some((order, grant));
        if id.is_some_and(|id| self.seen.contains(&id)) {
            return StoreMessage::Written;
        }
        let effect = Effect { slot: self.slot_of(env, order), id };
        self.disk.write(effect);
        self.disk.sync();
        self.log(effect);
        let real = self.real.entry(effect.slot).or_default();
        *real += 1;
        let (based_on, count) = (self.version, *real);
        self.version += 1;
        env.note(Event::WriteAccepted { grant, order, units, based_on, version: self.version, count });
        StoreMessage::Written
    }

    fn log(&mut self, effect: Effect) {
        *self.known.entry(effect.slot).or_default() += 1;
        self.seen.extend(effect.id);
    }
}

impl<L: Message> Service<Wire<L>, Event> for EffectStore {
    fn on_message(&mut self, env: &mut Env<'_, L>, from: Caller, message: Wire<L>) {
        let reply = match message {
            Wire::Store(StoreMessage::Read { grant, order, .. }) => self.read(env, grant, order),
            Wire::Store(StoreMessage::Write(write)) => self.execute(env, &write),
            _ => return,
        };
        env.reply(from, Wire::Store(reply));
    }

    fn on_crash(&mut self, _: &mut Env<'_, L>, disk: DiskFate) {
        self.disk.crash(disk);
        self.known.clear();
        self.seen.clear();
        for index in 0..self.disk.records().len() {
            self.log(self.disk.records()[index]);
        }
    }
}
