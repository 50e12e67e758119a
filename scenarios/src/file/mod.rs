//! Scenario and suite files. A file is first parsed into a table with positions. Then each part reads its own table and
//! reports each error with its location and a fix.

mod catalog;
mod demand;
mod expect;
mod faults;
pub mod history_file;
mod lock_expectations;
mod lock_list;
mod locks;
mod nodes;
mod problem;
mod reader;
mod scenario;
pub mod schema;
mod settings;
pub mod shipped;
mod suite;
mod table;
mod trigger;
pub(crate) mod values;
mod words;

use std::io::Read;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

pub use self::catalog::{Catalog, FaultEntry, LockFormat, LockParams, WorkloadFormat};
pub use self::demand::{MOST_EVENTS, Pace, WorkloadConfig};
pub use self::expect::{CasePin, Expectation};
pub use self::faults::preset_keys;
pub use self::lock_list::{locks_of, select_locks};
pub use self::locks::{LockConfig, Timing};
pub use self::problem::Problem;
pub use self::reader::{Mistake, Reader};
pub use self::scenario::{LONGEST_RUN, Scenario};
pub use self::settings::{AfterUnknown, Clients, Explore, MOST_CLIENTS, Network, OnUnknown, Placeable, Transport};
pub use self::suite::Suite;
pub use self::trigger::STEPS;
pub use self::words::{quoted, suggestion};

pub(crate) use self::demand::{total_orders, total_units};
pub(crate) use self::expect::{ByProperty, CaseKeys};
pub(crate) use self::locks::LockKeys;
pub(crate) use self::nodes::group_words;
pub(crate) use self::scenario::Head;
pub(crate) use self::suite::SuiteKeys;
pub(crate) use self::trigger::{Common, allowed};

pub(crate) use self::problem::Report;
use self::table::Table;

/// A parsed file. A file with `scenarios` is a suite.
#[derive(Clone, Debug)]
pub enum File {
    /// A scenario, or a reproducer.
    Scenario(Box<Scenario>),
    /// A suite.
    Suite(Suite),
}

/// The maximum size of a file in bytes. Reproducers with all injections written out are smaller.
const LARGEST_FILE: u64 = 32 << 20;

/// Reads a file.
///
/// # Errors
/// If the file cannot be read or has errors. Errors are in the order of the file.
pub fn read(catalog: &Catalog, path: &Path) -> Result<File, Vec<Problem>> {
    let file = path.display().to_string();
    let bytes = match read_bytes(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let mut report = Report::new(&file, "");
            let help = "check the path; for the names of shipped scenarios, run `fencepost list scenarios`";
            report.add(0..0, format!("cannot read this file: {}", reason(&error)), help);
            return report.conclude(None);
        }
    };
    parse(catalog, &file, utf8(&file, &bytes)?)
}

/// Returns the text of a file. Replacing invalid UTF-8 could make different names equal.
pub(crate) fn utf8<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Vec<Problem>> {
    std::str::from_utf8(bytes).or_else(|error| {
        let mut report = Report::new(file, &String::from_utf8_lossy(bytes));
        let at = error.valid_up_to();
        let message = format!("this is not UTF-8: byte 0x{:02x} is not valid here", bytes[at]);
        report.add(at..at + '\u{fffd}'.len_utf8(), message, "save the file as UTF-8");
        report.conclude(None)
    })
}

fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(std::io::Error::other(format!("larger than {} MiB", LARGEST_FILE >> 20)));
    }
    Ok(bytes)
}

fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::IsADirectory => "it is a directory".into(),
        _ => error.to_string(),
    }
}

/// Parses the text of a scenario or suite. Messages refer to it as `file`, whose stem is the default `name`.
///
/// # Errors
/// The problems, in the order of the file.
pub fn parse(catalog: &Catalog, file: &str, text: &str) -> Result<File, Vec<Problem>> {
    let mut report = Report::new(file, text);
    let Some(root) = toml_table(&mut report, text) else { return report.conclude(None) };
    if root.is_empty() {
        report.add(0..0, "this file is empty", "begin with `run_for = \"60s\"`, or see `fencepost new`");
        return report.conclude(None);
    }
    let is_suite = root.contains_key("scenarios");
    let root = Table { name: format!("this {}", if is_suite { "suite" } else { "scenario" }), span: 0..0, items: root };
    let read = if is_suite {
        suite::suite(catalog, &mut report, file, root).map(File::Suite)
    } else {
        scenario::scenario(catalog, &mut report, file, root).map(|scenario| File::Scenario(Box::new(scenario)))
    };
    report.conclude(read)
}

/// Parses the text of a scenario.
///
/// # Errors
/// The problems, in the order of the file. A suite is a problem.
pub fn scenario(catalog: &Catalog, file: &str, text: &str) -> Result<Scenario, Vec<Problem>> {
    match parse(catalog, file, text)? {
        File::Scenario(scenario) => Ok(*scenario),
        File::Suite(_) => {
            Err(other_kind(file, text, "a suite", "a scenario: remove `scenarios`, or run it as a suite"))
        }
    }
}

/// Parses the text of a suite.
///
/// # Errors
/// The problems, in the order of the file. A scenario is a problem.
pub fn suite(catalog: &Catalog, file: &str, text: &str) -> Result<Suite, Vec<Problem>> {
    match parse(catalog, file, text)? {
        File::Suite(suite) => Ok(suite),
        File::Scenario(_) => Err(other_kind(file, text, "a scenario", "a suite: add `scenarios = [..]`")),
    }
}

fn other_kind(file: &str, text: &str, is: &str, wanted: &str) -> Vec<Problem> {
    let mut report = Report::new(file, text);
    report.add(0..0, format!("this is {is}"), format!("this must be {wanted}"));
    report.conclude::<()>(None).err().unwrap_or_default()
}

/// Parses the text of a file.
fn toml_table<'t>(report: &mut Report, text: &'t str) -> Option<DeTable<'t>> {
    let read = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let help = toml_help(text, span.start);
        report.push(span, format!("this is not TOML: {}", error.message().trim_end()), help);
    });
    read.ok().map(Spanned::into_inner)
}

/// Returns a fix for the most frequent mistake: a duration or name without quotes.
fn toml_help(text: &str, at: usize) -> Option<String> {
    let line_start = text.as_bytes()[..at.min(text.len())].iter().rposition(|&byte| byte == b'\n').map_or(0, |n| n + 1);
    let line = text.get(line_start..)?.lines().next()?;
    let (key, value) = line.split_once('=')?;
    let value = value.split('#').next()?.trim();
    let bare = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_:.()".contains(c));
    let number = value.parse::<f64>().is_ok();
    (bare && !number).then(|| format!("write durations and names in quotes: {} = \"{value}\"", key.trim()))
}
