//! The connection to the ensemble: ZooKeeper's client (ClientCnxn.java) and Curator's view of it (ConnectionState.java,
//! ConnectionStateManager.java).

use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::units::Dist;
use fencepost_sim::{CallError, ConnId, Either, Mono, race};

use super::state::{Board, Chore, State};
use super::{StopOn, ZookeeperParams};
use crate::history::{GrantId, Refusal};
use crate::locks::zookeeper::server::{Reply, SessionId, ZkMessage};
use crate::wire::Ctx;

/// The handle of a client on the ensemble.
pub(super) struct Handle {
    pub ctx: Ctx<ZkMessage>,
    params: ZookeeperParams,
    pub state: Board,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ZkError {
    /// The connection broke, or there was none: the operation may have taken effect.
    Loss { sent: bool },
    /// The session has expired, or moved: the operation took no effect.
    Session,
    /// There is no such node.
    NoNode,
    /// The condition of the write did not hold.
    Refused(Refusal),
}

/// "uniform [0, 1000) ms" before each connection but the first (ClientCnxn.java, `startConnect`).
const RECONNECT: Dist = Dist::Uniform(Duration::ZERO, Duration::from_millis(1_000));

/// `MAX_SEND_PING_INTERVAL` (ClientCnxn.java).
const MAX_SEND_PING_INTERVAL: Duration = Duration::from_secs(10);

impl Handle {
    pub fn new(ctx: Ctx<ZkMessage>, params: ZookeeperParams) -> Rc<Self> {
        let state = Board::new(ctx.mono(), params.session_timeout.0);
        Rc::new(Handle { ctx, params, state })
    }

    /// The current session, if any.
    pub fn session(&self) -> Option<SessionId> {
        self.state.borrow().session
    }

    pub fn events(&self) -> u64 {
        self.state.borrow().events
    }

    /// Sets the grant under which the user works.
    pub fn hold(&self, grant: Option<GrantId>) {
        self.state.borrow_mut().holding = grant.map(|grant| (grant, false));
    }

    /// Whether the user works under this grant and was not told to stop.
    pub fn holds(&self, grant: GrantId) -> bool {
        self.state.borrow().holding == Some((grant, false))
    }

    pub fn add_chore(&self, chore: Chore) {
        self.state.change(|state| state.chores.push_back(chore));
    }

    pub fn first_chore(&self) -> Option<Chore> {
        self.state.borrow().chores.front().copied()
    }

    pub fn finish_chore(&self) {
        self.state.borrow_mut().chores.pop_front();
    }

    /// Sends a request and waits for the reply as long as the connection lasts.
    pub async fn request(&self, message: ZkMessage, step: Option<&'static str>) -> Result<Reply, ZkError> {
        let Some((conn, epoch, within)) = self.live_connection() else { return Err(ZkError::Loss { sent: false }) };
        let reply = self.ctx.ask(conn, message, within);
        if let Some(step) = step {
            self.ctx.reach_step(step).await;
        }
        let reply = race(reply, self.state.wait_until(|state| state.epoch != epoch)).await;
        let (zxid, reply) = match reply {
            Either::First(Ok(ZkMessage::Reply { zxid, reply })) => (zxid, reply),
            Either::First(Err(CallError::Refused)) => return Err(ZkError::Loss { sent: false }),
            _ => return Err(ZkError::Loss { sent: true }),
        };
        self.on_message(zxid);
        match reply {
            Reply::Expired | Reply::Moved => Err(ZkError::Session),
            Reply::NoNode => Err(ZkError::NoNode),
            Reply::Refused(why) => Err(ZkError::Refused(why)),
            reply => Ok(reply),
        }
    }

    /// The connection, and the silence after which it fails. Requests have no timeout, but if single messages are lost,
    /// which ZooKeeper does not know, the wait must end.
    fn live_connection(&self) -> Option<(ConnId, u64, Duration)> {
        let state = &mut *self.state.borrow_mut();
        let conn = state.connected?;
        state.sent = self.ctx.mono();
        Some((conn, state.epoch, silence(state.timeout)))
    }

    fn on_message(&self, zxid: u64) {
        let state = &mut *self.state.borrow_mut();
        state.heard = self.ctx.mono();
        state.seen = state.seen.max(zxid);
    }

    /// Connects, keeps the connection alive, and reconnects, as long as the process lives: `SendThread.run`.
    pub async fn run(self: Rc<Self>) {
        let mut delays = self.ctx.stream("zookeeper reconnects");
        let mut conns: Vec<ConnId> =
            (super::names(&self.params).iter()).map(|name| self.ctx.connect(self.ctx.find(name))).collect();
        // StaticHostProvider.java shuffles the list.
        self.ctx.stream("zookeeper servers").shuffle(&mut conns);
        for turn in (0..conns.len()).cycle() {
            let given_up = self.state.borrow().given_up;
            if self.establish(conns[turn]).await {
                self.serve(conns[turn]).await;
                self.disconnect();
            }
            conns[turn] = self.ctx.reopen(conns[turn]);
            if self.state.borrow().given_up == given_up {
                self.ctx.sleep(RECONNECT.draw(&mut delays)).await;
            }
        }
    }

    /// Opens a session, or resumes the current one.
    async fn establish(&self, conn: ConnId) -> bool {
        let (connect, within, given_up) = {
            let State { session, seen, timeout, given_up, .. } = *self.state.borrow();
            let wanted = self.params.session_timeout.0;
            let connect = ZkMessage::Connect { session, timeout: wanted, seen };
            (connect, timeout / u32::from(self.params.servers), given_up)
        };
        let reply = self.ctx.ask(conn, connect, within);
        match race(reply, self.state.wait_until(|state| state.given_up != given_up)).await {
            Either::First(Ok(ZkMessage::Reply { zxid, reply: Reply::Session { id, timeout } })) => {
                self.connect(conn, id, timeout);
                self.on_message(zxid);
                true
            }
            Either::First(Ok(ZkMessage::Reply { reply: Reply::Expired, .. })) => {
                self.give_up_session();
                false
            }
            _ => false,
        }
    }

    fn connect(&self, conn: ConnId, session: SessionId, timeout: Duration) {
        let now = self.ctx.mono();
        self.state.change(|state| {
            (state.connected, state.session, state.timeout) = (Some(conn), Some(session), timeout);
            (state.sent, state.heard, state.suspended) = (now, now, None);
            state.epoch += 1;
            state.events += 1;
        });
    }

    /// Serves until the connection breaks, is silent for two thirds of the session's timeout, or the session is
    /// abandoned.
    async fn serve(&self, conn: ConnId) {
        loop {
            let (silent, ping) = self.due();
            match race(self.ctx.next(conn), self.ctx.sleep_until(silent.min(ping))).await {
                Either::First(Ok(message)) => {
                    self.on_message(0);
                    if let ZkMessage::Deleted { .. } = message {
                        self.state.change(|state| state.events += 1);
                    }
                }
                Either::First(Err(_)) => return,
                Either::Second(()) => {
                    let (silent, ping) = self.due();
                    let now = self.ctx.mono();
                    if now >= silent {
                        return;
                    }
                    if now >= ping {
                        self.state.borrow_mut().sent = now;
                        drop(self.ctx.ask(conn, ZkMessage::Ping, Duration::ZERO));
                    }
                }
            }
        }
    }

    /// The times at which the connection counts as dead and a ping is due.
    fn due(&self) -> (Mono, Mono) {
        let state = self.state.borrow();
        let silence = silence(state.timeout);
        (state.heard + silence, state.sent + ping_after(silence))
    }

    /// `Disconnected`; Curator's state becomes SUSPENDED.
    fn disconnect(&self) {
        let now = self.ctx.wall();
        self.state.change(|state| {
            (state.connected, state.suspended) = (None, Some(now));
            state.epoch += 1;
            state.events += 1;
        });
        if self.params.stop_on == StopOn::Suspended {
            self.notify_listener();
        }
    }

    /// The session has ended or is abandoned: Curator's state becomes LOST, and a new session follows.
    fn give_up_session(&self) {
        let wanted = self.params.session_timeout.0;
        self.state.change(|state| {
            (state.session, state.suspended, state.seen, state.timeout) = (None, None, 0, wanted);
            state.given_up += 1;
            state.events += 1;
        });
        self.notify_listener();
    }

    /// Calls the user's listener.
    fn notify_listener(&self) {
        let stopped = self.state.borrow_mut().holding.as_mut().map(|(grant, stopped)| {
            *stopped = true;
            *grant
        });
        if let Some(grant) = stopped {
            self.ctx.report_lock_lost(grant);
        }
    }

    /// Abandons a session that could not be resumed in time: `ConnectionStateManager.checkSessionExpiration`, by the
    /// wall clock.
    pub async fn watch_over(self: Rc<Self>) {
        loop {
            self.state.wait_until(|state| state.suspended.is_some()).await;
            let (since, timeout) = {
                let state = self.state.borrow();
                let Some(since) = state.suspended else { continue };
                (since, state.timeout)
            };
            let limit = timeout * self.params.simulated_session_expiration_percent / 100;
            let elapsed = self.ctx.wall() - since;
            if elapsed >= limit {
                self.give_up_session();
            } else {
                let over = self.state.wait_until(|state| state.suspended != Some(since));
                race(over, self.ctx.sleep(limit - elapsed)).await;
            }
        }
    }
}

/// The silence after which a client considers the connection dead: `readTimeout` (ClientCnxn.java, `onConnected`).
fn silence(timeout: Duration) -> Duration {
    timeout * 2 / 3
}

/// The silence after which a client pings: "timeToNextPing = readTimeout / 2 - idleSend - (idleSend > 1000 ? 1000 :
/// 0)", and at most ten seconds (ClientCnxn.java, `SendThread.run`).
fn ping_after(silence: Duration) -> Duration {
    let (half, second) = (silence / 2, Duration::from_secs(1));
    if half <= second { half } else { (half - second).clamp(second, MAX_SEND_PING_INTERVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pings_are_sent_as_the_real_client_does() {
        let after = |session_ms: u64| ping_after(silence(Duration::from_millis(session_ms))).as_millis();
        assert_eq!([after(40_000), after(10_000), after(4_000), after(3_000)], [10_000, 2_333, 1_000, 1_000]);
        assert_eq!(after(2_400), 800);
    }
}
