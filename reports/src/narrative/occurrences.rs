//! What a teller says of things that are no events of the history: faults, messages, connections, timers.

use fencepost_models::history::{Event, GrantId};
use fencepost_scenarios::run::recorder::TraceMessage;
use fencepost_sim::{Clocks, NodeId, Occurrence, SimTime};

use super::clocks::{ahead, mark, seconds};
use super::faults::{FaultRecord, News};
use super::messages;
use super::teller::{Item, Line, Teller};

impl Teller {
    /// Takes an occurrence.
    pub(super) fn see_occurrence(
        &mut self,
        at: SimTime,
        clocks: &Clocks,
        what: &Occurrence<'_, dyn TraceMessage, Event>,
    ) {
        match *what {
            Occurrence::FaultBegan { fault, kind, nodes, links } => {
                let fault = FaultRecord { name: fault.to_owned(), kind, nodes: nodes.to_vec(), links: links.to_vec() };
                if !self.focus.tells(at) {
                    self.fold.count_fault(at, &fault.name);
                }
                let news = self.faults.begin(at, clocks, fault, &self.cast);
                self.tell_news(at, clocks, news);
            }
            Occurrence::FaultEnded { fault, placement } => {
                self.faults.ending(fault);
                self.news.extend(self.faults.ended(at, placement, &self.cast));
            }
            Occurrence::Crashed { node } => {
                let news = self.faults.crashed(at, node, &self.cast);
                self.tell_news(at, clocks, vec![news]);
            }
            Occurrence::Restarted { node } => {
                self.tell_news(at, clocks, vec![News { at, node: Some(node), words: "restarted".to_owned() }]);
            }
            Occurrence::Led { node, leads } => {
                let words = if leads { "leads the others now" } else { "learns that it leads no longer" };
                self.tell_news(at, clocks, vec![News { at, node: Some(node), words: words.to_owned() }]);
            }
            Occurrence::Healed => self.heal(at),
            Occurrence::Delivered { from, to, sent_ns, message } => {
                self.see_message(at, clocks, (from, to), Some(sent_ns), message);
            }
            Occurrence::Lost { from, to, message } => self.see_message(at, clocks, (from, to), None, message),
            _ if self.full && self.listen(at) => self.tell_detail(at, clocks, what),
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
    fn see_message(
        &mut self,
        at: SimTime,
        clocks: &Clocks,
        (from, to): (NodeId, NodeId),
        sent: Option<u64>,
        message: &dyn TraceMessage,
    ) {
        let took = sent.map(|sent| at.0.saturating_sub(sent));
        let late = took.is_none_or(|took| took > self.late_ns);
        let grant = messages::grant(&message.json()).map(GrantId);
        let matters = late && grant.is_some_and(|grant| self.focus.knows(grant));
        if !(self.full || matters) || !self.listen(at) {
            return;
        }
        self.flush(false);
        let how = match took {
            None => "   (lost on the way)".to_owned(),
            Some(took) if late => format!("   (late: sent {} ago)", seconds(took)),
            Some(_) => String::new(),
        };
        let words =
            format!("{} → {} {}{how}", self.cast.name(from), self.cast.name(to), messages::words(&message.json()));
        let marked = grant.is_some_and(|grant| self.focus.involves(grant));
        let line = Line { grant, marked, ..self.line(at, clocks, Some(to), words) };
        self.items.push(Item::Line(line));
    }

    fn tell_detail(&mut self, at: SimTime, clocks: &Clocks, what: &Occurrence<'_, dyn TraceMessage, Event>) {
        let name = |node: NodeId| self.cast.name(node);
        let (node, words) = match *what {
            Occurrence::Connected { client, server } => (server, format!("accepts a connection of {}", name(client))),
            Occurrence::Refused { node, peer } => (node, format!("finds nobody listening at {}", name(peer))),
            Occurrence::Reset { node, peer } => (node, format!("finds its connection with {} reset", name(peer))),
            Occurrence::Timer { node } => (node, "a timer runs out".to_owned()),
            Occurrence::Continued { node } => (node, "continued".to_owned()),
            Occurrence::Step { node, step } => (node, format!("reached step {step}")),
            _ => return,
        };
        let line = self.line(at, clocks, Some(node), words);
        self.items.push(Item::Line(line));
    }
}
