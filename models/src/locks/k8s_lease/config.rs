//! The parameters of an election, and the configuration of one candidate.

use std::time::Duration;

use fencepost_sim::NodeId;
use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::timing::scaled;
use super::{CLEARS_ANOTHER, EARLY_CALLBACK, OWN_DURATION, TRANSITIONS};
use crate::lock::Params;

/// Parameters of `k8s-lease`. The defaults are those of Kubernetes' own components (comments of
/// `LeaderElectionConfig`).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct K8sLeaseParams {
    /// The time without a change after which a candidate takes over: 15 s. The record has it in whole seconds.
    pub lease_duration: Span,
    /// The time after which the leader stops trying to renew: 10 s.
    pub renew_deadline: Span,
    /// The pause between attempts: 2 s; candidates that do not lead add up to 1.2 times as much (`JitterFactor`).
    pub retry_period: Span,
    /// Whether a leader that stops clears the record, so that others need not wait: `ReleaseOnCancel`. On here, so that
    /// there is a release; client-go leaves it off unless it is set.
    pub release_on_cancel: bool,
    /// Whether a candidate's identity is that of its process, with a random part as in Kubernetes' own components, or
    /// that of its node, such as a pod's name, which a restart keeps.
    pub identity: CandidateIdentity,
    /// The lease durations of `client-1`, `client-2` and so on, if they differ. Their other timings keep their ratio.
    /// Empty: all have `lease_duration`.
    pub candidate_lease_durations: Vec<Span>,
    /// The number that a program takes as fencing token. client-go documents none.
    pub token: TokenSource,
    #[serde(skip)]
    #[schemars(skip)]
    own_duration: bool,
    #[serde(skip)]
    #[schemars(skip)]
    early_callback: bool,
    #[serde(skip)]
    #[schemars(skip)]
    clears_another: bool,
}

/// The number that a program takes as fencing token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenSource {
    /// There is no token.
    #[default]
    None,
    /// `leaseTransitions` of the record, which is not documented as a token.
    Transitions,
}

/// The identity of a candidate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateIdentity {
    /// One identity per process.
    #[default]
    Process,
    /// The node's name.
    Node,
}

impl Default for K8sLeaseParams {
    fn default() -> Self {
        let seconds = |seconds| Span(Duration::from_secs(seconds));
        K8sLeaseParams {
            lease_duration: seconds(15),
            renew_deadline: seconds(10),
            retry_period: seconds(2),
            release_on_cancel: true,
            identity: CandidateIdentity::Process,
            candidate_lease_durations: Vec::new(),
            token: TokenSource::None,
            own_duration: false,
            early_callback: false,
            clears_another: true,
        }
    }
}

/// The maximal jitter of a candidate in tenths of a retry period (`JitterFactor`).
const JITTER_TENTHS: u32 = 12;

/// The API server rejects a `leaseDurationSeconds` that is not positive.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

impl Params for K8sLeaseParams {
    /// In whole seconds, as the record has it.
    fn set_ttl(&mut self, ttl: Duration) {
        let lease = Duration::from_secs(ttl.max(SHORTEST_LEASE).as_secs());
        self.renew_deadline = Span(scaled(self.renew_deadline.0, self.lease_duration.0, lease));
        self.retry_period = Span(scaled(self.retry_period.0, self.lease_duration.0, lease));
        self.lease_duration = Span(lease);
    }

    fn effective_expiry(&self) -> Option<Duration> {
        Some(self.longest_lease())
    }

    fn set_variant(&mut self, variant: &str) -> bool {
        if variant == TRANSITIONS {
            self.token = TokenSource::Transitions;
        }
        variant == TRANSITIONS
    }

    fn set_bug(&mut self, bug: &str, on: bool) -> bool {
        match bug {
            OWN_DURATION => self.own_duration = on,
            EARLY_CALLBACK => self.early_callback = on,
            CLEARS_ANOTHER => self.clears_another = on,
            _ => return false,
        }
        true
    }

    /// The checks of `NewLeaderElector`.
    fn check(&self) -> Result<(), String> {
        let (lease, deadline, retry) = (self.lease_duration.0, self.renew_deadline.0, self.retry_period.0);
        if lease <= deadline {
            return Err("`lease_duration` must be longer than `renew_deadline`".into());
        }
        if deadline <= retry * JITTER_TENTHS / 10 {
            return Err("`renew_deadline` must be longer than 1.2 times `retry_period`".into());
        }
        if retry.is_zero() {
            return Err("`retry_period` must be longer than zero".into());
        }
        match self.candidate_lease_durations.iter().chain([&self.lease_duration]).min() {
            Some(Span(shortest)) if *shortest < SHORTEST_LEASE => {
                Err("lease durations are whole seconds in the record: they must be at least `1s`".into())
            }
            _ => Ok(()),
        }
    }
}

impl K8sLeaseParams {
    /// The longest lease duration that any candidate may write.
    pub(super) fn longest_lease(&self) -> Duration {
        let listed = self.candidate_lease_durations.iter().map(|lease| lease.0).max();
        listed.map_or(self.lease_duration.0, |listed| listed.max(self.lease_duration.0))
    }

    /// The configuration of the candidate with the longest lease.
    pub(super) fn slowest(&self) -> Config {
        self.config(self.longest_lease())
    }

    /// The configuration of the candidate on this node.
    pub(super) fn config_of(&self, node: NodeId) -> Config {
        self.config(self.candidate_lease_durations.get(node.index()).unwrap_or(&self.lease_duration).0)
    }

    fn config(&self, lease: Duration) -> Config {
        Config {
            lease,
            renew_deadline: scaled(self.renew_deadline.0, self.lease_duration.0, lease),
            retry_period: scaled(self.retry_period.0, self.lease_duration.0, lease),
            release_on_cancel: self.release_on_cancel,
            identity: self.identity,
            own_duration: self.own_duration,
            token: self.token,
            early_callback: self.early_callback,
            clears_another: self.clears_another,
        }
    }
}

/// The configuration of one candidate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Config {
    pub lease: Duration,
    pub renew_deadline: Duration,
    pub retry_period: Duration,
    pub release_on_cancel: bool,
    pub identity: CandidateIdentity,
    pub token: TokenSource,
    /// Applies its own lease duration to others' records.
    pub own_duration: bool,
    /// Reports leadership as soon as it reads a record that names it.
    pub early_callback: bool,
    /// A release decides by the observed record: the bug `k8s-release-clears-another`.
    pub clears_another: bool,
}

impl Config {
    /// Half the renew deadline, but at least a second (`resourcelock.NewFromKubeconfig`).
    pub fn request_timeout(&self) -> Duration {
        (self.renew_deadline / 2).max(Duration::from_secs(1))
    }

    /// The lease duration in the record.
    pub fn lease_seconds(&self) -> u32 {
        u32::try_from(self.lease.as_secs()).unwrap_or(u32::MAX)
    }

    /// The maximal addition to the retry period of a candidate that does not lead.
    pub fn jitter(&self) -> Duration {
        self.retry_period * JITTER_TENTHS / 10
    }
}
