//! The tables with fixed keys: `[clients]`, `[network]`, `[explore]`.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

pub use fencepost_sim::Transport;
use fencepost_sim::faults::{self, Exploration, FaultInfo};
use fencepost_sim::units::{Dist, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::values::{duration, maybe_whole, per_million, whole};

/// The maximum number of clients in a case.
pub const MOST_CLIENTS: u16 = 64;

/// The maximum number of nested acquires of a holder.
pub const MOST_NESTED: u8 = 3;

/// The clients and their behavior.
///
/// The steps of a unit of work are: think, acquire, read, hold, check (if enabled), prepare, write, release.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clients {
    /// The number of clients, `client-1` and so on.
    #[serde(deserialize_with = "whole::<_, _, 1, { MOST_CLIENTS as u64 }>")]
    #[schemars(range(min = 1, max = 64))]
    pub count: u16,
    /// The total units of work, assigned to the clients in advance; the case ends when all are resolved. By default, an
    /// inventory has 150 % of the stock in units, and other workloads continue until `run_for`. An event is a unit of
    /// work for each client.
    #[serde(deserialize_with = "maybe_whole::<_, _, 1, 1_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub orders: Option<u32>,
    /// The time between two orders of a client.
    pub think: Dist,
    /// The duration of the work inside the critical section, between read and write.
    pub hold: Dist,
    /// The time between the check, if any, and the write.
    pub prepare: Dist,
    /// Whether the client checks right before the write that it still holds the lock, and aborts if it does not.
    pub check_before_write: bool,
    /// The number of nested acquires after the read. The holder releases each grant before the write, and waits at most
    /// 2 s for each acquire, or `wait_at_most` if that is less.
    #[serde(deserialize_with = "whole::<_, _, 0, { MOST_NESTED as u64 }>")]
    #[schemars(range(min = 0, max = 3))]
    pub nested: u8,
    /// How long a client tries to acquire the lock before it gives up.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Span", extend("default" = "30s"))]
    pub wait_at_most: Duration,
    /// The minimum delay between two acquire attempts of a client, if the lock's own delay is shorter.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Span", extend("default" = "0s"))]
    pub retry_delay: Duration,
    /// How a client handles a write whose acknowledgement is lost.
    pub on_unknown: OnUnknown,
    /// How a client handles the lock after such a write.
    pub after_unknown: AfterUnknown,
}

/// How a client handles a write whose acknowledgement is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnknown {
    /// The client gives up: the order may or may not have taken effect.
    #[default]
    GiveUp,
    /// The client writes again: the order may take effect twice.
    Retry,
    /// The client writes again under the same id: the order takes effect at most once.
    RetryWithId,
}

/// How a client handles the lock after a write with an unknown outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AfterUnknown {
    /// The client releases the lock immediately.
    #[default]
    Release,
    /// The client keeps the lock until the lease ends.
    Keep,
}

impl Default for Clients {
    fn default() -> Self {
        Clients {
            count: 5,
            orders: None,
            think: Dist::Constant(Duration::from_millis(1)),
            hold: Dist::Constant(Duration::ZERO),
            prepare: Dist::Constant(Duration::ZERO),
            check_before_write: false,
            nested: 0,
            wait_at_most: Duration::from_secs(30),
            retry_delay: Duration::ZERO,
            on_unknown: OnUnknown::default(),
            after_unknown: AfterUnknown::default(),
        }
    }
}

/// The network between the nodes.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// The time from sending a message to its delivery.
    pub latency: Dist,
    /// The fraction of lost messages, from 0.0 to 1.0. A stream retransmits them.
    #[serde(rename = "loss", deserialize_with = "per_million")]
    #[schemars(with = "f64", range(min = 0.0, max = 1.0), extend("default" = 0.0))]
    pub loss_per_million: u32,
    /// The transport.
    pub transport: Transport,
}

impl Default for Network {
    fn default() -> Self {
        let latency = Dist::Uniform(Duration::from_millis(1), Duration::from_millis(5));
        Network { latency, loss_per_million: 0, transport: Transport::default() }
    }
}

/// The faults that `explore` may place.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Explore {
    /// The kinds of fault.
    pub menu: Vec<Placeable>,
}

/// A kind of fault that `explore` can place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placeable(&'static FaultInfo);

impl Placeable {
    /// Returns all placeable kinds, in the order of the kinds of fault.
    pub fn all() -> impl Iterator<Item = Placeable> {
        faults::STANDARD.iter().filter(|kind| kind.explore.is_some()).map(|kind| Placeable(kind))
    }

    /// Returns the kind of fault.
    pub fn kind(self) -> &'static FaultInfo {
        self.0
    }

    /// Returns how `explore` places the fault.
    pub fn placing(self) -> &'static Exploration {
        self.0.explore.as_ref().expect("a placeable kind has an exploration")
    }

    /// Returns the placeable kind with this name in `menu`.
    pub fn named(name: &str) -> Option<Placeable> {
        Placeable::all().find(|kind| kind.placing().name == name)
    }
}

impl<'de> Deserialize<'de> for Placeable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static NAMES: LazyLock<Vec<&str>> =
            LazyLock::new(|| Placeable::all().map(|kind| kind.placing().name).collect());
        let name = String::deserialize(deserializer)?;
        Placeable::named(&name).ok_or_else(|| D::Error::unknown_variant(&name, &NAMES))
    }
}

impl JsonSchema for Placeable {
    fn schema_name() -> Cow<'static, str> {
        "Placeable".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |kind: Placeable| json!({ "const": kind.placing().name, "description": kind.placing().about });
        json_schema!({
            "description": "A kind of fault that `explore` can place.",
            "oneOf": Placeable::all().map(one).collect::<Vec<_>>(),
        })
    }
}

impl Default for Explore {
    fn default() -> Self {
        Explore { menu: Placeable::all().filter(|kind| kind.placing().by_default).collect() }
    }
}
