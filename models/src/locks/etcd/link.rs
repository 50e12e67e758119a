//! A client's connections to a cluster: clientv3's load balancer and its retries.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::stream::Stream;
use fencepost_sim::{CallError, ConnId, Either, Mono, STALL_LIMIT, Task, race};

use crate::locks::etcd::server::EtcdMessage;
use crate::wire::Ctx;

/// Connections to all members. Requests go to the connected ones in turn: gRPC's `round_robin`, which clientv3 uses
/// since 3.4 (client/v3/client.go).
pub(super) struct Link {
    pub ctx: Ctx<EtcdMessage>,
    members: Vec<Member>,
    next: Cell<usize>,
    keepalive: KeepaliveConfig,
    jitter: RefCell<Stream>,
}

struct Member {
    conn: Cell<ConnId>,
    down: Cell<bool>,
    reconnecting: RefCell<Option<Task>>,
}

/// The configuration of HTTP/2 pings, which detect dead connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeepaliveConfig {
    /// The silence of a connection with pending calls after which it is pinged.
    pub time: Duration,
    /// The time for an answer.
    pub timeout: Duration,
}

/// The deadline of a caller, if any: what Go calls a context.
pub(super) type Until = Option<Mono>;

/// The pause after every other failed attempt of a repeatable request, with a tenth of jitter
/// (`defaultBackoffWaitBetween`, `roundRobinQuorumBackoff`).
const BACKOFF: Duration = Duration::from_millis(25);

/// The maximal number of attempts of a repeatable request (`defaultUnaryMaxRetries`).
const MOST_TRIES: usize = 100;

/// gRPC's connection back-off: 1 s at first, 1.6 times as long each time, at most 120 s, with a fifth of jitter; an
/// attempt to connect takes up to 20 s (grpc, doc/connection-backoff.md).
const RECONNECT: Duration = Duration::from_secs(1);
const RECONNECT_LONGEST: Duration = Duration::from_secs(120);
const CONNECT: Duration = Duration::from_secs(20);

impl Link {
    pub fn new(ctx: Ctx<EtcdMessage>, names: &[String], keepalive: KeepaliveConfig) -> Rc<Self> {
        let member = |name: &String| Member {
            conn: Cell::new(ctx.connect(ctx.find(name))),
            down: Cell::new(false),
            reconnecting: RefCell::new(None),
        };
        let mut jitter = ctx.stream("etcd-client");
        let next = Cell::new(jitter.between(0, names.len() as u64 - 1) as usize);
        Rc::new(Link {
            members: names.iter().map(member).collect(),
            ctx,
            next,
            keepalive,
            jitter: RefCell::new(jitter),
        })
    }

    /// Sends a request once, since it may change something. Only a member that refuses the connection, and so has not
    /// seen it, is skipped (client/v3/retry.go, `isSafeRetryMutableRPC`).
    pub async fn send_once(
        self: &Rc<Self>,
        message: EtcdMessage,
        until: Until,
        mut step: Option<&'static str>,
    ) -> Result<EtcdMessage, CallError> {
        while let Some(member) = self.pick() {
            let call = self.ctx.ask(self.members[member].conn.get(), message.clone(), self.left(until));
            if let Some(step) = step.take() {
                self.ctx.reach_step(step).await;
            }
            match self.wait_for_reply(member, call).await {
                Err(CallError::Refused) => {}
                Ok(EtcdMessage::Unavailable) => return Err(CallError::TimedOut),
                outcome => return outcome,
            }
        }
        Err(CallError::Refused)
    }

    /// Sends a request that may be repeated: a read, or a change of leases (`withRepeatablePolicy`).
    pub async fn repeat(self: &Rc<Self>, message: EtcdMessage, until: Until) -> Result<EtcdMessage, CallError> {
        let quorum = self.members.len() / 2 + 1;
        let mut last = CallError::Refused;
        for attempt in 1..=MOST_TRIES {
            match self.send_once(message.clone(), until, None).await {
                Ok(reply) => return Ok(reply),
                Err(error) => last = error,
            }
            if until.is_some_and(|until| self.ctx.mono() >= until) {
                return Err(CallError::TimedOut);
            }
            if attempt % quorum == 0 {
                self.ctx.sleep(self.jitter(BACKOFF, 100)).await;
            }
        }
        Err(last)
    }

    /// The next of the connected members.
    pub fn pick(&self) -> Option<usize> {
        let n = self.members.len();
        let member = (0..n).map(|i| (self.next.get() + i) % n).find(|member| !self.members[*member].down.get())?;
        self.next.set(member + 1);
        Some(member)
    }

    /// Sends a request on the stream to one member.
    pub async fn stream(
        self: &Rc<Self>,
        member: usize,
        message: EtcdMessage,
        until: Until,
    ) -> Result<EtcdMessage, CallError> {
        let call = self.ctx.ask(self.members[member].conn.get(), message, self.left(until));
        self.wait_for_reply(member, call).await
    }

    /// Waits for a reply and checks the connection meanwhile.
    async fn wait_for_reply(
        self: &Rc<Self>,
        member: usize,
        call: impl Future<Output = Result<EtcdMessage, CallError>>,
    ) -> Result<EtcdMessage, CallError> {
        match race(call, self.silence(member)).await {
            Either::First(Err(error @ (CallError::Refused | CallError::Reset))) => {
                self.reconnect(member);
                Err(error)
            }
            Either::First(outcome) => outcome,
            Either::Second(()) => {
                self.close_connection(member);
                self.reconnect(member);
                Err(CallError::Reset)
            }
        }
    }

    /// Ends if the member does not answer pings.
    async fn silence(&self, member: usize) {
        let KeepaliveConfig { time, timeout } = self.keepalive;
        let mut answers = true;
        while answers {
            self.ctx.sleep(time).await;
            let conn = self.members[member].conn.get();
            answers = !matches!(self.ctx.ask(conn, EtcdMessage::Ping, timeout).await, Err(CallError::TimedOut));
        }
    }

    fn close_connection(&self, member: usize) {
        let conn = &self.members[member].conn;
        conn.set(self.ctx.reopen(conn.get()));
    }

    /// Reconnects, and skips the member until that is done.
    fn reconnect(self: &Rc<Self>, member: usize) {
        if self.members[member].down.replace(true) {
            return;
        }
        let link = self.clone();
        let task = self.ctx.spawn(async move {
            let mut pause = RECONNECT;
            while link.ctx.ask(link.members[member].conn.get(), EtcdMessage::Ping, CONNECT).await.is_err() {
                link.close_connection(member);
                link.ctx.sleep(link.jitter(pause, 200)).await;
                pause = (pause * 8 / 5).min(RECONNECT_LONGEST);
            }
            link.members[member].down.set(false);
        });
        *self.members[member].reconnecting.borrow_mut() = Some(task);
    }

    fn left(&self, until: Until) -> Duration {
        until.map_or(STALL_LIMIT, |until| until - self.ctx.mono())
    }

    /// Varies the duration by up to this many thousandths.
    fn jitter(&self, span: Duration, thousandths: u32) -> Duration {
        let most = (span * thousandths / 1_000).as_nanos() as u64;
        span + Duration::from_nanos(self.jitter.borrow_mut().between(0, 2 * most)) - Duration::from_nanos(most)
    }
}
