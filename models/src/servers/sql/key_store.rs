//! The store of Patroni's leader key, as etcd keeps it: one key with a time to live, which one server owns.
//!
//! The store represents a cluster of three: it is durable and answers at once. After a restart it starts the time to
//! live again, as etcd's lessor does.

use std::time::Duration;

use fencepost_sim::disk::DiskFate;
use fencepost_sim::{Caller, NodeId, Service, TimerId};

use super::message::SqlMessage;
use super::replica::PAIR;
use crate::history::Event;
use crate::wire::{Env, Wire};

pub(super) struct KeyStore {
    ttl: Duration,
    owner: Option<u8>,
    /// The newest timeline of an owner: Patroni's key `history`.
    timeline: u32,
    expiry: Option<TimerId>,
}

impl KeyStore {
    pub fn new(ttl: Duration) -> Self {
        KeyStore { ttl, owner: None, timeline: 0, expiry: None }
    }

    /// Renews the key of its owner, or gives a free key to a server that wants it.
    fn renew(&mut self, env: &mut Env<'_, SqlMessage>, server: u8, timeline: u32) {
        let free = self.owner.is_none_or(|owner| owner == server);
        if free && timeline >= self.timeline {
            (self.owner, self.timeline) = (Some(server), timeline);
            self.restart_expiry(env);
        }
    }

    fn restart_expiry(&mut self, env: &mut Env<'_, SqlMessage>) {
        if let Some(timer) = self.expiry.take() {
            env.cancel_timer(timer);
        }
        self.expiry = Some(env.set_timer(self.ttl, 0));
    }
}

impl Service<Wire<SqlMessage>, Event> for KeyStore {
    fn on_start(&mut self, env: &mut Env<'_, SqlMessage>) {
        if self.owner.is_some() {
            self.restart_expiry(env);
        }
    }

    fn on_message(&mut self, _: &mut Env<'_, SqlMessage>, _: Caller, _: Wire<SqlMessage>) {}

    fn on_peer(&mut self, env: &mut Env<'_, SqlMessage>, from: NodeId, message: Wire<SqlMessage>) {
        let Wire::Lock(SqlMessage::RenewKey { server, cycle, wants, timeline }) = message else { return };
        if wants {
            self.renew(env, server, timeline);
        }
        env.send(from, SqlMessage::KeyOwner { owner: self.owner, cycle });
    }

    /// The key expired. Patroni's members watch it.
    fn on_timer(&mut self, env: &mut Env<'_, SqlMessage>, _: u64) {
        (self.owner, self.expiry) = (None, None);
        for name in PAIR {
            env.send(env.find(name), SqlMessage::KeyOwner { owner: None, cycle: 0 });
        }
    }

    fn on_crash(&mut self, _: &mut Env<'_, SqlMessage>, disk: DiskFate) {
        self.expiry = None;
        if disk == DiskFate::Wipe {
            (self.owner, self.timeline) = (None, 0);
        }
    }
}
