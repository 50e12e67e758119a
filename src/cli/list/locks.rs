//! `fencepost list locks`: prints a block for each lock.

use fencepost_reports::text::visible;
use fencepost_scenarios::registry::LockEntry;
use fencepost_sim::units::Span;
use serde_json::{Value, json};

use super::wrap::wrapped;

/// The width of the labels in columns.
const LABEL: usize = 16;

/// Returns the lock as JSON.
pub(super) fn entry(lock: &LockEntry) -> Value {
    let mut entry = json!(lock.info);
    entry["defaults"] = lock.defaults();
    entry["effective_expiry_s"] = json!(lock.default_expiry().map(|expiry| expiry.as_secs_f64()));
    entry
}

/// Returns the lock as text, in lines of at most `width` columns.
pub(super) fn block(lock: &LockEntry, width: usize) -> String {
    let mut text = wrapped(&format!("{}: {}", visible(lock.name()), visible(lock.info.about)), width, 2);
    for (label, value) in facts(lock) {
        let label = format!("  {label:<LABEL$}");
        text += &wrapped(&(label + &visible(&value)), width, LABEL + 2);
    }
    text
}

fn facts(lock: &LockEntry) -> Vec<(&'static str, String)> {
    let info = &lock.info;
    let mut facts = vec![
        ("model", info.verification.text()),
        ("family", info.family.text().to_owned()),
        ("ends a grant", info.expiry.text().to_owned()),
        ("defaults", defaults(&lock.defaults())),
        ("expires after", lock.default_expiry().map_or("never".to_owned(), |expiry| Span(expiry).to_string())),
        ("token", info.offers.token.unwrap_or("none").to_owned()),
        ("check", info.offers.check.unwrap_or("none").to_owned()),
        ("loss notice", info.offers.loss_notice.unwrap_or("none").to_owned()),
        ("timeout", info.offers.timeout.unwrap_or("none").to_owned()),
        ("re-acquire", info.reentrancy.text().to_owned()),
    ];
    facts.extend(traits(lock));
    let promises = info.promises.iter().map(|promise| {
        let (requirement, answer) = (promise.requirement.name(), promise.answer.name());
        format!("{requirement}: {answer} – {} [{}]", promise.says, promise.source)
    });
    facts.extend(promises.map(|promise| ("promise", promise)));
    facts.extend(info.flawed_defaults.iter().map(|flaw| ("flaw", (*flaw).to_owned())));
    facts.extend(info.bugs.iter().map(|bug| ("bug", format!("{}: {}", bug.name, bug.about))));
    facts.extend(info.sources.iter().map(|source| ("source", (*source).to_owned())));
    facts
}

/// Returns the traits that only some locks have.
fn traits(lock: &LockEntry) -> impl Iterator<Item = (&'static str, String)> + use<> {
    let info = lock.info;
    let known = [
        (info.in_store, "runs in the store that it guards"),
        (info.owner_txn, "its service can hold the data and check the owner in the write (guard owner-txn)"),
        (info.fifo, "grants in order of arrival"),
        (!info.grants, "has no grants"),
    ];
    known.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| ("trait", words.to_owned()))
}

/// Formats parameters in the syntax of scenario files.
fn defaults(params: &Value) -> String {
    let keys = params.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let keys: Vec<String> = keys.map(|(key, value)| format!("{key} = {value}")).collect();
    if keys.is_empty() { "no parameters".into() } else { keys.join(", ") }
}
