//! A store of items with conditional writes: each read and write of an item is atomic, in one order for all clients,
//! and durable before its reply.
//!
//! It models DynamoDB's `GetItem` with `ConsistentRead`, and its `PutItem`, `UpdateItem` and `DeleteItem` with a
//! `ConditionExpression` (Amazon DynamoDB Developer Guide, "Read consistency", "Condition expressions"), and objects of
//! the Kubernetes API with their `resourceVersion` (Kubernetes API conventions, "Concurrency Control and Consistency").
//! `PutItem` and `UpdateItem` are the same here: the locks know all attributes of the items they update. The real
//! services are replicated; here it is one server, which keeps all acknowledged data across a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::stream::Stream;
use fencepost_sim::units::Dist;
use fencepost_sim::{Caller, Message, Mono, MonoDeadline, Service, Session};
use serde::Serialize;

use crate::history::{Cause, Event, GrantId, ResourceId};
use crate::wire::{Env, Wire};

/// The item of a lock.
pub trait Item: Message {
    /// The condition of a write on the stored item.
    type Condition: Message;

    /// Whether the stored item and its version meet the condition.
    fn meets(stored: Option<&Self>, version: Version, condition: &Self::Condition) -> bool;

    /// The grant that the item represents: ground truth, unknown to the store.
    fn holder(&self) -> Option<GrantId>;

    /// The lease that the holder was promised at this write.
    fn lease(&self) -> Duration;
}

/// The version of an item: it increases with every write and never repeats.
pub type Version = u64;

/// A request or a reply of the store.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ItemMessage<I: Item> {
    /// Returns the stored item.
    Get {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
    },
    /// Stores the item if the condition holds.
    Put {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        condition: I::Condition,
        item: I,
        on_behalf: GrantId,
    },
    /// Deletes the item if the condition holds.
    Delete {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        condition: I::Condition,
        on_behalf: GrantId,
    },
    /// The stored item.
    Found { item: Option<I>, version: Version },
    /// The write succeeded.
    Written { version: Version },
    /// The condition does not hold: nothing was changed.
    ConditionFailed,
    /// The service cannot answer now (503): nothing was changed.
    Unavailable,
}

/// The store.
pub struct ItemStore<I: Item> {
    rows: BTreeMap<ResourceId, Disk<Row<I>>>,
    /// The initial log of an item.
    blank: Disk<Row<I>>,
    version: Version,
    routers: Routers,
}

/// The durable state of an item.
#[derive(Clone)]
struct Row<I> {
    item: Option<I>,
    version: Version,
    written: Mono,
}

impl<I: Item> ItemStore<I> {
    /// A store that answers each connection "unavailable" for up to this long after a restart.
    pub fn new(unavailable_after_restart: Duration) -> Self {
        ItemStore {
            rows: BTreeMap::new(),
            blank: Disk::default(),
            version: 0,
            routers: Routers::new(unavailable_after_restart),
        }
    }

    fn row(&self, resource: ResourceId) -> Option<&Row<I>> {
        self.rows.get(&resource)?.records().last()
    }

    fn get_item(&self, resource: ResourceId) -> ItemMessage<I> {
        match self.row(resource) {
            Some(row) => ItemMessage::Found { item: row.item.clone(), version: row.version },
            None => ItemMessage::Found { item: None, version: 0 },
        }
    }

    fn write(
        &mut self,
        env: &mut Env<'_, ItemMessage<I>>,
        resource: ResourceId,
        condition: &I::Condition,
        item: Option<I>,
        on_behalf: GrantId,
    ) -> ItemMessage<I> {
        let stored = self.row(resource);
        let (old, version) = stored.map_or((None, 0), |row| (row.item.as_ref(), row.version));
        if !I::meets(old, version, condition) {
            return ItemMessage::ConditionFailed;
        }
        let before = old.and_then(I::holder);
        note_change(env, before, item.as_ref().and_then(I::holder), on_behalf);
        self.version += 1;
        let row = Row { item, version: self.version, written: env.mono() };
        self.rows.entry(resource).or_insert_with(|| self.blank.clone()).compact(row);
        ItemMessage::Written { version: self.version }
    }
}

/// Notes a change of holder. Waiting clients decide that a holder is dead, so its grant ends with the next write that
/// names another one.
fn note_change<I: Item>(
    env: &mut Env<'_, ItemMessage<I>>,
    before: Option<GrantId>,
    after: Option<GrantId>,
    on_behalf: GrantId,
) {
    if before == after {
        return;
    }
    if let Some(grant) = before {
        let cause = if after.is_none() { Cause::Released(on_behalf) } else { Cause::Expired };
        env.note(Event::Ended { server: env.node(), grant, cause });
    }
    if let Some(grant) = after {
        env.note(Event::Granted { server: env.node(), grant });
    }
}

impl<I: Item> Service<Wire<ItemMessage<I>>, Event> for ItemStore<I> {
    fn on_start(&mut self, env: &mut Env<'_, ItemMessage<I>>) {
        self.routers.start(env);
    }

    fn on_message(&mut self, env: &mut Env<'_, ItemMessage<I>>, from: Caller, message: Wire<ItemMessage<I>>) {
        let Wire::Lock(message) = message else { return };
        if !self.routers.serve(env, from.session()) {
            return env.reply(from, ItemMessage::Unavailable);
        }
        let reply = match message {
            ItemMessage::Get { resource } => self.get_item(resource),
            ItemMessage::Put { resource, condition, item, on_behalf } => {
                self.write(env, resource, &condition, Some(item), on_behalf)
            }
            ItemMessage::Delete { resource, condition, on_behalf } => {
                self.write(env, resource, &condition, None, on_behalf)
            }
            _ => return,
        };
        env.reply(from, reply);
    }

    fn on_disconnect(&mut self, _: &mut Env<'_, ItemMessage<I>>, session: Session) {
        self.routers.searching.remove(&session);
    }

    fn disks(&mut self, each: &mut dyn FnMut(&mut dyn Syncs)) {
        each(&mut self.blank);
        self.rows.values_mut().for_each(|row| each(row));
    }

    /// All data is on disk. Versions continue even if the disk is lost: a new object differs from the old one of the
    /// same name (Kubernetes: by its `uid`).
    fn on_crash(&mut self, env: &mut Env<'_, ItemMessage<I>>, disk: DiskFate) {
        self.routers.crash();
        for rows in self.rows.values_mut() {
            let Some(row) = rows.records().last().cloned() else { continue };
            rows.crash(disk);
            let Some(lost) = row.item.filter(|_| rows.records().is_empty()) else { continue };
            if let Some(grant) = lost.holder() {
                let left = lost.lease().saturating_sub(env.mono() - row.written);
                env.note_after(left, Event::Ended { server: env.node(), grant, cause: Cause::Expired });
            }
        }
    }
}

/// The request routers of the service. Each connection uses one. After a restart each router takes its own time to find
/// the storage, and answers "unavailable" until then, although others may serve already.
struct Routers {
    longest: Duration,
    restarting: bool,
    /// The time at which the last router finds its storage.
    until: Option<MonoDeadline>,
    /// The same for the router of each connection.
    searching: BTreeMap<Session, MonoDeadline>,
    draws: Option<Stream>,
}

impl Routers {
    fn new(longest: Duration) -> Self {
        Routers { longest, restarting: false, until: None, searching: BTreeMap::new(), draws: None }
    }

    fn start<I: Item>(&mut self, env: &mut Env<'_, ItemMessage<I>>) {
        if self.restarting && !self.longest.is_zero() {
            self.until = Some(env.mono_deadline(self.longest));
            self.draws.get_or_insert_with(|| env.stream("routers"));
        }
    }

    fn crash(&mut self) {
        self.restarting = true;
        self.searching.clear();
    }

    fn serve<I: Item>(&mut self, env: &mut Env<'_, ItemMessage<I>>, session: Session) -> bool {
        let (Some(until), Some(draws)) = (self.until, &mut self.draws) else { return true };
        if env.mono_passed(until) {
            self.until = None;
            self.searching.clear();
            return true;
        }
        let left = until.at - env.mono();
        let found = *(self.searching.entry(session))
            .or_insert_with(|| env.mono_deadline(Dist::Uniform(Duration::ZERO, left).draw(draws)));
        env.mono_passed(found)
    }
}
