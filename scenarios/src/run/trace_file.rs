//! The trace of a case as JSON Lines: one event a line, each with its true time. Nothing in a line depends on what is
//! still to come, so that two schedules give the same lines up to the first fault that only one of them has.

use std::io::{self, Write};

use fencepost_sim::LAYOUT;
use serde_json::{Map, Value, json};

use crate::run::recorder::{Sighting, Watcher};

/// Writes the trace of one case.
pub struct TraceFile<W: Write> {
    writer: W,
    nodes: Vec<String>,
    /// The first error: nothing is written after it.
    broken: Option<io::Error>,
}

impl<W: Write> TraceFile<W> {
    /// Begins a trace with the line that names the nodes.
    pub fn new(writer: W, nodes: Vec<String>) -> Self {
        let mut trace = TraceFile { writer, nodes, broken: None };
        // The keys of a `Value` are sorted, but the time is to stand first.
        let first = format!(r#"{{"t_ns":0,"nodes":{},"layout":{LAYOUT}}}"#, json!(trace.nodes));
        trace.write_line(&first);
        trace
    }

    /// Ends the trace.
    ///
    /// # Errors
    /// The first error of the writer, whenever it came.
    pub fn into_inner(mut self) -> io::Result<W> {
        self.finish()?;
        Ok(self.writer)
    }

    /// Ends the trace, where a case still shares it.
    ///
    /// # Errors
    /// The first error of the writer, whenever it came.
    pub fn finish(&mut self) -> io::Result<()> {
        match self.broken.take() {
            Some(error) => Err(error),
            None => self.writer.flush(),
        }
    }

    fn write_line(&mut self, line: &str) {
        if self.broken.is_none() {
            self.broken = writeln!(self.writer, "{line}").err();
        }
    }
}

impl<W: Write> Watcher for TraceFile<W> {
    fn see(&mut self, sighting: &Sighting<'_>) {
        if self.broken.is_some() {
            return;
        }
        let line = self.line(sighting.at.0, sighting.what);
        self.write_line(&line);
    }
}

/// An event without fields is a bare string in JSON; here it has an empty object, so that all lines look alike.
fn kind_and_fields(what: &Value) -> (&str, Map<String, Value>) {
    let (kind, body) = match what {
        Value::String(kind) => return (kind, Map::new()),
        Value::Object(event) => event.iter().next().expect("an event has a kind"),
        _ => unreachable!("an event is a string or an object"),
    };
    match body {
        Value::Object(fields) => (kind, fields.clone()),
        other => (kind, Map::from_iter([("is".to_owned(), other.clone())])),
    }
}

impl<W: Write> TraceFile<W> {
    fn line(&self, t_ns: u64, what: &Value) -> String {
        let (kind, mut fields) = kind_and_fields(what);
        if kind == "note" {
            fields.values_mut().for_each(|event| self.name_nodes(event));
        }
        fields.iter_mut().for_each(|(key, value)| self.name_node(key, value));
        format!(r#"{{"t_ns":{t_ns},{}:{}}}"#, json!(kind), Value::Object(fields))
    }

    fn name_nodes(&self, fields: &mut Value) {
        for (key, value) in fields.as_object_mut().into_iter().flatten() {
            self.name_node(key, value);
        }
    }

    /// Puts names for node numbers. Messages are left as they were sent.
    fn name_node(&self, key: &str, value: &mut Value) {
        match key {
            "from" | "to" | "node" | "peer" | "client" | "server" => self.put_name(value),
            "nodes" | "links" => self.put_names(value),
            _ => {}
        }
    }

    fn put_names(&self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.put_names(value)),
            value => self.put_name(value),
        }
    }

    fn put_name(&self, value: &mut Value) {
        if let Some(name) = value.as_u64().and_then(|id| self.nodes.get(id as usize)) {
            *value = Value::String(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_have_names_and_messages_stay_as_they_were_sent() {
        let trace = TraceFile::new(Vec::new(), vec!["client-1".into(), "redis-1".into()]);
        let delivered = json!({"delivered": {"from": 0, "to": 1, "message": {"lock": {"node": 1}}}});
        let line = r#"{"t_ns":7,"delivered":{"from":"client-1","message":{"lock":{"node":1}},"to":"redis-1"}}"#;
        assert_eq!(trace.line(7, &delivered), line);
        let note = json!({"note": {"granted": {"server": 1, "grant": 1}}});
        assert_eq!(trace.line(7, &note), r#"{"t_ns":7,"note":{"granted":{"grant":1,"server":"redis-1"}}}"#);
        assert_eq!(trace.line(7, &json!("healed")), r#"{"t_ns":7,"healed":{}}"#);
    }

    #[test]
    fn a_writer_that_fails_is_reported_in_the_end() {
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
