//! A store of single items with conditional writes: every read and write of an item is atomic, in one order for all
//! clients, and durable before its reply.
//!
//! It stands for DynamoDB's `GetItem` with `ConsistentRead`, and its `PutItem`, `UpdateItem` and `DeleteItem` with a
//! `ConditionExpression` (Amazon DynamoDB Developer Guide, "Read consistency", "Condition expressions"), and for objects
//! of the Kubernetes API with their `resourceVersion` (Kubernetes API conventions, "Concurrency Control and
//! Consistency"). `PutItem` and `UpdateItem` are one here: the locks know all attributes of what they update. Either
//! service is itself replicated; here it is one server, which comes back with all that it acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::disk::{Disk, DiskFate, Syncs};
use fencepost_sim::stream::Stream;
use fencepost_sim::units::Dist;
use fencepost_sim::{Caller, Message, Mono, MonoDeadline, Service, Session};
use serde::Serialize;

use crate::history::ResourceId;
use crate::history::{Cause, Event, GrantId};
use crate::wire::{Env, Wire};

/// What a lock stores.
pub trait Item: Message {
    /// What must be true of the stored item for a write to be applied.
    type Condition: Message;

    /// Whether it is true of what is stored under this version.
    fn meets(stored: Option<&Self>, version: Version, condition: &Self::Condition) -> bool;

    /// The grant that the item stands for: the ground truth, of which the store itself knows nothing.
    fn holder(&self) -> Option<GrantId>;

    /// For how long the holder was promised the lock when this was written.
    fn lease(&self) -> Duration;
}

/// The version of an item: higher with every write, and never used again.
pub type Version = u64;

/// What the store and its clients say to each other.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each variant's text explains its fields")]
pub enum ItemMessage<I: Item> {
    /// What is stored?
    Get {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
    },
    /// Store this, if the condition holds.
    Put {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        condition: I::Condition,
        item: I,
        on_behalf: GrantId,
    },
    /// Delete it, if the condition holds.
    Delete {
        #[serde(skip_serializing_if = "ResourceId::is_first")]
        resource: ResourceId,
        condition: I::Condition,
        on_behalf: GrantId,
    },
    /// This is stored.
    Found { item: Option<I>, version: Version },
    /// It is done.
    Written { version: Version },
    /// The condition does not hold: nothing was changed.
    ConditionFailed,
    /// The service cannot answer now (503): nothing was changed.
    Unavailable,
}

/// The store.
pub struct ItemStore<I: Item> {
    rows: BTreeMap<ResourceId, Disk<Row<I>>>,
    /// What the log of a new item begins as.
    blank: Disk<Row<I>>,
    version: Version,
    routers: Routers,
}

/// What is durable of one item.
#[derive(Clone)]
struct Row<I> {
    item: Option<I>,
    version: Version,
    written: Mono,
}

impl<I: Item> ItemStore<I> {
    /// A store that after a restart answers each connection "unavailable" for up to so long.
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

    fn found(&self, resource: ResourceId) -> ItemMessage<I> {
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

/// Where waiting clients decide that a holder is gone, its Record ends with the next write that names another.
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
            ItemMessage::Get { resource } => self.found(resource),
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

    /// All is on disk. Where the disk is lost the versions go on nevertheless: an object that is made anew is told from
    /// the old one of the same name (Kubernetes: by its `uid`).
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

/// The service's request routers: each connection goes to one of them, and after a restart each takes its own time to
/// find its storage again. Until then it answers "unavailable", although others may be served already.
struct Routers {
    longest: Duration,
    restarting: bool,
    /// When the last of them will have found it.
    until: Option<MonoDeadline>,
    /// When the router of each connection will have.
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
