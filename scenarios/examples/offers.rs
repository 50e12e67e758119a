//! Prints the tables of `docs/locks.md`: what each lock offers, its variants, and its bugs with their versions.
//!
//! ```sh
//! cargo run -p fencepost-scenarios --example offers
//! ```

use std::io::{self, Write};

use fencepost_models::BugInfo;
use fencepost_scenarios::registry::{LockEntry, Registry};

#[cfg_attr(test, expect(dead_code, reason = "the test calls `tables` alone"))]
fn main() -> io::Result<()> {
    io::stdout().write_all(tables().as_bytes())
}

/// Returns the tables.
pub fn tables() -> String {
    let registry = Registry::standard();
    let locks: String = registry.locks().iter().map(offers).collect();
    let variants: String = registry.locks().iter().map(|lock| variants(&registry, lock)).collect();
    let bugs: String = registry.bugs().map(|(lock, bug)| bug_row(lock, bug)).collect();
    format!(
        "| lock | token | check | loss notice | timeout | model checked against |\n|---|---|---|---|---|---|\n{locks}\n\
         | variant | what differs | source |\n|---|---|---|\n{variants}\n\
         | lock | bug | since | fixed in | default |\n|---|---|---|---|---|\n{bugs}"
    )
}

fn offers(lock: &LockEntry) -> String {
    let offers = lock.info.offers;
    let [token, check, loss_notice, timeout] =
        [offers.token, offers.check, offers.loss_notice, offers.timeout].map(|offer| offer.unwrap_or("none"));
    let verification = lock.info.verification.text();
    format!("| `{}` | {token} | {check} | {loss_notice} | {timeout} | {verification} |\n", lock.name())
}

fn variants(registry: &Registry, lock: &LockEntry) -> String {
    let row = |index: usize, variant: &fencepost_models::VariantInfo| {
        let default = if index == 0 { " (default)" } else { "" };
        format!("| `{}:{}`{default} | {} | {} |\n", lock.lock, variant.name, variant.about, variant.source)
    };
    let known = registry.variants_of(lock.lock).count();
    assert!(known == lock.info.variants.len().max(1), "{}: {known} variants are registered", lock.lock);
    lock.info.variants.iter().enumerate().map(|(index, variant)| row(index, variant)).collect()
}

fn bug_row(lock: &str, bug: &BugInfo) -> String {
    let default = if bug.default_on { "on" } else { "off" };
    format!("| `{lock}` | `{}` | {} | {} | {default} |\n", bug.name, bug.since, bug.fixed_in.unwrap_or("open"))
}
