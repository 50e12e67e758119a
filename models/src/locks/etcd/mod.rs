//! `concurrency.Mutex` on an etcd cluster (client/v3/concurrency/mutex.go). See [`crate::locks::etcd::server`] for the
//! servers.
//!
//! There is one session per client of a resource. When it has ended, or a call finds its lease gone, the next acquire
//! creates a new one, as users must; the old lease expires.

mod info;
mod link;
mod params;
pub mod server;
mod session;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, Mono};

use self::link::Link;
pub use self::params::EtcdParams;
use self::session::Session;
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::guarded::{InStore, ReadReply, STORE_TIMEOUT, StoreAccess, StoreFuture};
use crate::history::{GrantId, ResourceId};
use crate::info::LockInfo;
use crate::lock::Lock;
use crate::lock::POLL;
use crate::locks::etcd::server::{EtcdMessage, Key, Keyspace, LOOP, Member, Revision};
use crate::servers::raft;
use crate::site::Site;
use crate::wire::Ctx;

/// A client with its session and its mutex.
pub struct Etcd {
    params: EtcdParams,
    resource: ResourceId,
    link: Rc<Link>,
    session: Option<Session>,
    mine: Cell<Option<Mine>>,
}

/// The mutex's record of a held lock.
#[derive(Clone, Copy)]
struct Mine {
    grant: GrantId,
    key: Key,
    created: Revision,
}

const NOT_HELD: LockError = LockError::Failed(Reason::NotHeld);

impl Etcd {
    /// Returns the lease of the session, or of a new one if none is alive.
    async fn lease(&mut self, give_up: Mono) -> Result<Key, LockError> {
        if self.session.as_ref().is_none_or(Session::done) {
            self.session = None;
            self.session = Some(Session::open(&self.link, self.params.seconds(), give_up).await?);
        }
        let lease = self.session.as_ref().expect("a session was just opened").lease();
        Ok(Key { resource: self.resource, lease })
    }

    /// `Mutex.Lock`: puts the key, and waits until there is no older one. Returns the key's create revision and the
    /// revision of `Mutex.Header()`: that of the last response (mutex.go, `m.hdr`).
    async fn lock(&mut self, key: Key, attempt: Attempt) -> Result<(Revision, Revision), LockError> {
        let request = EtcdMessage::Lock { key, attempt: attempt.id };
        let reply = self.link.send_once(request, Some(attempt.give_up), Some("acquire-sent")).await?;
        let EtcdMessage::Locked { created, first, revision } = reply else {
            self.session = None;
            return Err(NOT_HELD);
        };
        if created == first {
            return Ok((created, revision));
        }
        let waited = self.wait_deletes(created - 1, attempt.give_up).await;
        let found = match waited {
            Ok(()) if self.params.stale_grant => return Ok((created, revision)),
            Ok(()) => self.find(EtcdMessage::Get { key }, attempt.give_up).await,
            Err(error) => Err(error),
        };
        match found {
            Ok((Some(_), revision)) => Ok((created, revision)),
            Ok((None, _)) => {
                self.session = None;
                Err(NOT_HELD)
            }
            Err(_) => Err(self.withdraw(key, attempt.id).await),
        }
    }

    /// Waits for the deletion of the youngest older key, and repeats (`waitDeletes`). It does not learn of the end of
    /// its own session.
    async fn wait_deletes(&self, most: Revision, give_up: Mono) -> Result<(), CallError> {
        let resource = self.resource;
        while let (Some(key), from) = self.find(EtcdMessage::Before { resource, most }, give_up).await? {
            // A watch with a broken stream continues at the next member, from the same revision (client/v3/watch.go).
            while self.link.repeat(EtcdMessage::Watch { key, from }, Some(give_up)).await.is_err() {
                if self.link.ctx.mono() >= give_up {
                    return Err(CallError::TimedOut);
                }
            }
        }
        Ok(())
    }

    async fn find(&self, range: EtcdMessage, give_up: Mono) -> Result<(Option<Key>, Revision), CallError> {
        match self.link.repeat(range, Some(give_up)).await? {
            EtcdMessage::Found { key, revision } => Ok((key, revision)),
            _ => Err(CallError::TimedOut),
        }
    }

    /// A failed wait ends with `Unlock`, in the context of the client, which has no deadline.
    async fn withdraw(&self, key: Key, attempt: GrantId) -> LockError {
        match self.unlock(key, attempt, None).await {
            Ok(()) => LockError::Failed(Reason::Busy),
            Err(error) => LockError::Unknown(Reason::Call(error)),
        }
    }

    /// Deletes the key. The lease in its name makes it the client's own, but it may belong to a newer attempt by now.
    async fn unlock(&self, key: Key, on_behalf: GrantId, step: Option<&'static str>) -> Result<(), CallError> {
        self.link.send_once(EtcdMessage::Unlock { key, on_behalf }, None, step).await.map(drop)
    }

    /// The lock of this session, as far as the client knows.
    fn held(&self) -> Option<Mine> {
        self.mine.get().filter(|mine| self.session.as_ref().is_some_and(|own| own.lease() == mine.key.lease))
    }

    fn until_store(&self) -> Option<Mono> {
        Some(self.link.ctx.mono() + STORE_TIMEOUT)
    }

    /// A leader that fails late restarts all leases. Nothing bounds the number of failures; the bound assumes one after
    /// the last fault. The followers elect another one (three times, in case of split votes). Its lessor gives each
    /// lease its full time and an election timeout, and searches for expired ones twice a second
    /// (server/lease/lessor.go). A client may be stuck with an unreachable member until its pings fail, and a request
    /// with a member without a leader until the member fails it.
    fn bound(params: &EtcdParams, allowance: &BoundAllowance) -> Duration {
        let raft = params.raft();
        let lease = Duration::from_secs(params.seconds()) + raft.election + 2 * LOOP;
        let keepalive = params.keepalive();
        allowance.stretch_mono(lease + 3 * raft.max_failover_time())
            + allowance.reconnect
            + 2 * (keepalive.time + keepalive.timeout + raft.request_timeout + POLL)
    }
}

impl Lock for Etcd {
    const INFO: LockInfo = info::INFO;
    type Params = EtcdParams;
    type Message = EtcdMessage;

    fn deploy(params: &EtcdParams, site: &mut Site<'_, EtcdMessage>) {
        let settings = params.settings();
        let member = |n| Member::new(settings, n as u64 + 1);
        raft::deploy(site, &params.server_names(), params.raft(), Keyspace::new(site.data().initial_count), member);
    }

    fn connect(params: &EtcdParams, ctx: Ctx<EtcdMessage>, resource: ResourceId) -> Self {
        let link = Link::new(ctx, &params.server_names(), params.keepalive());
        Etcd { params: params.clone(), resource, link, session: None, mine: Cell::new(None) }
    }

    /// A session that holds the lock gets it again, since its key exists: that counts once.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let key = self.lease(attempt.give_up).await?;
        let id = self.held().map_or(attempt.id, |outer| outer.grant);
        let (created, revision) = self.lock(key, Attempt { id, ..attempt }).await?;
        self.mine.set(Some(Mine { grant: id, key, created }));
        if let Some(session) = &self.session {
            session.protect(id);
        }
        Ok(Grant { id, token: Some(revision), valid_until: None })
    }

    /// Whatever the result, the mutex no longer holds the lock.
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let Some(mine) = self.mine.take().filter(|mine| mine.grant == grant.id) else { return Err(NOT_HELD) };
        if let Some(session) = self.session.as_ref().filter(|session| session.lease() == mine.key.lease) {
            session.unprotect();
        }
        Ok(self.unlock(mine.key, grant.id, Some("release-sent")).await?)
    }

    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(self.held().is_some_and(|mine| mine.grant == grant.id) && !self.session.as_ref().is_none_or(Session::done))
    }

    /// The lease runs from the holder's last renewal. Slow rates and stopped machines of the leader lengthen it, clock
    /// steps do not.
    fn takeover_bound(params: &EtcdParams, allowance: &BoundAllowance) -> Duration {
        Self::bound(params, allowance)
    }

    /// The holder or a waiter from before the end of the faults may be dead: as for a crash.
    fn progress_bound(params: &EtcdParams, allowance: &BoundAllowance) -> Duration {
        Self::bound(params, allowance)
    }

    fn in_store(&mut self) -> Option<&mut dyn InStore> {
        Some(self)
    }
}

/// The data under the guard `owner-txn`.
impl InStore for Etcd {
    /// A linearizable read.
    fn read<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess) -> StoreFuture<'a, ReadReply> {
        let request = EtcdMessage::GetRow { grant: grant.id, order: access.order };
        Box::pin(async move {
            match self.link.repeat(request, self.until_store()).await? {
                EtcdMessage::Row(row) => Ok(row),
                _ => Err(NOT_HELD),
            }
        })
    }

    /// A transaction on condition of `Mutex.IsOwner`.
    fn write<'a>(&'a mut self, grant: &'a Grant, access: &'a StoreAccess, read: ReadReply) -> StoreFuture<'a, ()> {
        let write = access.write(grant, read);
        Box::pin(async move {
            let Some(Mine { key, created, .. }) = self.mine.get() else { return Err(NOT_HELD) };
            let request = EtcdMessage::PutRow { key, created, write };
            match self.link.send_once(request, self.until_store(), Some("write-sent")).await? {
                EtcdMessage::Written => Ok(()),
                EtcdMessage::Refused(why) => Err(LockError::Failed(Reason::Refused(why))),
                _ => Err(NOT_HELD),
            }
        })
    }
}
