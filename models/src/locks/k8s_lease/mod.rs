//! Leader election on a Lease object, as client-go does it (kubernetes/client-go, `leaderelection.go` in
//! `tools/leaderelection` and `leaselock.go` in `resourcelock`, without the alpha features).
//!
//! A candidate reads the object every retry period, with jitter, and notes by its own clock when it first saw the
//! current record. It takes over, by an update conditional on the version it read, once the record names nobody or has
//! not changed for the lease duration in the record (kubernetes/kubernetes#114872; before, its own). The leader renews
//! every retry period. After failures for the renew deadline it clears the record if it can, and notifies its user
//! (`OnStoppedLeading`). `leaseTransitions` grows with every change of leader: a usable fencing token, though not
//! documented as one. A candidate whose release did not take effect leads again with its previous number.
//!
//! Each acquire is a `RunOrDie` of its process's configuration: a new `LeaderElector` without observations, under the
//! same identity.

mod config;
mod elector;

use std::rc::Rc;
use std::time::Duration;

use fencepost_sim::Task;
use fencepost_sim::faults::BoundAllowance;
use fencepost_sim::stream::Stream;
use fencepost_sim::units::Dist;

pub use self::config::{CandidateIdentity, K8sLeaseParams, TokenSource};
use self::elector::{Elector, K8sMessage, Try};
use crate::grant::{Attempt, Grant, LockError, Reason};
use crate::history::ResourceId;
use crate::info::{
    Answer, BugInfo, Expiry, Family, LockInfo, Promise, Reentrancy, Requirement, VariantInfo, Verification,
};
use crate::lock::Lock;
use crate::servers::conditional::ItemStore;
use crate::site::Site;
use crate::wire::Ctx;

/// A candidate.
pub struct K8sLease {
    elector: Rc<Elector>,
    renewal: Option<Task>,
    jitter: Stream,
}

/// The variant whose programs take `leaseTransitions` as token.
const TRANSITIONS: &str = "transitions-token";

const VARIANTS: &[VariantInfo] = &[
    VariantInfo {
        name: "default",
        about: "no token: the package documents none, and `LeaderElector` has no call for one",
        source: "kubernetes/client-go, tools/leaderelection/leaderelection.go",
    },
    VariantInfo {
        name: TRANSITIONS,
        about: "the program reads the record and takes `leaseTransitions` as token",
        source: "kubernetes/client-go, tools/leaderelection/resourcelock/interface.go, LeaderElectionRecord",
    },
];

const OWN_DURATION: &str = "k8s-own-duration";
const EARLY_CALLBACK: &str = "k8s-early-callback";
const CLEARS_ANOTHER: &str = "k8s-release-clears-another";

const PACKAGE: &str = "kubernetes/client-go, tools/leaderelection/leaderelection.go, package comment";

const PROMISES: &[Promise] = &[
    Promise {
        requirement: Requirement::Exclusive,
        answer: Answer::No,
        says: "it is not guaranteed that only one client acts as the leader; clocks may differ by any \
                amount, but their rates only by about the ratio of lease duration to renew deadline",
        source: PACKAGE,
    },
    Promise {
        requirement: Requirement::AvoidsDeadlock,
        answer: Answer::Yes,
        says: "others may take over when they have seen no change for the lease duration",
        source: "kubernetes/client-go, tools/leaderelection/leaderelection.go, LeaderElectionConfig.LeaseDuration",
    },
    Promise {
        requirement: Requirement::HighlyAvailable,
        answer: Answer::Conditional,
        says: "the more skew and latency it is configured to tolerate, the longer there may be no leader; beyond that, \
               as available as the API server",
        source: PACKAGE,
    },
    Promise {
        requirement: Requirement::Reentrant,
        answer: Answer::Silent,
        says: "it is no lock; a candidate that finds its own identity in the record renews it",
        source: "kubernetes/client-go, tools/leaderelection/leaderelection.go, tryAcquireOrRenew",
    },
    Promise {
        requirement: Requirement::Fencing,
        answer: Answer::No,
        says: "there is no fencing; the record counts its transitions, which is not offered as a token",
        source: PACKAGE,
    },
    Promise {
        requirement: Requirement::Order,
        answer: Answer::Silent,
        says: "candidates poll; the first update wins",
        source: "kubernetes/client-go, tools/leaderelection/leaderelection.go, acquire",
    },
];

const FLAWED_DEFAULTS: &[&str] = &[
    "with ReleaseOnCancel a leader that failed to renew tries to release before it notifies its user; an API server \
        that does not answer delays that by half a renew deadline",
    "a leader that reads another's name keeps trying for the rest of its renew deadline before it notifies its user, \
        and keeps leading silently if the record becomes free meanwhile",
    "a candidate whose release did not take effect leads again with the same leaseTransitions",
];

const BUGS: &[BugInfo] = &[
    BugInfo {
        name: OWN_DURATION,
        about: "a candidate applies its own lease duration to the leader's record instead of the record's",
        scenario: "bug-k8s-own-duration",
        property: "belief-exclusion",
        source: "fabric8io/kubernetes-client#7160; client-go before kubernetes/kubernetes#114872",
        since: "not determined",
        fixed_in: None,
        default_on: false,
    },
    BugInfo {
        name: CLEARS_ANOTHER,
        about: "a release reads the record again but decides by the record observed before, so it can clear the record of \
            another leader",
        scenario: "bug-k8s-release-clears-another",
        property: "owner-release",
        source: "kubernetes/client-go, tools/leaderelection/leaderelection.go, tryRelease: 1.33.0 did not read the record first",
        since: "1.34.0",
        fixed_in: None,
        default_on: true,
    },
    BugInfo {
        name: EARLY_CALLBACK,
        about: "a candidate reports leadership as soon as it reads a record that names it, before its update succeeded",
        scenario: "bug-k8s-early-callback",
        property: "belief-exclusion",
        source: "fabric8io/kubernetes-client#7350",
        since: "not determined",
        fixed_in: None,
        default_on: false,
    },
];

impl K8sLease {
    fn pause(&mut self) -> Duration {
        let config = &self.elector.config;
        config.retry_period + Dist::Uniform(Duration::ZERO, config.jitter()).draw(&mut self.jitter)
    }

    /// Starts the renewals, which last until the grant is released or lost.
    fn lead(&mut self, attempt: Attempt) -> Grant {
        let elector = &self.elector;
        let id = elector.leading.get().unwrap_or_else(|| {
            elector.leading.set(Some(attempt.id));
            self.renewal = Some(elector.ctx.spawn(elector.clone().renew(attempt.id)));
            attempt.id
        });
        let token = (elector.config.token == TokenSource::Transitions).then(|| elector.transitions());
        Grant { id, token, valid_until: None }
    }
}

impl Lock for K8sLease {
    const INFO: LockInfo = LockInfo::new(
        "k8s-lease",
        "Kubernetes leader election: a Lease object that candidates time by their own clocks",
    )
    .expectations(include_str!("expectations.toml"))
    .family(Family::ConditionalStore)
    .expiry(Expiry::WaiterMonotonicClock)
    .variants(VARIANTS)
    .check("`LeaderElector.IsLeader()`: local state, the last observed record")
    .loss_notice("`LeaderCallbacks.OnStoppedLeading`")
    .timeout("the context of `LeaderElector.Run(ctx)`")
    .reentrancy(Reentrancy::Uncounted)
    .promises(PROMISES)
    .flawed_defaults(FLAWED_DEFAULTS)
    .bugs(BUGS)
    .verification(Verification::Documentation)
    .sources(&["kubernetes/client-go: tools/leaderelection/leaderelection.go, resourcelock/leaselock.go"]);
    type Params = K8sLeaseParams;
    type Message = K8sMessage;

    fn info(params: &K8sLeaseParams) -> LockInfo {
        match params.token {
            TokenSource::None => Self::INFO,
            TokenSource::Transitions => Self::INFO.token(
                "`leaseTransitions` of the record, which is not documented as a token; it repeats after a release that \
                    did not take effect",
            ),
        }
    }

    fn deploy(_: &K8sLeaseParams, site: &mut Site<'_, K8sMessage>) {
        site.server("k8s", ItemStore::new(Duration::ZERO));
    }

    fn connect(params: &K8sLeaseParams, ctx: Ctx<K8sMessage>, resource: ResourceId) -> Self {
        let jitter = ctx.stream("jitter");
        K8sLease { elector: Elector::new(params, ctx, resource), renewal: None, jitter }
    }

    /// `acquire`. A candidate that already leads finds its identity in the record: a second elector leads together with
    /// the first.
    async fn acquire(&mut self, attempt: Attempt) -> Result<Grant, LockError> {
        if self.elector.leading.get().is_none() {
            self.elector.start(attempt.id);
        }
        let (mut step, mut unsure) = (Some("acquire-sent"), None);
        loop {
            let grant = self.elector.leading.get().unwrap_or(attempt.id);
            match self.elector.try_once(grant, attempt.give_up, step.take()).await {
                Try::Leads => return Ok(self.lead(attempt)),
                Try::Follows => {}
                Try::Unsure(error) => unsure = Some(error.into()),
            }
            let next = self.elector.ctx.mono() + self.pause();
            self.elector.ctx.sleep_until(next.min(attempt.give_up)).await;
            if self.elector.ctx.mono() >= attempt.give_up {
                return Err(unsure.unwrap_or(LockError::Failed(Reason::Busy)));
            }
        }
    }

    /// Cancels the context: renewals end, then the record is cleared.
    async fn release(&mut self, grant: &Grant) -> Result<(), LockError> {
        if self.elector.leading.get() != Some(grant.id) {
            return Err(LockError::Failed(Reason::NotHeld));
        }
        self.renewal = None;
        self.elector.leading.set(None);
        if self.elector.config.release_on_cancel { self.elector.release(grant.id).await } else { Ok(()) }
    }

    /// The user was notified of its leadership and not yet of its end, and `IsLeader` agrees. Neither uses a clock.
    async fn check(&mut self, grant: &Grant) -> Result<bool, LockError> {
        Ok(self.elector.leading.get() == Some(grant.id) && self.elector.is_leader())
    }

    fn retry_delay(&mut self) -> Duration {
        self.pause()
    }

    /// The lease duration, from the time when the waiter first saw the last record, which is up to a retry with jitter
    /// after its write, to the waiter's next retry (comments of `LeaderElectionConfig`); by the waiter's monotonic
    /// clock: slow rates and stopped machines lengthen it, clock steps do not. A hanging request costs its timeout.
    ///
    /// Progress has the same bound: a release that did not take effect leaves a record that must expire first.
    fn takeover_bound(params: &K8sLeaseParams, allowance: &BoundAllowance) -> Duration {
        let lease = params.longest_lease();
        let slowest = params.slowest();
        let turn = slowest.retry_period + slowest.jitter();
        allowance.stretch_mono(lease + 2 * turn) + allowance.reconnect + 2 * slowest.request_timeout()
    }
}
