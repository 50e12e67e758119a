//! The tables with fixed keys: `[clients]`, `[network]`, `[explore]`.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

pub use fencepost_sim::Transport;
use fencepost_sim::faults::{self, Exploration, FaultInfo};
use fencepost_sim::units::{Dist, Span};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::values::{duration, maybe_whole, per_million, whole};

/// The most clients of a case.
pub const MOST_CLIENTS: u16 = 64;

/// The most times that a holder acquires again.
pub const MOST_NESTED: u8 = 3;

/// The clients, and the steps of each.
///
/// The steps of a unit of work are: think, acquire, read, hold, check (if on), prepare, write, release.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Clients {
    /// The number of clients, `client-1` and so on.
    #[serde(deserialize_with = "whole::<_, _, 1, { MOST_CLIENTS as u64 }>")]
    #[schemars(range(min = 1, max = 64))]
    pub count: u16,
    /// Units of work in all, assigned to the clients in advance; the case ends when each is resolved. By default, an
    /// inventory has 150 % of the stock in units, and other workloads go on until `run_for`. An event is a unit of work for
    /// each client.
    #[serde(deserialize_with = "maybe_whole::<_, _, 1, 1_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub orders: Option<u32>,
    /// The time between two orders of a client.
    pub think: Dist,
    /// The work inside the critical section, between read and write.
    pub hold: Dist,
    /// The time between the check, if any, and the write.
    pub prepare: Dist,
    /// Whether the client asks the lock right before the write whether it is still held, and aborts if not.
    pub check_before_write: bool,
    /// How many times a holder acquires again after the read. It releases each grant before the write, and waits at most
    /// 2 s for each, or `wait_at_most` if that is less.
    #[serde(deserialize_with = "whole::<_, _, 0, { MOST_NESTED as u64 }>")]
    #[schemars(range(min = 0, max = 3))]
    pub nested: u8,
    /// How long a client tries to acquire before it gives up.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Span", extend("default" = "30s"))]
    pub wait_at_most: Duration,
    /// The least time between two attempts of a client to acquire, if the lock's own is shorter.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Span", extend("default" = "0s"))]
    pub retry_delay: Duration,
    /// How a client handles a write whose acknowledgement is lost.
    pub on_unknown: OnUnknown,
    /// What happens to the lock then.
    pub after_unknown: AfterUnknown,
}

/// How a client handles a write whose acknowledgement is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnknown {
    /// It gives up: the order may or may not have taken effect.
    #[default]
    GiveUp,
    /// It writes again: the order may take effect twice.
    Retry,
    /// It writes again under the same id: the order takes effect at most once.
    RetryWithId,
}

/// How a client handles the lock after a write with an unknown outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AfterUnknown {
    /// It releases the lock at once.
    #[default]
    Release,
    /// It keeps the lock until the lease ends.
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
    /// The time from the send of a message to its arrival.
    pub latency: Dist,
    /// The share of messages lost, from 0.0 to 1.0. A stream retransmits them.
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
    /// All of them, in the order of the kinds.
    pub fn all() -> impl Iterator<Item = Placeable> {
        faults::STANDARD.iter().filter(|kind| kind.explore.is_some()).map(|kind| Placeable(kind))
    }

    /// The kind of fault.
    pub fn kind(self) -> &'static FaultInfo {
        self.0
    }

    /// How `explore` places it.
    pub fn placing(self) -> &'static Exploration {
        self.0.explore.as_ref().expect("a placeable kind says how")
    }

    /// The one of this name in `menu`.
    pub fn named(name: &str) -> Option<Placeable> {
        Placeable::all().find(|kind| kind.placing().name == name)
    }
}

impl<'de> Deserialize<'de> for Placeable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(PlaceableName)
    }
}

/// Reads a name of the menu. An error made in a visitor gets the position of the name.
struct PlaceableName;

impl Visitor<'_> for PlaceableName {
    type Value = Placeable;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fault that `explore` can place")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Placeable, E> {
        static NAMES: LazyLock<Vec<&str>> =
            LazyLock::new(|| Placeable::all().map(|kind| kind.placing().name).collect());
        Placeable::named(name).ok_or_else(|| E::unknown_variant(name, &NAMES))
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
