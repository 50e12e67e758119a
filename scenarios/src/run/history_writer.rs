//! Writes the history of a simulated case in the format that `check` reads.

use std::io::{self, Write};

use fencepost_models::ResourceId;
use fencepost_models::history::Event;
use fencepost_sim::Occurrence;
use serde::Serialize;

use crate::file::history_file::line::{Function, Phase};
use crate::operations::{Action, End, LockOperation, Moment, Operations, Process};
use crate::run::case::node_name;
use crate::run::recorder::{TraceEvent, Watcher};

/// Records a case, and then writes its history.
#[derive(Default)]
pub struct HistoryWriter {
    operations: Operations,
    nodes: Vec<String>,
}

/// A line of the file. The most useful fields come first.
#[derive(Serialize)]
struct Fields {
    process: String,
    #[serde(rename = "type")]
    phase: Phase,
    f: Function,
    /// Omitted for the first lock, because most cases have only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    lock: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<u64>,
    /// True time in nanoseconds.
    time: u64,
    note: String,
}

impl HistoryWriter {
    /// Creates a writer for a case with these nodes.
    pub fn new(nodes: Vec<String>) -> Self {
        HistoryWriter { operations: Operations::default(), nodes }
    }

    /// Writes the recorded history.
    ///
    /// # Errors
    /// If `to` returns an error.
    pub fn write(self, mut to: impl Write) -> io::Result<()> {
        let HistoryWriter { operations, nodes } = self;
        let operations = operations.finish();
        let mut events: Vec<(Moment, Phase, &LockOperation)> = Vec::new();
        for operation in &operations {
            events.push((operation.invoked, Phase::Invoke, operation));
            let end = match operation.end {
                End::Ok => Phase::Ok,
                End::Fail => Phase::Fail,
                End::Info => Phase::Info,
            };
            events.extend(operation.returned.map(|returned| (returned, end, operation)));
        }
        events.sort_unstable_by_key(|(moment, ..)| moment.number);
        for (moment, phase, operation) in events {
            serde_json::to_writer(&mut to, &fields(&nodes, moment, phase, operation))?;
            to.write_all(b"\n")?;
        }
        to.flush()
    }
}

impl Watcher for HistoryWriter {
    fn record(&mut self, event: &TraceEvent<'_>) {
        match event.what {
            Occurrence::Note(entry) => self.operations.observe(event.at, entry),
            // The world records crashes; nodes do not.
            Occurrence::Crashed { node: client } => {
                self.operations.observe(event.at, &Event::ClientCrashed { client });
            }
            _ => {}
        }
    }
}

fn fields(nodes: &[String], moment: Moment, phase: Phase, operation: &LockOperation) -> Fields {
    let own = name(nodes, operation.process);
    // The service may end several grants at the same time, so each expiry needs its own process.
    let service = || format!("service-{}", operation.grant.0);
    let (f, process, owner, token) = match operation.action {
        Action::Acquire { token } => (Function::Acquire, own, None, token.filter(|_| phase == Phase::Ok)),
        Action::Release => (Function::Release, own, None, None),
        Action::Expire => (Function::Expire, service(), Some(own), None),
    };
    let lock = (operation.resource != ResourceId(0)).then(|| format!("lock-{}", operation.resource.0 + 1));
    Fields { process, phase, f, lock, owner, token, time: moment.at.0, note: format!("grant {}", operation.grant.0) }
}

/// Returns a name such as `client-1`, or `client-1/2` after its second crash.
fn name(nodes: &[String], process: Process) -> String {
    let client = node_name(nodes, process.client);
    if process.crashes == 0 { client } else { format!("{client}/{}", process.crashes) }
}

#[cfg(test)]
mod tests {
    use fencepost_models::history::{Ack, Cause, GrantId};
    use fencepost_sim::{NodeId, SimTime};

    use super::*;
    use crate::file::history_file::{CheckOptions, Format, read};
    use crate::property::Verdict;
    use crate::spec::Kind;

    #[test]
    fn check_reads_what_the_writer_writes() {
        let (client, server) = (NodeId(0), NodeId(1));
        let [one, two] = [GrantId(1), GrantId(2)];
        let events = [
            Event::AcquireInvoked { client, grant: one, resource: ResourceId(0) },
            Event::Granted { server, grant: one },
            Event::Acquired { client, grant: one, token: Some(7), validity: false },
            Event::ClientCrashed { client },
            Event::AcquireInvoked { client, grant: two, resource: ResourceId(0) },
            Event::Ended { server, grant: one, cause: Cause::Expired },
            Event::Granted { server, grant: two },
            Event::Acquired { client, grant: two, token: Some(8), validity: false },
            Event::ReleaseInvoked { client, grant: two },
            Event::Ended { server, grant: two, cause: Cause::Released(two) },
            Event::ReleaseReturned { client, grant: two, ack: Ack::Ok },
        ];
        let mut writer = HistoryWriter::new(vec!["client-1".into()]);
        for (n, event) in events.iter().enumerate() {
            writer.operations.observe(SimTime(n as u64), event);
        }
        let mut text = Vec::new();
        writer.write(&mut text).expect("a vector has no write errors");
        let text = String::from_utf8(text).expect("JSON is UTF-8");
        let third = r#"{"process":"client-1/1","type":"invoke","f":"acquire","time":4,"note":"grant 2"}"#;
        assert_eq!(text.lines().nth(2), Some(third));
        let expiry =
            r#"{"process":"service-1","type":"invoke","f":"expire","owner":"client-1","time":5,"note":"grant 1"}"#;
        assert_eq!(text.lines().nth(3), Some(expiry));
        let spec = Kind::Fenced;
        let history = read("h", &text, Format::JsonLines, spec).expect("the written history is valid");
        assert_eq!(history.entries.len(), 4);
        assert_eq!(history.check(CheckOptions { spec, permits: 1, budget: 100 }).verdict(), Verdict::Holds);
    }
}
