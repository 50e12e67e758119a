//! The agent on the client's machine, which forwards requests to the servers (agent/consul/client.go, `Client.RPC`). In
//! reality it is a separate process; here it is part of the client's.

use std::cell::RefCell;
use std::pin::pin;
use std::time::Duration;

use fencepost_sim::stream::Stream;
use fencepost_sim::{CallError, ConnId, Either, race};

use crate::grant::{LockError, Reason};
use crate::locks::consul::server::{ConsulMessage, HOLD, Reply, Request};
use crate::wire::Ctx;

/// The interval of yamux's liveness checks and the time for an answer (hashicorp/yamux, `DefaultConfig`:
/// KeepAliveInterval, ConnectionWriteTimeout).
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximal time to detect a dead connection.
pub(super) const DETECTION: Duration = KEEP_ALIVE.saturating_add(KEEP_ALIVE_TIMEOUT);

/// The timeout of an answer: a query without its own time blocks longest, five minutes and a sixteenth.
const LONGEST: Duration = Duration::from_secs(600);

pub(super) struct Agent {
    ctx: Ctx<ConsulMessage>,
    /// The first one is in use; a failed one moves to the end (agent/router/manager.go, `NotifyFailedServer`).
    servers: RefCell<Vec<Link>>,
    stream: RefCell<Stream>,
}

/// The connection to a server.
#[derive(Clone, Copy)]
struct Link {
    place: usize,
    conn: ConnId,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RpcError {
    /// The request certainly did not take effect.
    Failed,
    /// The request may have taken effect, or may still.
    Unknown,
}

impl From<RpcError> for LockError {
    fn from(error: RpcError) -> Self {
        match error {
            RpcError::Failed => LockError::Failed(Reason::Call(CallError::Refused)),
            RpcError::Unknown => LockError::Unknown(Reason::Call(CallError::Reset)),
        }
    }
}

/// The result of one attempt.
enum Try {
    Answered(Reply),
    NotSent,
    Broken,
}

impl Agent {
    /// An agent with these servers, in its own order.
    pub fn new(ctx: Ctx<ConsulMessage>, servers: &[String]) -> Self {
        let mut stream = ctx.stream("agent");
        let link = |(place, name): (usize, &String)| Link { place, conn: ctx.connect(ctx.find(name)) };
        let mut servers: Vec<Link> = servers.iter().enumerate().map(link).collect();
        stream.shuffle(&mut servers);
        Agent { ctx, servers: RefCell::new(servers), stream: RefCell::new(stream) }
    }

    /// Asks a server, and another one where that is safe: if there was no leader, or if a read lost its connection
    /// (client.go, `canRetry`). Reaches the step once the request is sent.
    pub async fn rpc(&self, request: Request, mut step: Option<&'static str>) -> Result<Reply, RpcError> {
        let first_try = self.ctx.mono();
        loop {
            let Link { place, conn } = self.servers.borrow()[0];
            let error = match self.try_once(conn, request.clone(), &mut step).await {
                Try::Answered(Reply::NoLeader) => None,
                Try::Broken if request.is_read() => None,
                Try::Answered(Reply::Invalid) | Try::NotSent => Some(RpcError::Failed),
                Try::Answered(Reply::Lost) | Try::Broken => Some(RpcError::Unknown),
                Try::Answered(reply) => return Ok(reply),
            };
            self.avoid(place);
            if let Some(error) = error {
                return Err(error);
            }
            if self.ctx.mono() - first_try >= HOLD {
                return Err(RpcError::Failed);
            }
            let jitter = self.stream.borrow_mut().between(0, HOLD.as_nanos() as u64 / 16);
            self.ctx.sleep(Duration::from_nanos(jitter)).await;
        }
    }

    async fn try_once(&self, conn: ConnId, request: Request, step: &mut Option<&'static str>) -> Try {
        if !self.ctx.seems_open(conn) && self.ping(conn).await.is_err() {
            self.renew(conn);
            return Try::NotSent;
        }
        let mut reply = pin!(self.ctx.ask(conn, ConsulMessage::Request(request), LONGEST));
        if let Some(step) = step.take() {
            self.ctx.reach_step(step).await;
        }
        loop {
            match race(reply.as_mut(), self.ctx.sleep(KEEP_ALIVE)).await {
                Either::First(Ok(ConsulMessage::Reply(reply))) => return Try::Answered(reply),
                Either::First(_) => return Try::Broken,
                Either::Second(()) if !self.knows(conn) => return Try::Broken,
                Either::Second(()) if self.ping(conn).await.is_err() => {
                    self.renew(conn);
                    return Try::Broken;
                }
                Either::Second(()) => {}
            }
        }
    }

    async fn ping(&self, conn: ConnId) -> Result<ConsulMessage, CallError> {
        self.ctx.ask(conn, ConsulMessage::Request(Request::Ping), KEEP_ALIVE_TIMEOUT).await
    }

    /// Whether the connection is still the current one to its server.
    fn knows(&self, conn: ConnId) -> bool {
        self.servers.borrow().iter().any(|link| link.conn == conn)
    }

    /// Replaces a dead connection.
    fn renew(&self, dead: ConnId) {
        let mut servers = self.servers.borrow_mut();
        if let Some(link) = servers.iter_mut().find(|link| link.conn == dead) {
            link.conn = self.ctx.reopen(dead);
        }
    }

    /// Moves a failed server to the end, if it is still the first.
    fn avoid(&self, failed: usize) {
        let mut servers = self.servers.borrow_mut();
        if servers[0].place == failed {
            servers.rotate_left(1);
        }
    }
}
