//! A user-defined lock, as short as a lock can be: one server that grants the first request, without expiry. It is
//! exclusive, but stays locked forever when its holder's host crashes.

use std::time::Duration;

use fencepost_models::history::{Cause, Event, GrantId};
use fencepost_models::{
    Attempt, Ctx, Env, Family, Grant, Lock, LockError, LockInfo, NoParams, POLL, Reason, Reentrancy, ResourceId, Site,
    Wire,
};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::Registry;
use fencepost_scenarios::run::results::CellResult;
use fencepost_sim::disk::DiskFate;
use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::{Caller, ConnId, Service};
use fencepost_testkit::{Cases, cell_with};
use serde::Serialize;

const TIMEOUT: Duration = Duration::from_secs(2);

/// The messages between clients and server.
#[derive(Clone, Debug, Serialize)]
enum SimpleMessage {
    Acquire(GrantId),
    Release(GrantId),
    Done,
    Refused,
}

/// The server.
#[derive(Default)]
struct SimpleServer {
    holder: Option<GrantId>,
}

impl Service<Wire<SimpleMessage>, Event> for SimpleServer {
    fn on_message(&mut self, env: &mut Env<'_, SimpleMessage>, from: Caller, message: Wire<SimpleMessage>) {
        let reply = match message {
            Wire::Lock(SimpleMessage::Acquire(grant)) if self.holder.is_none() => {
                self.holder = Some(grant);
                env.note(Event::Granted { server: env.node(), grant });
                SimpleMessage::Done
            }
            Wire::Lock(SimpleMessage::Release(grant)) if self.holder == Some(grant) => {
                self.holder = None;
                env.note(Event::Ended { server: env.node(), grant, cause: Cause::Released(grant) });
                SimpleMessage::Done
            }
            _ => SimpleMessage::Refused,
        };
        env.reply(from, Wire::Lock(reply));
    }

    fn on_crash(&mut self, _: &mut Env<'_, SimpleMessage>, _: DiskFate) {
        self.holder = None;
    }
}

/// The client.
struct SimpleLock {
    ctx: Ctx<SimpleMessage>,
    server: ConnId,
}

impl Lock for SimpleLock {
    const INFO: LockInfo = LockInfo::new("simple-lock", "one server that grants the first request, without expiry")
        .family(Family::LeaseServer)
        .reentrancy(Reentrancy::Refused);
    type Params = NoParams;
    type Message = SimpleMessage;

    fn deploy(_: &NoParams, site: &mut Site<'_, SimpleMessage>) {
        site.server("simple-server", SimpleServer::default());
    }

    fn connect(_: &NoParams, ctx: Ctx<SimpleMessage>, _: ResourceId) -> Self {
        let server = ctx.connect(ctx.find("simple-server"));
        SimpleLock { ctx, server }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let reply = self.ctx.ask(self.server, SimpleMessage::Acquire(attempt.id), TIMEOUT);
        self.ctx.reach_step("acquire-sent").await;
        match reply.await? {
            SimpleMessage::Done => Ok(Grant { id: attempt.id, token: None, valid_until: None }),
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.server, SimpleMessage::Release(grant.id), TIMEOUT);
        self.ctx.reach_step("release-sent").await;
        match reply.await? {
            SimpleMessage::Done => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    fn takeover_bound(_: &NoParams, allowance: &BoundAllowance) -> Duration {
        allowance.reconnect + 2 * (TIMEOUT + POLL)
    }
}

/// Runs 30 cases of the lock in a scenario.
fn run(text: &str) -> CellResult {
    let registry = Registry::standard().with::<SimpleLock>();
    Cases::new(cell_with(&registry, text, "simple-lock", &[]), 30).sum().clone()
}

fn violated(result: &CellResult, property: Property) -> u64 {
    result.property(property).violated
}

/// Buyers who wait longer than every bound of the lock.
const WORK: &str = "run_for = '150s'\n[clients]\nthink = 'exp(200ms)'\nhold = '0ms..500ms'\nwait_at_most = '5m'\n\
                    [workload.inventory]\nstock = 20\n";

#[test]
fn a_user_defined_lock_is_exclusive_even_when_its_clients_are_paused() {
    let pauses = "[[fault.pause]]\ntarget = 'client:any'\nevery = 'exp(4s)'\nlasts = '6s..15s'\n";
    let result = run(&format!("{WORK}{pauses}"));
    assert_eq!(result.cases(), 30);
    assert!(result.faults()[0].touched > 0, "pauses must touch clients");
    for property in [Property::GrantExclusion, Property::EffectExclusion, Property::NoLostUpdate, Property::NoOversell]
    {
        assert_eq!(violated(&result, property), 0, "{}", property.name());
    }
}

#[test]
fn without_expiry_it_stays_locked_when_its_holder_crashes() {
    let crash = "[[fault.crash]]\ntarget = 'client:holder'\non = { event = 'acquired', nth = 3 }\npermanent = true\n";
    let result = run(&format!("{WORK}{crash}"));
    assert_eq!(violated(&result, Property::Takeover), 30);
    assert_eq!(violated(&result, Property::Progress), 30);
    assert_eq!(violated(&result, Property::EffectExclusion), 0);
}
