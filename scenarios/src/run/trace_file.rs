//! The trace of a case as JSON Lines: one event per line, with its true time. No line depends on later events. Two
//! schedules therefore produce the same lines up to the first fault in which they differ.

use std::io::{self, Write};

use fencepost_models::history::Event;
use fencepost_sim::{LAYOUT, NodeId, Occurrence, SimTime};
use serde_json::{Value, json};

use crate::run::recorder::{TraceEvent, TraceMessage, Watcher};

/// Writes the trace of one case.
pub struct TraceFile<W: Write> {
    writer: W,
    nodes: Vec<String>,
    /// The first error of the writer. No line is written after it.
    error: Option<io::Error>,
}

impl<W: Write> TraceFile<W> {
    /// Starts a trace with the line that names the nodes.
    pub fn new(writer: W, nodes: Vec<String>) -> Self {
        let mut trace = TraceFile { writer, nodes, error: None };
        // The time comes first, and a `Value` would sort its keys.
        let first = format!(r#"{{"t_ns":0,"nodes":{},"layout":{LAYOUT}}}"#, json!(trace.nodes));
        trace.write_line(&first);
        trace
    }

    /// Flushes the trace and returns the writer.
    ///
    /// # Errors
    /// The first error of the writer since the start.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.finish()?;
        Ok(self.writer)
    }

    /// Flushes the trace.
    ///
    /// # Errors
    /// The first error of the writer since the start.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.writer.flush(),
        }
    }

    fn write_line(&mut self, line: &str) {
        if self.error.is_none() {
            self.error = writeln!(self.writer, "{line}").err();
        }
    }
}

impl<W: Write> Watcher for TraceFile<W> {
    fn record(&mut self, event: &TraceEvent<'_>) {
        if self.error.is_none() {
            let line = self.line(event.at, &event.what);
            self.write_line(&line);
        }
    }
}

impl<W: Write> TraceFile<W> {
    fn line(&self, at: SimTime, what: &Occurrence<'_, dyn TraceMessage, Event>) -> String {
        let (kind, fields) = self.kind_and_fields(what);
        format!(r#"{{"t_ns":{},"{kind}":{fields}}}"#, at.0)
    }

    /// Returns the event's kind and fields, with node names in place of numbers. Messages are unchanged.
    fn kind_and_fields(&self, what: &Occurrence<'_, dyn TraceMessage, Event>) -> (&'static str, Value) {
        let name = |node: &NodeId| self.name(*node);
        match what {
            Occurrence::Delivered { from, to, sent_ns, message } => {
                let message = message.json();
                ("delivered", json!({"from": name(from), "to": name(to), "sent_ns": sent_ns, "message": message}))
            }
            Occurrence::Lost { from, to, message } => {
                ("lost", json!({"from": name(from), "to": name(to), "message": message.json()}))
            }
            Occurrence::Connected { client, server } => {
                ("connected", json!({"client": name(client), "server": name(server)}))
            }
            Occurrence::Refused { node, peer } => ("refused", json!({"node": name(node), "peer": name(peer)})),
            Occurrence::Reset { node, peer } => ("reset", json!({"node": name(node), "peer": name(peer)})),
            Occurrence::Timer { node } => ("timer", json!({"node": name(node)})),
            Occurrence::Continued { node } => ("continued", json!({"node": name(node)})),
            Occurrence::Step { node, step } => ("step", json!({"node": name(node), "step": step})),
            Occurrence::FaultBegan { fault, kind, nodes, links } => {
                let nodes: Vec<Value> = nodes.iter().map(name).collect();
                let links: Vec<[Value; 2]> = links.iter().map(|(from, to)| [name(from), name(to)]).collect();
                ("fault-began", json!({"fault": fault, "kind": kind, "nodes": nodes, "links": links}))
            }
            Occurrence::FaultEnded { fault, .. } => ("fault-ended", json!({"fault": fault})),
            Occurrence::Crashed { node } => ("crashed", json!({"node": name(node)})),
            Occurrence::Restarted { node } => ("restarted", json!({"node": name(node)})),
            Occurrence::Healed => ("healed", json!({})),
            Occurrence::Note(event) => ("note", self.note(event)),
            Occurrence::Led { node, leads } => ("led", json!({"node": name(node), "leads": leads})),
        }
    }

    fn note(&self, event: &Event) -> Value {
        let mut note = serde_json::to_value(event).expect("events are plain data");
        for (key, node) in [("client", event.client()), ("server", event.server())] {
            if let (Some(node), Some(fields)) = (node, note.as_object_mut().and_then(|note| note.values_mut().next())) {
                fields[key] = self.name(node);
            }
        }
        note
    }

    /// Returns the name of a node, or its number if it has no name.
    fn name(&self, node: NodeId) -> Value {
        self.nodes.get(node.index()).map_or_else(|| json!(node), |name| json!(name))
    }
}

#[cfg(test)]
mod tests {
    use fencepost_models::history::GrantId;

    use super::*;

    struct Text;

    impl TraceMessage for Text {
        fn text(&self) -> String {
            unreachable!("a trace file contains JSON")
        }

        fn json(&self) -> Value {
            json!({"lock": {"node": 1}})
        }
    }

    #[test]
    fn nodes_are_named_and_messages_are_unchanged() {
        let trace = TraceFile::new(Vec::new(), vec!["client-1".into(), "redis-1".into()]);
        let line = |what| trace.line(SimTime(7), &what);
        let (from, to) = (NodeId(0), NodeId(1));
        let delivered =
            r#"{"t_ns":7,"delivered":{"from":"client-1","message":{"lock":{"node":1}},"sent_ns":5,"to":"redis-1"}}"#;
        assert_eq!(line(Occurrence::Delivered { from, to, sent_ns: 5, message: &Text }), delivered);
        let granted = Event::Granted { server: to, grant: GrantId(1) };
        let note = r#"{"t_ns":7,"note":{"granted":{"grant":1,"server":"redis-1"}}}"#;
        assert_eq!(line(Occurrence::Note(&granted)), note);
        assert_eq!(line(Occurrence::Healed), r#"{"t_ns":7,"healed":{}}"#);
    }

    #[test]
    fn finish_returns_the_first_error_of_the_writer() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::other("full"))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert_eq!(TraceFile::new(Full, Vec::new()).finish().unwrap_err().to_string(), "full");
    }
}
