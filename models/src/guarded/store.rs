//! The guarded store as a separate node. Each row has a count: units in stock, records in a file, or a balance.
//!
//! Case 1 (`update = "target"`): the client reads the count, subtracts, and writes the target count back. Case 2
//! (`update = "decrement"`): the client reads the count, and the database subtracts.

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::{Caller, Message, Service};

use super::effects::{EffectStore, Slot};
use super::fence::FenceBugs;
use super::message::{Guard, StoreMessage, Write};
use super::row::{Change, Row};
use crate::history::{Event, GrantId, OrderId, ResourceId, Token};
use crate::wire::{Env, Wire};

/// The content of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// Rows, which clients read and write back.
    #[default]
    Rows,
    /// A log of effects, each of which must happen once.
    Effects(Slot),
}

/// The initial content of the store and its guard.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoreConfig {
    /// The kind of content. The fields below apply only to rows.
    pub kind: StoreKind,
    /// The initial count of every row: units in stock, records, or a balance.
    pub initial_count: u32,
    /// The guard of every row.
    pub guard: Guard,
    /// The enabled bugs of the fence.
    pub fence: FenceBugs,
    /// The number of rows. Each row is guarded by the lock on the resource with the same number.
    pub rows: u8,
}

/// Creates the server of a store that is a separate node.
pub fn store_server<L: Message>(config: StoreConfig) -> Box<dyn Service<Wire<L>, Event>> {
    match config.kind {
        StoreKind::Rows => Box::new(RowStore::new(config)),
        StoreKind::Effects(slot) => Box::new(EffectStore::new(slot)),
    }
}

/// The server of a store with rows.
struct RowStore {
    config: StoreConfig,
    rows: Vec<Row>,
    disk: Disk<(ResourceId, Change)>,
}

impl RowStore {
    /// Creates a store whose rows have their initial count.
    pub fn new(config: StoreConfig) -> Self {
        RowStore { rows: Self::initial_rows(&config), config, disk: Disk::default() }
    }

    fn initial_rows(config: &StoreConfig) -> Vec<Row> {
        let row = || Row::new(config.initial_count.into()).with_strict_fence(config.fence.refuses_equal);
        (0..config.rows).map(|_| row()).collect()
    }

    fn row(&self, row: ResourceId) -> &Row {
        &self.rows[usize::from(row.0)]
    }

    /// Makes a change durable and applies it, before any reply is sent.
    fn commit(&mut self, row: ResourceId, change: Change) {
        if !(self.config.fence.not_durable && matches!(change, Change::SawToken(_))) {
            self.disk.write((row, change));
            self.disk.sync();
        }
        self.rows[usize::from(row.0)].apply(change);
    }

    fn read<L: Message>(
        &mut self,
        env: &mut Env<'_, L>,
        grant: GrantId,
        order: OrderId,
        token: Option<Token>,
        row: ResourceId,
    ) -> StoreMessage {
        match self.row(row).read(self.config.guard, grant, token) {
            Ok(change) => {
                change.into_iter().for_each(|change| self.commit(row, change));
                env.note(Event::ReadAccepted { grant, version: self.row(row).version });
                StoreMessage::Row(self.row(row).reply())
            }
            Err(why) => {
                env.note(Event::OperationRefused { grant, order, why });
                StoreMessage::Refused(why)
            }
        }
    }

    fn write<L: Message>(&mut self, env: &mut Env<'_, L>, write: &Write) -> StoreMessage {
        if self.row(write.row).knows(write) {
            return StoreMessage::Written;
        }
        let Write { grant, order, units, .. } = *write;
        match self.row(write.row).write(self.config.guard, write) {
            Ok((accepted, changes)) => {
                changes.into_iter().flatten().for_each(|change| self.commit(write.row, change));
                let (based_on, version, count) = (accepted.based_on, accepted.version, accepted.count);
                env.note(Event::WriteAccepted { grant, order, units, based_on, version, count });
                StoreMessage::Written
            }
            Err(why) => {
                env.note(Event::OperationRefused { grant, order, why });
                StoreMessage::Refused(why)
            }
        }
    }
}

impl<L: Message> Service<Wire<L>, Event> for RowStore {
    fn on_message(&mut self, env: &mut Env<'_, L>, from: Caller, message: Wire<L>) {
        let reply = match message {
            Wire::Store(StoreMessage::Read { grant, order, token, row }) => self.read(env, grant, order, token, row),
            Wire::Store(StoreMessage::Write(write)) => self.write(env, &write),
            _ => return,
        };
        env.reply(from, Wire::Store(reply));
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        each(&mut self.disk);
    }

    fn on_crash(&mut self, env: &mut Env<'_, L>, disk: DiskFate) {
        self.disk.crash(disk);
        let before = std::mem::replace(&mut self.rows, Self::initial_rows(&self.config));
        for (row, change) in self.disk.records() {
            self.rows[usize::from(row.0)].apply(*change);
        }
        for (number, (row, before)) in (0..).zip(self.rows.iter().zip(&before)) {
            let Row { version, count, .. } = *row;
            if version < before.version {
                env.note(match number {
                    0 => Event::RolledBack { version, count },
                    _ => Event::OtherRowRolledBack { resource: ResourceId(number), version, count },
                });
            }
        }
    }
}
