//! A lock from outside: what somebody writes to try a lock of their own. It is as short as a lock can be: one server that
//! remembers who came first, and no expiry. So it is exclusive, and stuck for ever when its holder's host dies.

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

const PATIENCE: Duration = Duration::from_secs(2);

/// What clients and server say to each other.
#[derive(Clone, Debug, Serialize)]
enum KeyMessage {
    Take(GrantId),
    GiveBack(GrantId),
    Yes,
    No,
}

/// The server: a hook with one key on it.
#[derive(Default)]
struct Hook {
    taken_by: Option<GrantId>,
}

impl Service<Wire<KeyMessage>, Event> for Hook {
    fn on_message(&mut self, env: &mut Env<'_, KeyMessage>, from: Caller, message: Wire<KeyMessage>) {
        let reply = match message {
            Wire::Lock(KeyMessage::Take(grant)) if self.taken_by.is_none() => {
                self.taken_by = Some(grant);
                env.note(Event::Granted { server: env.node(), grant });
                KeyMessage::Yes
            }
            Wire::Lock(KeyMessage::GiveBack(grant)) if self.taken_by == Some(grant) => {
                self.taken_by = None;
                env.note(Event::Ended { server: env.node(), grant, cause: Cause::Released(grant) });
                KeyMessage::Yes
            }
            _ => KeyMessage::No,
        };
        env.reply(from, Wire::Lock(reply));
    }

    fn on_crash(&mut self, _: &mut Env<'_, KeyMessage>, _: DiskFate) {
        self.taken_by = None;
    }
}

/// The client.
struct KeyLock {
    ctx: Ctx<KeyMessage>,
    hook: ConnId,
}

impl Lock for KeyLock {
    const INFO: LockInfo = LockInfo::new("key-on-a-hook", "one server that remembers who came first, without expiry")
        .family(Family::LeaseServer)
        .reentrancy(Reentrancy::Refused);
    type Params = NoParams;
    type Message = KeyMessage;

    fn deploy(_: &NoParams, site: &mut Site<'_, KeyMessage>) {
        site.server("hook", Hook::default());
    }

    fn connect(_: &NoParams, ctx: Ctx<KeyMessage>, _: ResourceId) -> Self {
        let hook = ctx.connect(ctx.find("hook"));
        KeyLock { ctx, hook }
    }

    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        let reply = self.ctx.ask(self.hook, KeyMessage::Take(attempt.id), PATIENCE);
        self.ctx.reach_step("acquire-sent").await;
        match reply.await? {
            KeyMessage::Yes => Ok(Grant { id: attempt.id, token: None, valid_until: None }),
            _ => Err(LockError::Failed(Reason::Busy)),
        }
    }

    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        let reply = self.ctx.ask(self.hook, KeyMessage::GiveBack(grant.id), PATIENCE);
        self.ctx.reach_step("release-sent").await;
        match reply.await? {
            KeyMessage::Yes => Ok(()),
            _ => Err(LockError::Failed(Reason::NotHeld)),
        }
    }

    fn takeover_bound(_: &NoParams, allowance: &BoundAllowance) -> Duration {
        allowance.reconnect + 2 * (PATIENCE + POLL)
    }
}

/// Runs 30 cases of the lock in a scenario.
fn run(text: &str) -> CellResult {
    let registry = Registry::standard().with::<KeyLock>();
    Cases::new(cell_with(&registry, text, "key-on-a-hook", &[]), 30).sum().clone()
}

fn violated(result: &CellResult, property: Property) -> u64 {
    result.property(property).violated
}

/// Buyers who wait longer than any bound of the lock.
const WORK: &str = "run_for = '150s'\n[clients]\nthink = 'exp(200ms)'\nhold = '0ms..500ms'\nwait_at_most = '5m'\n\
                    [workload.inventory]\nstock = 20\n";

#[test]
fn a_lock_from_outside_is_exclusive_even_when_its_clients_are_paused() {
    let pauses = "[[fault.pause]]\ntarget = 'client:any'\nevery = 'exp(4s)'\nlasts = '6s..15s'\n";
    let result = run(&format!("{WORK}{pauses}"));
    assert_eq!(result.cases(), 30);
    assert!(result.faults()[0].touched > 0, "the pauses made a difference");
    for property in [Property::GrantExclusion, Property::EffectExclusion, Property::NoLostUpdate, Property::NoOversell]
    {
        assert_eq!(violated(&result, property), 0, "{}", property.name());
    }
}

#[test]
fn without_expiry_it_is_stuck_when_its_holder_dies() {
    let crash = "[[fault.crash]]\ntarget = 'client:holder'\non = { event = 'acquired', nth = 3 }\npermanent = true\n";
    let result = run(&format!("{WORK}{crash}"));
    assert_eq!(violated(&result, Property::Takeover), 30);
    assert_eq!(violated(&result, Property::Progress), 30);
    assert_eq!(violated(&result, Property::EffectExclusion), 0);
}
