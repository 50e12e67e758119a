//! A client's connection to the database, whose primary may move.
//!
//! With several hosts the client does what libpq does with `target_session_attrs=read-write` (PostgreSQL 17, libpq,
//! Specifying Multiple Hosts): it tries them in order until one accepts the connection and takes writes. It does so
//! only when it needs a connection; an open one is used until it breaks.

use std::future::Future;
use std::time::Duration;

use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{CallError, ConnId, Mono, NodeId, PEER_TIMEOUT, STALL_LIMIT};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::message::SqlMessage;
use super::patroni::election_bound;
use super::replica::{MONITOR_INTERVAL, PAIR, Standby, StandbyMode};
use crate::wire::Ctx;

/// The time after which a client tries the next host: `connectTimeout` of the PostgreSQL JDBC driver, 10 s by default
/// (pgjdbc, Connection parameters).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client abandons a statement this long after the database should have done so itself.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// HikariCP returns a connection without a test if it was used within this time (`aliveBypassWindowMs`).
const ALIVE_BYPASS: Duration = Duration::from_millis(500);

/// The timeout of HikariCP's test (`validationTimeout`), 5 s by default.
pub(crate) const VALIDATION_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest wait of HikariCP's `getConnection` (`connectionTimeout`), 30 s by default.
pub(crate) const POOL_TIMEOUT: Duration = Duration::from_secs(30);

/// The first and the longest delay before HikariCP tries to connect again (HikariPool.java, `PoolEntryCreator`).
const POOL_BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

/// The pool between the program and the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The program keeps its connection. If the server closed it, the next statement fails.
    #[default]
    None,
    /// HikariCP, which tests a connection that idled for more than 500 ms, and replaces a broken one.
    Hikari,
    /// PgBouncer in transaction mode: each transaction may use another connection to the server.
    PgbouncerTransaction,
}

/// One client's connection.
pub struct Database {
    ctx: Ctx<SqlMessage>,
    hosts: Vec<Host>,
    /// The index of the current host.
    at: usize,
    /// Whether the current host confirmed that it takes writes.
    checked: bool,
    timeout: Duration,
    pool: Pool,
    /// The time of the last reply.
    used: Option<Mono>,
}

struct Host {
    node: NodeId,
    conn: ConnId,
}

impl Database {
    /// A connection that opens on demand. Drivers have no timeout for statements by default (`socketTimeout = 0` of MySQL
    /// Connector/J and of pgjdbc). For zero, only the stream's own limit applies.
    pub fn new(ctx: Ctx<SqlMessage>, standby: StandbyMode, socket_timeout: Duration, pool: Pool) -> Self {
        let nodes = PAIR.iter().take(1 + usize::from(standby.exists())).map(|name| ctx.find(name));
        let hosts = nodes.map(|node| Host { node, conn: ctx.connect(node) }).collect();
        let timeout = Some(socket_timeout).filter(|timeout| !timeout.is_zero()).unwrap_or(STALL_LIMIT);
        Database { ctx, hosts, at: 0, checked: false, timeout, pool, used: None }
    }

    /// Whether the connection is open, as far as this side knows.
    pub fn seems_open(&self) -> bool {
        self.ctx.seems_open(self.hosts[self.at].conn)
    }

    /// The current server.
    pub fn server(&self) -> NodeId {
        self.hosts[self.at].node
    }

    /// Sends a statement and returns a future of its reply.
    pub fn ask(
        &self,
        statement: SqlMessage,
        within: Duration,
    ) -> impl Future<Output = Result<SqlMessage, CallError>> + use<> {
        self.ctx.ask(self.hosts[self.at].conn, statement, within)
    }

    /// Executes a statement, reaching the step once it is sent.
    ///
    /// # Errors
    /// If the statement was not executed, or it is unknown whether it was.
    pub async fn run(&mut self, statement: SqlMessage, step: Option<&'static str>) -> Result<SqlMessage, CallError> {
        let deadline = self.ctx.mono() + self.timeout;
        self.run_until(statement, step, deadline).await
    }

    /// The same, but the client waits at most until `give_up`.
    ///
    /// # Errors
    /// If the statement was not executed, or it is unknown whether it was.
    pub async fn run_until(
        &mut self,
        statement: SqlMessage,
        step: Option<&'static str>,
        give_up: Mono,
    ) -> Result<SqlMessage, CallError> {
        let within = self.timeout.min(give_up - self.ctx.mono());
        let reply = self.ask(statement, within);
        if let Some(step) = step {
            self.ctx.reach_step(step).await;
        }
        let reply = reply.await;
        self.check_reply(reply)
    }

    /// Closes the connection if the reply makes it useless: a driver closes one whose statement timed out.
    ///
    /// # Errors
    /// The error of the reply; a standby has certainly not executed the statement.
    pub fn check_reply(&mut self, reply: Result<SqlMessage, CallError>) -> Result<SqlMessage, CallError> {
        match reply {
            Ok(SqlMessage::ReadOnly) => {
                self.close();
                Err(CallError::Refused)
            }
            Err(CallError::TimedOut) => {
                self.close();
                Err(CallError::TimedOut)
            }
            Ok(reply) => {
                self.used = Some(self.ctx.mono());
                Ok(reply)
            }
            Err(broken) => {
                // The pool evicts a connection whose statement failed.
                self.used = None;
                Err(broken)
            }
        }
    }

    /// Closes the connection. The next statement opens a new one.
    pub fn close(&mut self) {
        let host = &mut self.hosts[self.at];
        host.conn = self.ctx.reopen(host.conn);
        (self.checked, self.used) = (false, None);
    }

    /// Returns once the current connection is broken, as far as this side knows.
    pub fn broken(&self) -> impl Future<Output = ()> + use<> {
        let (ctx, conn) = (self.ctx.clone(), self.hosts[self.at].conn);
        async move { while ctx.next(conn).await.is_ok() {} }
    }

    /// `Connection.isValid`: an empty query (pgjdbc 42.7, PgConnection.java), or a ping (MySQL Connector/J).
    pub async fn is_valid(&mut self, within: Duration) -> bool {
        matches!(self.ask(SqlMessage::IsValid, within).await, Ok(SqlMessage::Done))
    }

    /// Gets a connection for a transaction or a session lock: from the pool, if there is one, and to the primary.
    ///
    /// # Errors
    /// If there is none in time.
    pub async fn ready(&mut self, give_up: Mono) -> Result<(), CallError> {
        match self.pool {
            Pool::Hikari => self.borrow(give_up.min(self.ctx.mono() + POOL_TIMEOUT)).await,
            Pool::None | Pool::PgbouncerTransaction => self.find_primary(give_up).await,
        }
    }

    /// HikariCP's `getConnection` (HikariPool.java).
    async fn borrow(&mut self, give_up: Mono) -> Result<(), CallError> {
        if self.used.is_some_and(|used| self.ctx.mono() - used <= ALIVE_BYPASS) {
            return Ok(());
        }
        let mut known = self.used.is_some();
        let (mut delay, longest) = POOL_BACKOFF;
        loop {
            let within = VALIDATION_TIMEOUT.min(give_up - self.ctx.mono());
            if self.is_valid(within).await && self.find_primary(give_up).await.is_ok() {
                break;
            }
            self.close();
            if self.ctx.mono() + delay >= give_up {
                return Err(CallError::Refused);
            }
            // The pool replaces a dead connection at once. If it cannot connect, it waits.
            if !std::mem::take(&mut known) {
                self.ctx.sleep(delay).await;
                delay = longest.min(2 * delay);
            }
        }
        self.used = Some(self.ctx.mono());
        Ok(())
    }

    /// Finds the primary, if there are several hosts and no open connection to it.
    async fn find_primary(&mut self, give_up: Mono) -> Result<(), CallError> {
        if self.hosts.len() == 1 || (self.checked && self.seems_open()) {
            return Ok(());
        }
        for at in 0..self.hosts.len() {
            self.at = at;
            if self.takes_writes(give_up).await {
                self.checked = true;
                return Ok(());
            }
        }
        Err(CallError::Refused)
    }

    async fn takes_writes(&mut self, give_up: Mono) -> bool {
        // Only the first request reveals a broken connection.
        for _ in 0..2 {
            let within = CONNECT_TIMEOUT.min(give_up - self.ctx.mono());
            match self.ask(SqlMessage::ShowReadOnly, within).await {
                Ok(SqlMessage::Writable) => return true,
                Err(CallError::Refused) => {}
                _ => break,
            }
        }
        self.close();
        false
    }
}

/// The maximal time from the last fault until every client has found the new primary.
pub(crate) fn failover_bound(standby: Option<Standby>, allowance: &BoundAllowance) -> Duration {
    let Some(Standby { mode, failover_after, .. }) = standby else { return Duration::ZERO };
    let decided = match mode {
        StandbyMode::Patroni => election_bound(failover_after),
        _ => failover_after + 2 * MONITOR_INTERVAL,
    };
    let promoted = allowance.stretch_mono(decided) + PEER_TIMEOUT + allowance.reconnect;
    promoted + 2 * PAIR.len() as u32 * CONNECT_TIMEOUT
}
