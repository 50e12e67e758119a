//! Swarm cases: each draws a subset of the scenario's faults and settings. Some violations show only without a fault
//! that would otherwise hide them.
//!
//! After Groce, Zhang, Eide, Chen and Regehr, Swarm Testing (ISSTA 2012).

use std::fmt::{self, Display, Formatter};

use fencepost_sim::stream::Streams;
use fencepost_sim::text::counted;
use fencepost_sim::units::Dist;
use toml::{Table, Value};

use crate::file::{Clients, Scenario};
use crate::run::case_result::FaultTally;

/// The faults and settings that a case of a swarm draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// For each fault of the scenario, whether the case has it.
    pub faults: Vec<bool>,
    /// The number of clients.
    pub clients: u16,
    /// The keys of `[clients]` that have their defaults instead of the scenario's values.
    pub without: Vec<&'static str>,
    names: Vec<String>,
}

/// Each fault is in half of the cases.
const FAULT_PER_MILLION: u32 = 500_000;
/// Each setting is omitted in 30 % of the cases.
const WITHOUT_PER_MILLION: u32 = 300_000;

impl Choice {
    /// Draws the choice of the case with this seed. It has at least one fault, and at least two clients if the scenario
    /// has them. It has all clients if a fault names one.
    pub fn draw(scenario: &Scenario, seed: u64) -> Self {
        let mut stream = Streams::new(seed).stream("swarm");
        let mut faults: Vec<bool> = scenario.faults.iter().map(|_| stream.chance(FAULT_PER_MILLION)).collect();
        let spare = stream.between(0, faults.len().saturating_sub(1) as u64) as usize;
        if !faults.contains(&true) && !faults.is_empty() {
            faults[spare] = true;
        }
        let most = scenario.clients.count;
        let drawn = stream.between(most.min(2).into(), most.into()) as u16;
        let clients = if names_clients(scenario, &faults) { most } else { drawn };
        let set = settings(&scenario.clients);
        let without = set.into_iter().filter(|(_, is_set)| stream.chance(WITHOUT_PER_MILLION) && *is_set);
        let without = without.map(|(key, _)| key).collect();
        let names = scenario.faults.iter().map(|plan| plan.name.clone()).collect();
        Choice { faults, clients, without, names }
    }

    /// Returns the scenario of the single case. The result is not a swarm, so it can be run, shrunk and written.
    pub fn applied(&self, scenario: &Scenario) -> Scenario {
        let mut alone = scenario.clone();
        alone.swarm = false;
        alone.faults =
            scenario.faults.iter().zip(&self.faults).filter(|(_, has)| **has).map(|(p, _)| p.clone()).collect();
        alone.clients.count = self.clients;
        let default = Clients::default();
        for key in &self.without {
            match *key {
                THINK => alone.clients.think = default.think,
                HOLD => alone.clients.hold = default.hold,
                PREPARE => alone.clients.prepare = default.prepare,
                _ => alone.clients.check_before_write = default.check_before_write,
            }
        }
        alone
    }

    /// Returns the text of the scenario of the single case.
    pub fn written(&self, scenario: &Scenario) -> String {
        let Ok(mut root) = scenario.source.parse::<Table>() else { return scenario.source.clone() };
        root.remove("swarm");
        if let Some(Value::Table(kinds)) = root.get_mut("fault") {
            for (kind, plans) in kinds.iter_mut() {
                let mine = scenario.faults.iter().zip(&self.faults).filter(|(plan, _)| plan.kind.name == kind);
                let Value::Array(written) = plans else { continue };
                // Default names number the faults of a kind and select random streams. Write them before removing any.
                for (one, (plan, _)) in written.iter_mut().zip(mine.clone()) {
                    if let Value::Table(keys) = one {
                        keys.insert("name".into(), Value::String(plan.name.clone()));
                    }
                }
                let mut has = mine.map(|(_, has)| *has);
                written.retain(|_| has.next().unwrap_or(true));
            }
            kinds.retain(|_, plans| plans.as_array().is_none_or(|plans| !plans.is_empty()));
        }
        let clients = root.entry("clients").or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(clients) = clients {
            clients.insert("count".into(), Value::Integer(self.clients.into()));
            self.without.iter().for_each(|key| drop(clients.remove(*key)));
        }
        root.to_string()
    }

    /// Returns the index in the scenario of a fault of the single case.
    pub(crate) fn scenario_index(&self, own: usize) -> usize {
        let mut chosen = self.faults.iter().enumerate().filter(|(_, has)| **has).map(|(index, _)| index);
        chosen.nth(own).unwrap_or(own)
    }

    /// Spreads the tallies of the case's faults over all faults of the scenario.
    pub(crate) fn spread(&self, tallies: &[FaultTally]) -> Vec<FaultTally> {
        let mut tallies = tallies.iter().copied();
        self.faults.iter().map(|has| has.then(|| tallies.next()).flatten().unwrap_or_default()).collect()
    }
}

const THINK: &str = "think";
const HOLD: &str = "hold";
const PREPARE: &str = "prepare";
const CHECK: &str = "check_before_write";

/// Returns the settings that a case may omit, and whether the scenario sets them.
fn settings(clients: &Clients) -> [(&'static str, bool); 4] {
    let default = Clients::default();
    let is_set = |mine: &Dist, default: &Dist| mine != default;
    [
        (THINK, is_set(&clients.think, &default.think)),
        (HOLD, is_set(&clients.hold, &default.hold)),
        (PREPARE, is_set(&clients.prepare, &default.prepare)),
        (CHECK, clients.check_before_write),
    ]
}

/// Returns whether one of the drawn faults names a client. All clients must then exist.
fn names_clients(scenario: &Scenario, faults: &[bool]) -> bool {
    let chosen = scenario.faults.iter().zip(faults).filter(|(_, has)| **has);
    chosen.into_iter().any(|(plan, _)| format!("{plan:?}").contains("client-"))
}

/// For example `3 clients, without think; gc, ntp`.
impl Display for Choice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&counted(self.clients, "client"))?;
        if !self.without.is_empty() {
            write!(f, ", without {}", self.without.join(" and "))?;
        }
        let chosen = self.names.iter().zip(&self.faults).filter(|(_, has)| **has);
        let chosen: Vec<&str> = chosen.map(|(name, _)| name.as_str()).collect();
        write!(f, "; {}", if chosen.is_empty() { "no fault".into() } else { chosen.join(", ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file;
    use crate::run::registry::Registry;

    const TEXT: &str = r#"
name = "some"
run_for = "20s"
swarm = true

[clients]
count = 6
think = "exp(100ms)"
hold = "0ms..1s"
check_before_write = true

[[fault.pause]]
target = "client:any"
every = "exp(5s)"
lasts = "1s"

[[fault.pause]]
target = "server:any"
every = "exp(5s)"
lasts = "2s"

[[fault.clock-step]]
name = "ntp"
target = "server:any"
every = "exp(5s)"
by = "5s"
"#;

    fn read(text: &str) -> Scenario {
        file::scenario(&Registry::standard(), "some.toml", text).unwrap_or_else(|wrong| panic!("{wrong:#?}"))
    }

    #[test]
    fn draws_vary_and_have_a_fault() {
        let scenario = read(TEXT);
        let choices: Vec<Choice> = (0..200).map(|seed| Choice::draw(&scenario, seed)).collect();
        assert!(choices.iter().all(|choice| choice.faults.contains(&true) && (2..=6).contains(&choice.clients)));
        for fault in 0..3 {
            let with = choices.iter().filter(|choice| choice.faults[fault]).count();
            assert!((80..150).contains(&with), "fault {fault} is in {with} of 200 cases");
        }
        for key in [THINK, HOLD, CHECK] {
            let without = choices.iter().filter(|choice| choice.without.contains(&key)).count();
            assert!((35..85).contains(&without), "{without} of 200 cases are without {key}");
        }
        assert!(choices.iter().all(|choice| !choice.without.contains(&PREPARE)), "the scenario does not set `prepare`");
        assert_eq!(Choice::draw(&scenario, 7), Choice::draw(&scenario, 7));
    }

    #[test]
    fn a_client_that_a_fault_names_exists() {
        let scenario = read(&TEXT.replace("client:any", "client-6"));
        for choice in (0..50).map(|seed| Choice::draw(&scenario, seed)) {
            assert!(choice.clients == 6 || !choice.faults[0], "{choice}");
        }
    }

    #[test]
    fn the_text_of_a_choice_parses_to_its_scenario() {
        let scenario = read(TEXT);
        for seed in 0..50 {
            let choice = Choice::draw(&scenario, seed);
            let (applied, written) = (choice.applied(&scenario), read(&choice.written(&scenario)));
            assert_eq!(applied.clients, written.clients, "{choice}");
            let by_name = |scenario: &Scenario| {
                let mut plans: Vec<String> = scenario.faults.iter().map(|plan| format!("{plan:?}")).collect();
                plans.sort();
                plans
            };
            assert_eq!(by_name(&applied), by_name(&written), "{choice}");
            assert!(!applied.swarm && !written.swarm);
        }
    }

    #[test]
    fn a_choice_displays_as_one_line() {
        let names = vec!["gc".into(), "cut".into(), "ntp".into()];
        let choice = Choice { faults: vec![true, false, true], clients: 3, without: vec![THINK, HOLD], names };
        assert_eq!(choice.to_string(), "3 clients, without think and hold; gc, ntp");
        let counted = FaultTally { planned: 2, fired: 1, touched: 0 };
        assert_eq!([choice.scenario_index(0), choice.scenario_index(1)], [0, 2]);
        assert_eq!(choice.spread(&[counted, counted]), [counted, FaultTally::default(), counted]);
    }
}
