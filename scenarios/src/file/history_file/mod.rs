//! Histories of any system, as files: what clients asked of locks and what came back, one event a line. Read from JSON
//! Lines or from the EDN that Jepsen writes, and written for a case of our own.

mod check;
mod edn;
mod json;
pub(crate) mod line;
mod pairs;

use std::ops::Range;
use std::path::Path;

use crate::file::{Problem, Report, utf8};
use crate::linearizable::{Entry, Lock};
use crate::spec::Kind;

pub use self::check::{CheckOptions, CheckedHistory, CheckedLock, StuckAt};
use self::pairs::Pairs;

/// What a history file says.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryFile {
    /// The operations, each with its lock, in the order of their invocations. Those that failed are left out: they did
    /// nothing. An operation's times are the numbers of its lines.
    pub entries: Vec<(Lock, Entry)>,
    /// The locks' names.
    pub locks: Vec<String>,
    /// The owners' names.
    pub owners: Vec<String>,
    /// The name of the process that did it, for each entry.
    pub processes: Vec<String>,
    /// How many operations failed.
    pub failed: usize,
}

/// How a history is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// Jepsen's `history.edn`: one map a line.
    Edn,
}

impl Format {
    /// The format that a file's name tells: `.edn` is EDN, all others are JSON Lines.
    pub fn of(path: &Path) -> Self {
        if path.extension().is_some_and(|ending| ending == "edn") { Format::Edn } else { Format::JsonLines }
    }
}

/// The text of a history's file, without the mark that some programs put before it.
///
/// # Errors
/// If it is not UTF-8.
pub fn text<'b>(name: &str, bytes: &'b [u8]) -> Result<&'b str, Vec<Problem>> {
    utf8(name, bytes).map(|text| text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads a history that is to be held against this specification. `name` is the file's, for the problems.
///
/// # Errors
/// All that is wrong with it, each with its line and a remedy.
pub fn read(name: &str, text: &str, format: Format, spec: Kind) -> Result<HistoryFile, Vec<Problem>> {
    let mut mistakes = Mistakes::default();
    let mut pairs = Pairs::new(spec);
    for (number, span) in lines(text) {
        let read = match format {
            Format::JsonLines => json::line(&text[span.clone()]).map(Some),
            Format::Edn => edn::line(&text[span.clone()]),
        };
        let taken = match read {
            Ok(None) => continue,
            Ok(Some(line)) => pairs.take(number, line),
            Err(complaint) => Err(complaint),
        };
        if let Err(complaint) = taken {
            let start = span.start + complaint.column;
            mistakes.add(start..span.end.max(start), complaint);
        }
        if mistakes.0.len() == ENOUGH {
            break;
        }
    }
    let history = pairs.finish();
    let mut report = Report::new(name, text);
    mistakes.tell(&mut report);
    if history.entries.is_empty() && history.failed == 0 && report.count() == 0 {
        report.add(0..0, "there is no operation in it", "write one event a line; docs/histories.md says how");
    }
    report.conclude(Some(history))
}

/// So many different mistakes are told at most.
const ENOUGH: usize = 20;

/// The mistakes in the order of the file. One that is made again and again is told where it is made first.
#[derive(Default)]
struct Mistakes(Vec<Mistake>);

struct Mistake {
    /// What is the same in all of them.
    pattern: String,
    span: Range<usize>,
    complaint: Complaint,
    /// How many more lines have it.
    more: u64,
}

impl Mistakes {
    fn add(&mut self, span: Range<usize>, complaint: Complaint) {
        // Processes and lines are counted up; the mistake stays the same.
        let pattern = complaint.message.replace(|c: char| c.is_ascii_digit(), "");
        match self.0.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => known.more += 1,
            None => self.0.push(Mistake { pattern, span, complaint, more: 0 }),
        }
    }

    fn tell(self, report: &mut Report) {
        for Mistake { span, complaint: Complaint { message, help, .. }, more, .. } in self.0 {
            let message = match more {
                0 => message,
                1 => format!("{message} (and the same in 1 more line)"),
                more => format!("{message} (and the same in {more} more lines)"),
            };
            report.add(span, message, help);
        }
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq)]
struct Complaint {
    /// Where in the line, in bytes.
    column: usize,
    message: String,
    help: String,
}

impl Complaint {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Complaint { column: 0, message: message.into(), help: help.into() }
    }
}

/// The lines that are not blank: the number of each, from 1, and where it stands.
fn lines(text: &str) -> impl Iterator<Item = (u64, Range<usize>)> + '_ {
    let mut start = 0;
    let all = text.split_inclusive('\n').map(move |line| {
        let begin = start;
        start += line.len();
        begin..begin + line.trim_end().len()
    });
    all.zip(1..).filter(|(span, _)| !text[span.clone()].trim().is_empty()).map(|(span, number)| (number, span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, format: Format, spec: Kind) -> Vec<(usize, String, String)> {
        let problems = read("h", text, format, spec).expect_err("it is wrong");
        problems.into_iter().map(|p| (p.line_column().0, p.message, p.help.unwrap_or_default())).collect()
    }

    #[track_caller]
    fn complains(text: &str, spec: Kind, line: usize, words: &str, remedy: &str) {
        let found = problems(text, Format::JsonLines, spec);
        let told =
            found.iter().any(|(at, message, help)| *at == line && message.contains(words) && help.contains(remedy));
        assert!(told, "{found:#?}");
    }

    const INVOKE: &str = r#"{"process":1,"type":"invoke","f":"acquire"}"#;
    const OK: &str = r#"{"process":1,"type":"ok","f":"acquire"}"#;

    #[test]
    fn reads_operations_with_the_lines_as_their_times() {
        let text = format!("{INVOKE}\n\n{OK}\n{}\n", INVOKE.replace('1', "\"b\""));
        let history = read("h", &text, Format::JsonLines, Kind::Owner).expect("it is right");
        let times: Vec<_> = history.entries.iter().map(|(_, entry)| (entry.invoked, entry.returned)).collect();
        assert_eq!(times, [(1, Some(3)), (4, None)]);
        assert_eq!((history.owners, history.processes), (vec!["1".into(), "b".into()], vec!["1".into(), "b".into()]));
        assert_eq!(history.locks, [""]);
    }

    #[test]
    fn leaves_out_what_failed() {
        let text = format!("{INVOKE}\n{}\n{INVOKE}\n{OK}", OK.replace("ok", "fail"));
        let history = read("h", &text, Format::JsonLines, Kind::Owner).expect("it is right");
        assert_eq!((history.entries.len(), history.failed), (1, 1));
    }

    #[test]
    fn what_ends_with_info_may_take_effect_at_any_time() {
        let text = format!("{INVOKE}\n{}", OK.replace("ok", "info"));
        let history = read("h", &text, Format::JsonLines, Kind::Owner).expect("it is right");
        assert_eq!(history.entries[0].1.returned, None);
    }

    #[test]
    fn says_what_is_wrong_with_a_line_and_what_to_do() {
        let line = |from: &str, to: &str| INVOKE.replace(from, to);
        complains("{", Kind::Mutex, 1, "no JSON object", "one JSON object a line");
        complains(&line("acquire", "aquire"), Kind::Mutex, 1, "`aquire` is no `f`", "`acquire`");
        complains(&line("\"f\"", "\"g\""), Kind::Mutex, 1, "unknown field `g`", "`note`");
        complains(&line("1", "1.5"), Kind::Mutex, 1, "a name or a whole number", "docs/histories.md");
        complains(&line("\"process\":1,", ""), Kind::Mutex, 1, "missing field `process`", "docs/histories.md");
        complains(&line("acquire\"", "expire\""), Kind::Mutex, 1, "does not say whose", "`owner`");
        complains(&line("acquire\"", "acquire\",\"permits\":0"), Kind::Semaphore, 1, "no permits", "at least 1");
        complains(OK, Kind::Mutex, 1, "nothing under way", "invoke");
        complains(&format!("{INVOKE}\n{INVOKE}"), Kind::Mutex, 2, "still under way", "`info`");
        let release = OK.replace("acquire", "release");
        complains(&format!("{INVOKE}\n{release}"), Kind::Mutex, 2, "not a release", "line 1");
        complains(&format!("{INVOKE}\n{OK}"), Kind::Fenced, 2, "no `token`", "--spec owner");
        complains("\n", Kind::Mutex, 1, "no operation", "docs/histories.md");
    }

    #[test]
    fn what_an_end_repeats_must_be_the_same() {
        for (field, value) in [("lock", "\"x\""), ("owner", "7"), ("permits", "2")] {
            let ok = OK.replace("}", &format!(",\"{field}\":{value}}}"));
            complains(&format!("{INVOKE}\n{ok}"), Kind::Semaphore, 2, &format!("another `{field}`"), "line 1");
            let invoke = INVOKE.replace("}", &format!(",\"{field}\":{value}}}"));
            read("h", &format!("{invoke}\n{ok}\n"), Format::JsonLines, Kind::Semaphore).expect("it is the same");
            read("h", &format!("{invoke}\n{OK}\n"), Format::JsonLines, Kind::Semaphore).expect("it is left out");
        }
    }

    #[test]
    fn a_mistake_that_is_made_again_and_again_is_told_once() {
        let told = |text: &str| {
            let told = problems(text, Format::JsonLines, Kind::Mutex);
            told.into_iter().map(|(line, message, _)| (line, message)).collect::<Vec<_>>()
        };
        let missing = told(&"{}\n".repeat(100));
        assert_eq!(missing, [(1, "missing field `process` (and the same in 99 more lines)".to_owned())]);
        let busy = told(&format!("{INVOKE}\n").repeat(30));
        assert_eq!((busy.len(), busy[0].0), (1, 2), "they differ in the line that began: {busy:?}");
        let kinds: String = ('a'..='z').map(|key| format!("{{\"x{key}\":1}}\n")).collect();
        assert_eq!(told(&kinds).len(), ENOUGH, "different ones are told one by one, and not for ever");
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_a_mistake_with_its_line() {
        let line = |name: &[u8]| [br#"{"process":""#, name, br#"","type":"invoke","f":"acquire"}"#, b"\n"].concat();
        let problems = text("h", &[line(b"a"), line(b"o\xff")].concat()).expect_err("there is no such text");
        assert_eq!(problems[0].line_column(), (2, 14));
        assert!(problems[0].message.contains("0xff"), "{problems:?}");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_history() {
        let bytes = format!("\u{feff}{INVOKE}\n");
        let text = text("h", bytes.as_bytes()).expect("it is UTF-8");
        read("h", text, Format::JsonLines, Kind::Mutex).expect("it is right");
    }

    #[test]
    fn messages_speak_of_json_and_not_of_how_it_is_read() {
        complains(r#"["a","invoke","acquire"]"#, Kind::Mutex, 1, "no JSON object", "one JSON object a line");
        let token = OK.replace("}", ",\"token\":\"7\"}");
        complains(&token, Kind::Mutex, 1, "stands where a whole number from 0 to", "docs/histories.md");
        complains(&INVOKE.replace("\"invoke\"", "5"), Kind::Mutex, 1, "`5` stands where a string", "docs");
        complains(&INVOKE.replace("\"invoke\"", "{\"ok\":null}"), Kind::Mutex, 1, "an object stands where", "docs");
    }

    #[test]
    fn reads_what_jepsen_writes() {
        let text = "{:type :invoke, :f :acquire, :value nil, :process 0, :time 12, :index 0}\n\
                    {:type :info, :f :start-partition, :value [:isolated {\"n1\" #{\"n2\"}}], :process :nemesis}\n\
                    #jepsen.history.Op{:index 1, :time 30, :type :ok, :process 0, :f :acquire, :value {:fence 7}}\n\
                    {:type :invoke :f :release :process 0 :value nil}\n\
                    {:type :info :f :release :process 0 :value nil :error [:timeout \"no } reply\"]}\n";
        let history = read("h", text, Format::Edn, Kind::Fenced).expect("it is right");
        assert_eq!(history.entries.len(), 2);
        assert_eq!(history.entries[0].1.operation.acquired_token(), Some(7));
        let times: Vec<_> = history.entries.iter().map(|(_, entry)| (entry.invoked, entry.returned)).collect();
        assert_eq!(times, [(1, Some(3)), (4, None)]);
    }

    #[test]
    fn says_what_is_wrong_with_a_line_of_edn() {
        let found =
            problems("{:type :invoke, :f :acquire\n{:type :ok :process 0 :f :acquire}\n", Format::Edn, Kind::Mutex);
        assert_eq!(found[0].0, 1);
        assert!(found[0].1.contains("end of the line"), "{found:?}");
        assert_eq!(found[1].0, 2);
        assert!(found[1].1.contains("nothing under way"), "{found:?}");
    }
}
