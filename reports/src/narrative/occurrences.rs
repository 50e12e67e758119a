//! What a teller says of things that are no events of the history: faults, messages, connections, timers.

use fencepost_models::history::GrantId;
use fencepost_sim::{Clocks, NodeId, SimTime};
use serde_json::Value;

use super::clocks::{ahead, mark, seconds};
use super::faults::{Begun, News};
use super::messages;
use super::teller::{Item, Line, Teller};

impl Teller {
    /// Takes an occurrence as it stands in the trace.
    pub(super) fn see_occurrence(&mut self, at: SimTime, clocks: &Clocks, what: &Value) {
        let (kind, fields) = match what {
            Value::Object(tagged) => match tagged.iter().next() {
                Some((kind, fields)) => (kind.as_str(), fields),
                None => return,
            },
            Value::String(kind) => (kind.as_str(), &Value::Null),
            _ => return,
        };
        match kind {
            "fault-began" => {
                let fault = Begun::read(fields);
                if !self.focus.tells(at) {
                    self.fold.count_fault(at, &fault.name);
                }
                let news = self.faults.begin(at, clocks, fault, &self.cast);
                self.tell_news(at, clocks, news);
            }
            "fault-ended" => self.faults.ending(fields["fault"].as_str().unwrap_or_default()),
            "crashed" => {
                let news = self.faults.crashed(at, node(fields, "node"));
                self.tell_news(at, clocks, vec![news]);
            }
            "restarted" => {
                let node = Some(node(fields, "node"));
                self.tell_news(at, clocks, vec![News { at, node, words: "is up again".to_owned() }]);
            }
            "led" => self.tell_leader(at, clocks, fields),
            "healed" => self.heal(at),
            "delivered" | "lost" => self.see_message(at, clocks, fields),
            other if self.full && self.listen(at) => self.tell_detail(at, clocks, other, fields),
            _ => {}
        }
    }

    /// Tells of faults, each with the clocks of its node as they are now.
    pub(super) fn tell_news(&mut self, now: SimTime, clocks: &Clocks, news: Vec<News>) {
        for News { at, node, words } in news {
            if !self.listen(at) {
                continue;
            }
            self.flush(true);
            let clocks = node.map_or(String::new(), |node| mark(ahead(clocks, node, now)));
            let name = node.map_or(String::new(), |node| self.cast.name(node).to_owned());
            self.items.push(Item::Line(Line::new(at, name, clocks, words)));
        }
    }

    fn heal(&mut self, at: SimTime) {
        match self.silent_since {
            Some(since) => {
                self.leave_out(since, at);
                self.silent_since = Some(at);
            }
            None => self.flush_all(),
        }
        let words = "healing: all faults are over, and each client tries once to get the lock".to_owned();
        self.items.push(Item::Chapter { at, words });
    }

    /// Messages are told where all is told; where not, those that were lost or late and matter.
    fn see_message(&mut self, at: SimTime, clocks: &Clocks, fields: &Value) {
        let message = &fields["message"];
        let took = fields["sent_ns"].as_u64().map(|sent| at.0.saturating_sub(sent));
        let late = took.is_none_or(|took| took > self.late_ns);
        let grant = messages::grant(message).map(GrantId);
        let matters = late && grant.is_some_and(|grant| self.focus.knows(grant));
        if !(self.full || matters) || !self.listen(at) {
            return;
        }
        self.flush(false);
        let (from, to) = (node(fields, "from"), node(fields, "to"));
        let how = match took {
            None => "   (lost on the way)".to_owned(),
            Some(took) if late => format!("   (late: sent {} ago)", seconds(took)),
            Some(_) => String::new(),
        };
        let words = format!("{} → {} {}{how}", self.cast.name(from), self.cast.name(to), messages::words(message));
        let marked = grant.is_some_and(|grant| self.focus.involves(grant));
        let line = Line { grant, marked, ..self.line(at, clocks, Some(to), words) };
        self.items.push(Item::Line(line));
    }

    fn tell_leader(&mut self, at: SimTime, clocks: &Clocks, fields: &Value) {
        let leads = fields["leads"].as_bool().unwrap_or_default();
        let words = if leads { "leads the others now" } else { "learns that it leads no longer" };
        self.tell_news(at, clocks, vec![News { at, node: Some(node(fields, "node")), words: words.to_owned() }]);
    }

    fn tell_detail(&mut self, at: SimTime, clocks: &Clocks, kind: &str, fields: &Value) {
        let name = |key: &str| self.cast.name(node(fields, key));
        let (at_node, words) = match kind {
            "connected" => ("server", format!("accepts a connection of {}", name("client"))),
            "refused" => ("node", format!("finds nobody listening at {}", name("peer"))),
            "reset" => ("node", format!("finds its connection with {} reset", name("peer"))),
            "timer" => ("node", "a timer runs out".to_owned()),
            "continued" => ("node", "goes on from a safepoint".to_owned()),
            "mark" => ("node", format!("passes the mark {}", fields["mark"].as_str().unwrap_or_default())),
            other => ("node", format!("{other} {fields}")),
        };
        let line = self.line(at, clocks, Some(node(fields, at_node)), words);
        self.items.push(Item::Line(line));
    }
}

fn node(fields: &Value, key: &str) -> NodeId {
    NodeId(fields[key].as_u64().and_then(|id| u16::try_from(id).ok()).unwrap_or(u16::MAX))
}
