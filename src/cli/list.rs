//! `fencepost list`: lists locks, classes of locks, scenarios, suites, faults, workloads, properties and bugs.

mod locks;
mod wrap;

use clap::ValueEnum;
use fencepost_models::Class;
use fencepost_reports::text::visible;
use fencepost_scenarios::file::shipped;
use fencepost_scenarios::file::{self, File, preset_keys};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::registry::{Registry, WorkloadEntry};
use fencepost_sim::faults::{FaultInfo, Preset};
use serde_json::{Value, json};

use self::wrap::wrapped;
use super::exit::{Exit, Failure};
use super::screen::{Format, print, print_json, width};

/// The arguments of `list`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What to list
    #[arg(value_enum)]
    what: What,
    /// The format of stdout
    #[arg(long, value_enum, default_value_t, env = "FENCEPOST_FORMAT")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Locks,
    Scenarios,
    Suites,
    Faults,
    Workloads,
    Properties,
    Bugs,
    Classes,
}

/// Runs `list`.
pub(super) fn list(registry: &Registry, arguments: &Arguments) -> Result<Exit, Failure> {
    let entries = match arguments.what {
        What::Locks => registry.locks().iter().map(locks::entry).collect(),
        What::Scenarios => (shipped::SCENARIOS.iter().chain(shipped::SEARCHES))
            .map(|(name, text)| shipped_file(registry, name, text))
            .collect(),
        What::Suites => shipped::SUITES.iter().map(|(name, text)| shipped_file(registry, name, text)).collect(),
        What::Faults => registry.faults().iter().map(|fault| fault_entry(fault.info)).collect(),
        What::Workloads => workloads(registry),
        What::Properties => properties(),
        What::Bugs => bugs(registry),
        What::Classes => classes(registry),
    };
    match arguments.format {
        Format::Human => print(&text(registry, arguments.what, &entries))?,
        Format::Json => print_json(&entries)?,
    }
    Ok(Exit::Done)
}

fn workloads(registry: &Registry) -> Vec<Value> {
    let entry = |workload: &WorkloadEntry| json!({ "name": workload.info.name, "use_case": workload.info.use_case, "unit": workload.info.unit, "about": workload.info.about });
    registry.workloads().iter().map(entry).collect()
}

fn fault_entry(fault: &FaultInfo) -> Value {
    let preset = |preset: &Preset| json!({ "name": preset.name, "about": preset.about, "source": preset.source, "keys": preset_keys(preset) });
    let presets: Vec<Value> = fault.presets.iter().map(preset).collect();
    json!({ "name": fault.name, "about": fault.about, "presets": presets })
}

fn properties() -> Vec<Value> {
    let entry = |property: Property| {
        json!({
            "name": property.name(),
            "requirement": property.requirement(),
            "about": property.about(),
            "violated_if": property.violated_if(),
            "not_applicable": property.not_applicable(),
        })
    };
    Property::ALL.into_iter().map(entry).collect()
}

fn classes(registry: &Registry) -> Vec<Value> {
    let entry = |class: Class| {
        let name = format!("@{}", class.name());
        json!({ "name": name, "about": class.about(), "locks": file::locks_of(registry, class) })
    };
    Class::ALL.into_iter().map(entry).collect()
}

fn bugs(registry: &Registry) -> Vec<Value> {
    let entry = |(lock, bug)| {
        let mut entry = json!(bug);
        entry["lock"] = json!(lock);
        entry
    };
    registry.bugs().map(entry).collect()
}

/// Returns the entry of a shipped file. If it does not parse because the registry lacks a name in it, `about` is empty.
fn shipped_file(registry: &Registry, name: &str, text: &str) -> Value {
    match file::parse(registry, &format!("{name}.toml"), text) {
        Ok(File::Scenario(scenario)) => json!({ "name": name, "about": scenario.about }),
        Ok(File::Suite(suite)) => {
            json!({ "name": name, "about": suite.about, "seeds": suite.seeds, "scenarios": suite.scenarios })
        }
        Err(_) => json!({ "name": name, "about": "" }),
    }
}

/// The maximum line width in columns, for readability.
const WIDEST: usize = 100;

fn text(registry: &Registry, what: What, entries: &[Value]) -> String {
    let width = WIDEST.min(width().into());
    match what {
        What::Locks => {
            let blocks: Vec<String> = registry.locks().iter().map(|lock| locks::block(lock, width)).collect();
            blocks.join("\n")
        }
        What::Faults => entries.iter().map(|fault| fault_text(fault, width)).collect(),
        What::Bugs => entries.iter().map(|bug| bug_text(bug, width)).collect(),
        What::Classes => entries.iter().map(|class| class_text(class, width)).collect(),
        _ => table(entries),
    }
}

fn fault_text(fault: &Value, width: usize) -> String {
    let text = |entry: &Value, key: &str| visible(entry[key].as_str().unwrap_or_default());
    let head = wrapped(&format!("{}: {}", text(fault, "name"), text(fault, "about")), width, 2);
    let preset = |preset: &Value| {
        let keys = preset["keys"].as_object().into_iter().flatten();
        let keys: Vec<String> = keys.map(|(key, value)| visible(&format!("{key} = {value}")).to_string()).collect();
        let shown = format!("  preset {}: {} ({})", text(preset, "name"), text(preset, "about"), keys.join(", "));
        wrapped(&shown, width, 4) + &wrapped(&format!("    source: {}", text(preset, "source")), width, 6)
    };
    head + &fault["presets"].as_array().into_iter().flatten().map(preset).collect::<String>()
}

fn class_text(class: &Value, width: usize) -> String {
    let text = |key: &str| visible(class[key].as_str().unwrap_or_default());
    let locks: Vec<&str> = class["locks"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let head = wrapped(&format!("{}: {}", text("name"), text("about")), width, 2);
    head + &wrapped(&format!("  {}", locks.join(", ")), width, 2)
}

fn bug_text(bug: &Value, width: usize) -> String {
    let text = |key: &str| visible(bug[key].as_str().unwrap_or_default());
    let head = wrapped(&format!("{} [{}]: {}", text("name"), text("lock"), text("about")), width, 2);
    let shown = format!("  visible in scenario {}, property {}", text("scenario"), text("property"));
    head + &wrapped(&shown, width, 4) + &wrapped(&format!("  source: {}", text("source")), width, 4)
}

fn table(entries: &[Value]) -> String {
    let text = |entry: &Value, key: &str| visible(entry[key].as_str().unwrap_or_default());
    let widest = entries.iter().map(|entry| text(entry, "name").chars().count()).max().unwrap_or(0);
    let line = |entry: &Value| {
        let lock = entry["lock"].as_str().map(|lock| format!("[{lock}] ")).unwrap_or_default();
        let unit = entry["unit"].as_str().map(|unit| format!(" ({}; harm in {unit})", text(entry, "use_case")));
        let (name, about) = (text(entry, "name"), text(entry, "about"));
        format!("{name:<widest$}  {lock}{about}{}\n", unit.unwrap_or_default())
    };
    entries.iter().map(line).collect()
}
