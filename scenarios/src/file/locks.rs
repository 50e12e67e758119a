//! The timing of locks and their own parameters: `[lock]`, `[lock.NAME]`.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fencepost_sim::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;
use toml::de::DeValue;

use super::catalog::{Catalog, LockFormat, LockParams};
use super::lock_list;
use super::problem::Report;
use super::table::{Entry, Table};

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
    effective: Option<Span>,
}

enum Ttl {
    Default,
    Of(Span),
}

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        match text.trim() {
            "default" => Ok(Ttl::Default),
            other => other.parse().map(Ttl::Of).map_err(|error| D::Error::custom(format!("{error}, or \"default\""))),
        }
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
    let names: Vec<&str> = catalog.lock_formats().iter().map(|lock| lock.name()).collect();
    let mut params = BTreeMap::new();
    for lock in catalog.lock_formats() {
        let Some(own) = table.take(lock.name()) else { continue };
        let own = own.table(report, &format!("[lock.{}]", lock.name()));
        if let Some(read) = own.and_then(|own| own.read(report, &[], |keys| (lock.parse)(Some(keys)))) {
            params.insert(lock.name().into(), read);
        }
    }
    reject_unknown_locks(catalog, report, &mut table);
    LockConfig { timing: timing(report, table, &names), params }
}

/// Reports tables in `[lock]` that do not belong to a lock.
fn reject_unknown_locks(catalog: &Catalog, report: &mut Report, table: &mut Table<'_>) {
    let is_table = |value: &Spanned<DeValue<'_>>| value.get_ref().is_table();
    let keys: Vec<String> = (table.items.iter())
        .filter(|(key, value)| is_table(value) && !matches!(&**key.get_ref(), "ttl" | "effective"))
        .map(|(key, _)| key.get_ref().to_string())
        .collect();
    for key in keys {
        if let Some(entry) = table.take(&key) {
            lock_list::unknown(catalog, report, entry.key.span(), &key);
        }
    }
}

fn timing(report: &mut Report, table: Table<'_>, names: &[&str]) -> Timing {
    let (ttl, effective) = (table.items.get("ttl").cloned(), table.items.get("effective").cloned());
    let (ttl_key, effective_key) = (table.key_span("ttl"), table.key_span("effective"));
    if let (Some(ttl), Some(effective)) = (ttl_key, effective_key) {
        let second = if ttl.start < effective.start { effective } else { ttl };
        report.add(
            second,
            "`ttl` and `effective` are mutually exclusive",
            "remove one of them: each sets the timing of all locks",
        );
    }
    let keys = table.read_keys::<LockKeys>(report, names).unwrap_or_default();
    let mut lease = |value: Option<Spanned<DeValue<'_>>>, key: &str, length: Duration| {
        if let Some(value) = value.filter(|_| length.is_zero()) {
            let message = format!("`{key}` must be longer than zero");
            report.add(value.span(), message, "set a positive duration, such as \"10s\"");
        }
        length
    };
    match (keys.ttl, keys.effective) {
        (_, Some(Span(length))) => Timing::Effective(lease(effective, "effective", length)),
        (Some(Ttl::Of(Span(length))), None) => Timing::Ttl(lease(ttl, "ttl", length)),
        (Some(Ttl::Default) | None, None) => Timing::Default,
    }
}
