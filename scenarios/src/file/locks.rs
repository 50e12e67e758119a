//! The timing of locks and their own parameters: `[lock]`, `[lock.NAME]`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::catalog::{Catalog, LockFormat, LockParams};
use super::lock_list;
use super::problem::Report;
use super::table::{Entry, Table};
use super::values::duration;

/// The settings of the locks.
#[derive(Clone, Default)]
pub struct LockConfig {
    /// The length of the leases.
    pub timing: Timing,
    /// The parameters of the locks that have a table `[lock.NAME]`.
    pub params: BTreeMap<String, LockParams>,
}

/// The length of leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// Each lock's own default.
    #[default]
    Default,
    /// The main timing of every lock.
    Ttl(Duration),
    /// The approximate time after which every lock replaces a crashed holder.
    Effective(Duration),
}

/// The timing of all locks, and a table for each lock's own parameters. `ttl` and `effective` are mutually exclusive.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LockKeys {
    /// The main timing of each lock: "default" for the lock's own, or one duration for all locks. Dependent
    /// timings keep their documented ratio to it; locks without expiry ignore it.
    #[schemars(with = "Option<String>")]
    ttl: Option<Ttl>,
    /// The approximate time after which every lock replaces a crashed holder.
    #[serde(default, deserialize_with = "maybe_effective")]
    #[schemars(with = "Option<Span>")]
    effective: Option<Duration>,
}

/// A duration, or `None` for "default".
struct Ttl(Option<Duration>);

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim() == "default" {
            return Ok(Ttl(None));
        }
        let Span(length) = text.parse().map_err(|error| D::Error::custom(format!("{error}, or \"default\"")))?;
        positive("ttl", length).map(|length| Ttl(Some(length)))
    }
}

impl fmt::Debug for LockConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_params: Vec<&String> = self.params.keys().collect();
        f.debug_struct("LockConfig").field("timing", &self.timing).field("params", &with_params).finish()
    }
}

impl LockConfig {
    /// Returns the parameters of a lock from its table, or the documented defaults.
    pub fn params_of(&self, lock: &LockFormat) -> LockParams {
        lock.configure(self.params.get(lock.lock).cloned(), Timing::Default, &[])
    }
}

/// Reads `[lock]` and its tables.
pub(super) fn lock_config(catalog: &Catalog, report: &mut Report, entry: Option<Entry<'_>>) -> LockConfig {
    let Some(mut table) = entry.and_then(|entry| entry.table(report, "[lock]")) else {
        return LockConfig::default();
    };
    let mut params = BTreeMap::new();
    for entry in table.take_all() {
        let name = entry.key.get_ref().clone();
        if let Some(lock) = catalog.lock_formats().iter().find(|lock| lock.name() == name) {
            let own = entry.table(report, &format!("[lock.{name}]"));
            params.extend(
                own.and_then(|own| own.read(report, &[], |keys| (lock.parse)(Some(keys)))).map(|own| (name, own)),
            );
        } else if entry.value.get_ref().is_table() && !["ttl", "effective"].contains(&name.as_str()) {
            lock_list::unknown(catalog, report, entry.key.span(), &name);
        } else {
            table.put_back(entry);
        }
    }
    LockConfig { timing: timing(catalog, report, table), params }
}

fn timing(catalog: &Catalog, report: &mut Report, table: Table<'_>) -> Timing {
    if let (Some(ttl), Some(effective)) = (table.key_span("ttl"), table.key_span("effective")) {
        let second = if ttl.start < effective.start { effective } else { ttl };
        let help = "remove one of them: each sets the timing of all locks";
        report.add(second, "`ttl` and `effective` are mutually exclusive", help);
    }
    let names: Vec<&str> = catalog.lock_names().collect();
    match table.read_keys::<LockKeys>(report, &names).unwrap_or_default() {
        LockKeys { effective: Some(length), .. } => Timing::Effective(length),
        LockKeys { ttl: Some(Ttl(Some(length))), .. } => Timing::Ttl(length),
        LockKeys { .. } => Timing::Default,
    }
}

/// Checks that a timing of all locks is longer than zero.
fn positive<E: serde::de::Error>(key: &str, length: Duration) -> Result<Duration, E> {
    if length.is_zero() {
        return Err(E::custom(format!("`{key}` must be longer than zero: set a positive duration, such as \"10s\"")));
    }
    Ok(length)
}

fn maybe_effective<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    positive("effective", duration(deserializer)?).map(Some)
}
