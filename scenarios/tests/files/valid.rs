//! Valid files parse to the expected values.

use std::time::Duration;

use fencepost_scenarios::file::{
    AfterUnknown, Clients, Expectation, File, Network, OnUnknown, Placeable, Scenario, Timing, Transport, parse,
    scenario, suite,
};
use fencepost_scenarios::property::Property;
use fencepost_scenarios::workload::{Guard, Inventory, Update, Workload};
use fencepost_sim::schedule::{Aim, OnStep, Target, Trigger, Which};
use fencepost_sim::units::Dist;

use crate::shipped::{SCENARIOS, SUITE, registry};
use fencepost_models::locks::RedlockParams;

fn parsed(name: &str) -> Scenario {
    let (_, text) = SCENARIOS.iter().find(|(known, _)| *known == name).unwrap();
    scenario(&registry(), &format!("{name}.toml"), text).unwrap_or_else(|problems| panic!("{}", problems[0]))
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn all_fixtures_parse() {
    for (name, text) in SCENARIOS {
        let parsed = parsed(name);
        assert_eq!(parsed.source, *text);
    }
}

#[test]
fn a_full_scenario_parses_to_its_values() {
    let read = parsed("gc-pause-inventory");
    assert_eq!((read.name.as_str(), read.run_for), ("gc-pause-inventory", 60 * SECOND));
    assert_eq!(read.locks, Some(vec!["redlock".to_string()]));
    assert_eq!((read.clients.orders, read.clients.hold), (Some(150), Dist::Uniform(Duration::ZERO, 2 * SECOND)));
    assert_eq!(read.lock.timing, Timing::Ttl(10 * SECOND));
    assert_eq!(read.lock.params["redlock"].downcast_ref::<RedlockParams>().unwrap().retry, 3);
    let inventory = Inventory { stock: 100, quantity: 1..=3, update: Update::Target, guard: Guard::None };
    assert_eq!(Workload::of_scenario(&read), &Workload::new(&inventory));
    assert_eq!(read.expect["redlock"][&Property::EffectExclusion], Expectation::Violated);
    let faults: Vec<_> = read.faults.iter().map(|fault| (fault.name.as_str(), fault.kind.name)).collect();
    let expected =
        [("gc", "pause"), ("clock-step-1", "clock-step"), ("partition-1", "partition"), ("after-grant", "pause")];
    assert_eq!(faults, expected);
    assert_eq!(read.faults[0].aim, Aim::Nodes(Target::Clients(Which::Any)));
    assert_eq!(read.faults[0].trigger, Trigger::Every(Dist::Exponential(5 * SECOND)));
    assert_eq!(read.faults[1].trigger, Trigger::At(12 * SECOND));
    assert_eq!((&read.faults[1].lasts, &read.faults[2].aim), (&None, &Aim::Own));
    let step = OnStep { client: Some("client-1".into()), step: "acquired".into(), nth: 1, after: Duration::ZERO };
    assert_eq!(read.faults[3].trigger, Trigger::On(step));
}

#[test]
fn link_faults_and_lock_tables_parse() {
    let read = parsed("late-release");
    assert_eq!(read.lock.timing, Timing::Effective(5 * SECOND));
    assert_eq!(read.lock.params.keys().collect::<Vec<_>>(), ["redis-set-px"]);
    assert_eq!((read.clients.on_unknown, read.clients.after_unknown), (OnUnknown::RetryWithId, AfterUnknown::Keep));
    assert_eq!((read.network.loss_per_million, read.network.transport), (10_000, Transport::Datagram));
    let (from, to) = (Target::Clients(Which::Holder), Target::Servers(Which::All));
    assert_eq!(read.faults[0].aim, Aim::Between { from, to, both_ways: false });
    assert_eq!(read.faults[1].aim, Aim::LinksOf(Target::Named("store".into())));
    let (from, to) = (Target::Named("client-1".into()), Target::Named("store".into()));
    assert_eq!(read.faults[2].aim, Aim::Between { from, to, both_ways: true });
}

#[test]
fn keys_left_out_have_the_documented_defaults() {
    let read = scenario(&registry(), "some/where/smallest.toml", "run_for = \"1m\"").unwrap();
    assert_eq!((read.name.as_str(), read.about.as_str()), ("smallest", ""));
    let ms = Duration::from_millis;
    let clients = Clients {
        count: 5,
        orders: None,
        think: Dist::Constant(ms(1)),
        hold: Dist::Constant(ms(0)),
        prepare: Dist::Constant(ms(0)),
        check_before_write: false,
        nested: 0,
        wait_at_most: 30 * SECOND,
        retry_delay: Duration::ZERO,
        on_unknown: OnUnknown::GiveUp,
        after_unknown: AfterUnknown::Release,
    };
    assert_eq!(read.clients, clients);
    assert_eq!((read.lock.timing, read.lock.params.len()), (Timing::Default, 0));
    let inventory = Inventory { stock: 100, quantity: 1..=1, update: Update::Target, guard: Guard::None };
    assert_eq!(Workload::of_scenario(&read), &Workload::new(&inventory));
    let latency = Dist::Uniform(ms(1), ms(5));
    assert_eq!(read.network, Network { latency, loss_per_million: 0, transport: Transport::Stream });
    assert_eq!(read.explore.menu, ["pause", "crash", "hold"].map(|name| Placeable::named(name).unwrap()));
    assert!(read.faults.is_empty() && read.expect.is_empty() && read.case.is_none() && read.locks.is_none());
    let registry = registry();
    let defaults = read.lock.params_of(registry.lock("redlock").unwrap());
    assert_eq!(defaults.downcast_ref::<RedlockParams>().unwrap().servers, 5);
}

#[test]
fn a_file_with_scenarios_is_a_suite() {
    let read = suite(&registry(), "nightly.toml", SUITE).unwrap();
    assert_eq!((read.name.as_str(), read.seeds), ("nightly", Some(1000)));
    assert_eq!(read.scenarios, ["gc-pause-inventory", "mine/split-brain.toml"]);
    assert_eq!(read.locks.unwrap(), ["redlock", "redis-set-px"]);
    assert!(matches!(parse(&registry(), "x.toml", "run_for = \"1s\""), Ok(File::Scenario(_))));
    assert!(scenario(&registry(), "x.toml", SUITE).unwrap_err()[0].message.contains("this is a suite"));
    assert!(suite(&registry(), "x.toml", "run_for = \"1s\"").unwrap_err()[0].message.contains("this is a scenario"));
}

#[test]
fn a_reproducer_pins_its_case() {
    let case = parsed("reproducer").case.unwrap();
    assert_eq!((case.lock.as_str(), case.seed, case.layout), ("redis-set-px", 17, 1));
    assert_eq!(case.expect[&Property::EffectExclusion], Expectation::Violated);
    assert!(case.bugs.is_empty() && case.trace.unwrap().starts_with("xxh3:"));
}

#[test]
fn tables_may_come_in_any_order_and_faults_keep_theirs() {
    let text = "[[fault.pause]]\ntarget='client-1'\nat='1s'\nlasts='1s'\n[[fault.crash]]\ntarget='store'\nat='2s'\n\
                [[fault.pause]]\ntarget='client-2'\nat='3s'\nlasts='1s'\n[clients]\ncount=2\n";
    let read = scenario(&registry(), "x.toml", &format!("run_for='9s'\n{text}")).unwrap();
    let names: Vec<_> = read.faults.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names, ["pause-1", "crash-1", "pause-2"]);
}

#[test]
fn a_preset_only_sets_keys_that_are_left_out() {
    let fault = |kind: &str, keys: &str| {
        let text = format!("run_for = \"60s\"\n[[fault.{kind}]]\nat = \"1s\"\n{keys}");
        let read = scenario(&registry(), "x.toml", &text).unwrap_or_else(|wrong| panic!("{wrong:#?}"));
        read.faults[0].clone()
    };
    let target = "target = \"client-1\"\n";
    let given = fault("pause", &format!("{target}preset = \"gc-full-old-heap\""));
    assert_eq!(given.lasts, Some("64s..80s".parse().unwrap()));
    let own = fault("pause", &format!("{target}preset = \"gc-full-old-heap\"\nlasts = \"70s\""));
    assert_eq!(own.lasts, Some("70s".parse().unwrap()));
    fault("partition", "preset = \"deaf-nic\"");
    fault("partition", "preset = \"deaf-nic\"\nsplit = [[\"client-1\"], [\"store\"]]");
    fault("crash", &format!("{target}preset = \"cell-outage\"\npermanent = true"));
}

#[test]
fn every_preset_is_valid_without_other_keys() {
    let kinds = fencepost_sim::faults::STANDARD;
    for (kind, preset) in kinds.iter().flat_map(|kind| kind.presets.iter().map(move |preset| (kind, preset))) {
        let partition = kind.name == "partition";
        let target = if partition { "" } else { "target = \"client-1\"" };
        let shape = if partition && !preset.keys.contains("shape") { "shape = \"isolate\"" } else { "" };
        let fault = format!("[[fault.{}]]\npreset = \"{}\"\nat = \"1s\"\n{target}\n{shape}", kind.name, preset.name);
        let text = format!("run_for = \"60s\"\n{fault}\n[network]\ntransport = \"stream\"");
        if let Err(wrong) = scenario(&registry(), "x.toml", &text) {
            panic!("{}: {wrong:#?}", preset.name);
        }
        assert!(!preset.about.is_empty() && !preset.source.is_empty());
    }
}
