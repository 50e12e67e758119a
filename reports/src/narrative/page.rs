//! A log on the page: columns, marks, verdicts.

use std::fmt::Write;

use fencepost_scenarios::property::Verdict;
use fencepost_scenarios::run::case::{CaseReport, node_name};
use fencepost_scenarios::run::cell::Cell;
use fencepost_sim::{NodeId, SimTime, TraceHash};

use super::Narrative;
use super::teller::{Item, Line};
use crate::text::{grouped, visible};

const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const RED: &str = "\u{1b}[1;31m";
const PLAIN: &str = "\u{1b}[0m";

/// The columns before the words.
struct Columns {
    time: usize,
    node: usize,
    clocks: usize,
}

/// A whole page.
pub(super) fn render(cell: &Cell, seed: u64, report: &CaseReport, items: &[Item], how: Narrative) -> String {
    let mut page = Page { text: String::new(), columns: Columns::fitting(items, report.ended), how };
    page.head(cell, seed, report);
    items.iter().for_each(|item| page.item(item));
    page.verdicts(report);
    page.text
}

impl Columns {
    fn fitting(items: &[Item], ended: SimTime) -> Columns {
        let lines = || items.iter().filter_map(|item| if let Item::Line(line) = item { Some(line) } else { None });
        let widest = |column: fn(&Line) -> &str| lines().map(|line| column(line).chars().count()).max().unwrap_or(0);
        Columns { time: ended.to_string().len(), node: widest(|line| &line.node), clocks: widest(|line| &line.clocks) }
    }

    fn width(&self) -> usize {
        let clocks = if self.clocks == 0 { 0 } else { self.clocks + 2 };
        2 + self.time + 2 + self.node + 2 + clocks
    }
}

struct Page {
    text: String,
    columns: Columns,
    how: Narrative,
}

impl Page {
    fn head(&mut self, cell: &Cell, seed: u64, report: &CaseReport) {
        let title = visible(&cell.case_name(seed));
        self.put(BOLD, &title);
        self.text.push('\n');
        self.paragraph("", &visible(&cell.scenario.about));
        if let Some(choice) = &cell.choice {
            self.paragraph("", &visible(&format!("This case of the swarm drew {choice}.")));
        }
        if !report.evidence.is_empty() {
            let marks = "▶ marks what a violated property is about; times are true time.";
            let clocks = " Where a node's own clocks differ from it, by how much stands beside the node.";
            self.paragraph("", &format!("{marks}{}", if self.columns.clocks > 0 { clocks } else { "" }));
        }
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Chapter { at, words } => {
                self.text.push('\n');
                self.put(BOLD, &format!("── {at} ── {words}"));
                self.text.push('\n');
            }
            Item::Note { words, .. } => {
                let indent = " ".repeat(self.columns.time + 1);
                self.wrapped(DIM, &format!("{indent}… "), words);
            }
            Item::Line(line) => self.line(line),
        }
    }

    fn line(&mut self, line: &Line) {
        let Columns { time, node, clocks } = self.columns;
        let mark = if line.marked { "▶" } else { " " };
        let mut head = format!("{mark} {:>time$}  {:<node$}  ", line.at.to_string(), line.node);
        if clocks > 0 {
            write!(head, "{:<clocks$}  ", line.clocks).expect("text takes all");
        }
        self.wrapped(if line.marked { BOLD } else { "" }, &head, &visible(&line.words));
    }

    fn verdicts(&mut self, report: &CaseReport) {
        self.text.push('\n');
        let names = |node: NodeId| node_name(&report.nodes, node);
        for evidence in &report.evidence {
            self.paragraph(RED, &format!("VIOLATED {}: {}.", evidence.property.name(), evidence.render(&names)));
        }
        let verdicts = &report.result.verdicts;
        for (verdict, word) in
            [(Verdict::Holds, "holds"), (Verdict::Unknown, "unknown"), (Verdict::NotApplicable, "not applicable")]
        {
            let those = verdicts.iter().filter(|(_, v)| *v == verdict);
            let those: Vec<&str> = those.map(|(property, _)| property.name()).collect();
            if !those.is_empty() {
                self.paragraph("", &format!("{word}: {}", those.join(", ")));
            }
        }
        let (trace, events) = (TraceHash(report.result.trace), grouped(report.result.events.into()));
        self.paragraph("", &format!("trace {trace}, {events} events, ended at {}", report.ended));
    }

    /// Words that go on below their own beginning where they are too long for the line.
    fn wrapped(&mut self, style: &str, head: &str, words: &str) {
        let indent = if head.trim().is_empty() { 0 } else { self.columns.width().max(head.chars().count()) };
        let indent = if head.trim_end().ends_with('…') { head.chars().count() } else { indent };
        let mut text = head.to_owned();
        for (place, row) in rows(words, self.how.width.map(|width| width.saturating_sub(indent))).iter().enumerate() {
            if place > 0 {
                text += &format!("\n{}", " ".repeat(indent));
            }
            text += row;
        }
        self.put(style, text.trim_end());
        self.text.push('\n');
    }

    fn paragraph(&mut self, style: &str, words: &str) {
        let rows = rows(words, self.how.width);
        self.put(style, &rows.join("\n"));
        self.text.push('\n');
    }

    fn put(&mut self, style: &str, text: &str) {
        match self.how.colour && !style.is_empty() {
            true => write!(self.text, "{style}{text}{PLAIN}").expect("text takes all"),
            false => self.text.push_str(text),
        }
    }
}

/// No row is made shorter than this, whatever the terminal's width.
const NARROWEST: usize = 30;

/// Breaks words into rows of at most so many characters.
fn rows(words: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.map(|width| width.max(NARROWEST)) else { return vec![words.to_owned()] };
    let mut rows = vec![String::new()];
    for word in words.split(' ') {
        let row = rows.last_mut().expect("there is a first row");
        if !row.is_empty() && row.chars().count() + 1 + word.chars().count() > width {
            rows.push(word.to_owned());
        } else {
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_the_width_and_lose_no_word() {
        let words = "client-1 was paused until 15.027 s (gc); its clocks ran on";
        assert_eq!(rows(words, None), [words]);
        let broken = rows(words, Some(40));
        assert!(broken.len() == 2 && broken.iter().all(|row| row.chars().count() <= 40));
        assert_eq!(broken.join(" "), words);
    }
}
