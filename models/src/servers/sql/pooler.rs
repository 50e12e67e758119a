//! The connections of the server, and PgBouncer in transaction mode, which shares them among clients.
//!
//! PgBouncer (pgbouncer/pgbouncer 1.25.2, `src/objects.c`): a client gets a server connection for one transaction
//! (`find_server`), by default the one that was used last (`server_round_robin = 0`), and gives it back afterwards
//! (`release_server`). In transaction mode no `server_reset_query` runs, so session state stays on the connection
//! (`doc/config.md`). A connection that idles for `server_idle_timeout`, 600 s by default, is closed. The pooler runs
//! beside the database here.

use std::collections::BTreeMap;
use std::time::Duration;

use fencepost_sim::{Mono, Session};

use super::message::SqlMessage;
use super::{Sql, Timer};
use crate::wire::Env;

/// The default of `server_idle_timeout`.
const SERVER_IDLE_TIMEOUT: Duration = Duration::from_secs(600);

/// A connection of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Backend {
    /// Of one client.
    Own(Session),
    /// Of the pooler.
    Pooled(u32),
}

/// The idle connections of the pooler.
#[derive(Default)]
pub(super) struct Pooler {
    opened: u32,
    /// The idle ones, the last used last.
    idle: Vec<u32>,
    used: BTreeMap<u32, Mono>,
}

impl Pooler {
    pub fn clear(&mut self) {
        self.idle.clear();
        self.used.clear();
    }
}

impl Sql {
    /// The connection for a statement of this session.
    pub(super) fn take_backend(&mut self, session: Session) -> Backend {
        if !self.config.pooled {
            return Backend::Own(session);
        }
        let number = self.pooler.idle.pop().unwrap_or_else(|| {
            self.pooler.opened += 1;
            self.pooler.opened
        });
        Backend::Pooled(number)
    }

    /// Gives a connection back after its transaction.
    pub(super) fn return_backend(&mut self, env: &mut Env<'_, SqlMessage>, backend: Backend) {
        let Backend::Pooled(number) = backend else { return };
        if self.pooler.used.insert(number, env.mono()).is_none() {
            env.set_timer(SERVER_IDLE_TIMEOUT, Timer::Backend(number).tag());
        }
        self.pooler.idle.push(number);
    }

    /// Closes a connection of the pooler that idled for too long.
    pub(super) fn check_backend(&mut self, env: &mut Env<'_, SqlMessage>, number: u32) {
        let Some(&used) = self.pooler.used.get(&number) else { return };
        let idle = env.mono() - used;
        let position = self.pooler.idle.iter().position(|idle| *idle == number);
        match position {
            Some(position) if idle >= SERVER_IDLE_TIMEOUT => {
                self.pooler.idle.remove(position);
                self.pooler.used.remove(&number);
                self.end_backend(env, Backend::Pooled(number));
            }
            _ => {
                let left = SERVER_IDLE_TIMEOUT.saturating_sub(idle).max(Duration::from_secs(1));
                env.set_timer(left, Timer::Backend(number).tag());
            }
        }
    }
}
