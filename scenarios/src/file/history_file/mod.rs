//! History files of any system: the operations of clients on locks, one event per line. The formats are JSON Lines and
//! Jepsen's EDN.

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

/// A history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HistoryFile {
    /// The operations, each with its lock, in the order of invocation. Failed operations are omitted, because they had
    /// no effect. The times of an operation are its line numbers.
    pub entries: Vec<(Lock, Entry)>,
    /// The names of the locks.
    pub locks: Vec<String>,
    /// The names of the owners.
    pub owners: Vec<String>,
    /// The name of the process of each entry.
    pub processes: Vec<String>,
    /// The number of failed operations.
    pub failed: usize,
}

/// The format of a history file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    JsonLines,
    /// Jepsen's `history.edn`: one map per line.
    Edn,
}

impl Format {
    /// Returns the format of a file with this name: `.edn` is EDN, all other files are JSON Lines.
    pub fn from_path(path: &Path) -> Self {
        if path.extension().is_some_and(|ending| ending == "edn") { Format::Edn } else { Format::JsonLines }
    }
}

/// Returns the text of a history file, without a byte order mark.
///
/// # Errors
/// If the file is not UTF-8.
pub fn text<'b>(name: &str, bytes: &'b [u8]) -> Result<&'b str, Vec<Problem>> {
    utf8(name, bytes).map(|text| text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads a history for a check against this specification. Problems name the file `name`.
///
/// # Errors
/// The problems, each with its line and a fix.
pub fn read(name: &str, text: &str, format: Format, spec: Kind) -> Result<HistoryFile, Vec<Problem>> {
    let mut errors = LineErrors::default();
    let mut pairs = Pairs::new(spec);
    for (number, span) in lines(text) {
        let read = match format {
            Format::JsonLines => json::line(&text[span.clone()]).map(Some),
            Format::Edn => edn::line(&text[span.clone()]),
        };
        let added = match read {
            Ok(None) => continue,
            Ok(Some(line)) => pairs.add(number, line),
            Err(error) => Err(error),
        };
        if let Err(error) = added {
            let start = span.start + error.column;
            errors.add(start..span.end.max(start), error);
        }
        if errors.0.len() == MOST_ERRORS {
            break;
        }
    }
    let history = pairs.finish();
    let mut report = Report::new(name, text);
    errors.report(&mut report);
    if history.entries.is_empty() && history.failed == 0 && report.count() == 0 {
        report.add(0..0, "this history has no operations", "write one event per line, as docs/histories.md describes");
    }
    report.conclude(Some(history))
}

/// The maximum number of distinct reported errors.
const MOST_ERRORS: usize = 20;

/// The errors in the order of the file. A repeated error is reported at its first line.
#[derive(Default)]
struct LineErrors(Vec<RepeatedError>);

struct RepeatedError {
    /// The part of the message that is the same in all lines.
    pattern: String,
    span: Range<usize>,
    error: LineError,
    /// The number of further lines with this error.
    more: u64,
}

impl LineErrors {
    fn add(&mut self, span: Range<usize>, error: LineError) {
        // Equal errors may differ in the numbers of processes and lines.
        let pattern = error.message.replace(|c: char| c.is_ascii_digit(), "");
        match self.0.iter_mut().find(|known| known.pattern == pattern) {
            Some(known) => known.more += 1,
            None => self.0.push(RepeatedError { pattern, span, error, more: 0 }),
        }
    }

    fn report(self, report: &mut Report) {
        for RepeatedError { span, error: LineError { message, help, .. }, more, .. } in self.0 {
            let message = match more {
                0 => message,
                1 => format!("{message} (and the same in 1 more line)"),
                more => format!("{message} (and the same in {more} more lines)"),
            };
            report.add(span, message, help);
        }
    }
}

/// An error in a line.
#[derive(Clone, Debug, PartialEq)]
struct LineError {
    /// The byte offset in the line.
    column: usize,
    message: String,
    help: String,
}

impl LineError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        LineError { column: 0, message: message.into(), help: help.into() }
    }
}

/// Returns the number, from 1, and the span of each line that is not blank.
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
        let problems = read("h", text, format, spec).expect_err("the history is invalid");
        problems.into_iter().map(|p| (p.line_column().0, p.message, p.help.unwrap_or_default())).collect()
    }

    #[track_caller]
    fn rejects(text: &str, spec: Kind, line: usize, words: &str, fix: &str) {
        let found = problems(text, Format::JsonLines, spec);
        let reported =
            found.iter().any(|(at, message, help)| *at == line && message.contains(words) && help.contains(fix));
        assert!(reported, "{found:#?}");
    }

    const INVOKE: &str = r#"{"process":1,"type":"invoke","f":"acquire"}"#;
    const OK: &str = r#"{"process":1,"type":"ok","f":"acquire"}"#;

    #[test]
    fn line_numbers_are_the_times_of_operations() {
        let text = format!("{INVOKE}\n\n{OK}\n{}\n", INVOKE.replace('1', "\"b\""));
        let history = read("h", &text, Format::JsonLines, Kind::Owner).expect("the history is valid");
        let times: Vec<_> = history.entries.iter().map(|(_, entry)| (entry.invoked, entry.returned)).collect();
        assert_eq!(times, [(1, Some(3)), (4, None)]);
        assert_eq!((history.owners, history.processes), (vec!["1".into(), "b".into()], vec!["1".into(), "b".into()]));
        assert_eq!(history.locks, [""]);
    }

    #[test]
    fn failed_operations_are_omitted() {
        let text = format!("{INVOKE}\n{}\n{INVOKE}\n{OK}", OK.replace("ok", "fail"));
        let history = read("h", &text, Format::JsonLines, Kind::Owner).expect("the history is valid");
        assert_eq!((history.entries.len(), history.failed), (1, 1));
    }

    #[test]
    fn operations_that_end_with_info_may_take_effect_at_any_time() {
        let text = format!("{INVOKE}\n{}", OK.replace("ok", "info"));
        let history = read("h", &text, Format::JsonLines, Kind::Owner).expect("the history is valid");
        assert_eq!(history.entries[0].1.returned, None);
    }

    #[test]
    fn errors_in_a_line_have_a_fix() {
        let line = |from: &str, to: &str| INVOKE.replace(from, to);
        rejects("{", Kind::Mutex, 1, "not a JSON object", "one JSON object per line");
        rejects(&line("acquire", "aquire"), Kind::Mutex, 1, "`aquire` is not an `f`", "`acquire`");
        rejects(&line("\"f\"", "\"g\""), Kind::Mutex, 1, "unknown field `g`", "`note`");
        rejects(&line("1", "1.5"), Kind::Mutex, 1, "a name or a whole number", "docs/histories.md");
        rejects(&line("\"process\":1,", ""), Kind::Mutex, 1, "missing field `process`", "docs/histories.md");
        rejects(&line("acquire\"", "expire\""), Kind::Mutex, 1, "does not name the owner", "`owner`");
        rejects(&line("acquire\"", "acquire\",\"permits\":0"), Kind::Semaphore, 1, "`permits` is 0", "at least 1");
        rejects(OK, Kind::Mutex, 1, "none is pending", "invoke");
        rejects(&format!("{INVOKE}\n{INVOKE}"), Kind::Mutex, 2, "still pending", "`info`");
        let release = OK.replace("acquire", "release");
        rejects(&format!("{INVOKE}\n{release}"), Kind::Mutex, 2, "not a release", "line 1");
        rejects(&format!("{INVOKE}\n{OK}"), Kind::Fenced, 2, "no `token`", "--spec owner");
        rejects("\n", Kind::Mutex, 1, "no operations", "docs/histories.md");
    }

    #[test]
    fn fields_repeated_at_the_end_must_be_equal() {
        for (field, value) in [("lock", "\"x\""), ("owner", "7"), ("permits", "2")] {
            let ok = OK.replace("}", &format!(",\"{field}\":{value}}}"));
            rejects(&format!("{INVOKE}\n{ok}"), Kind::Semaphore, 2, &format!("`{field}` differs"), "line 1");
            let invoke = INVOKE.replace("}", &format!(",\"{field}\":{value}}}"));
            read("h", &format!("{invoke}\n{ok}\n"), Format::JsonLines, Kind::Semaphore).expect("the field is equal");
            read("h", &format!("{invoke}\n{OK}\n"), Format::JsonLines, Kind::Semaphore).expect("the field is omitted");
        }
    }

    #[test]
    fn a_repeated_error_is_reported_once() {
        let reported = |text: &str| {
            let found = problems(text, Format::JsonLines, Kind::Mutex);
            found.into_iter().map(|(line, message, _)| (line, message)).collect::<Vec<_>>()
        };
        let missing = reported(&"{}\n".repeat(100));
        assert_eq!(missing, [(1, "missing field `process` (and the same in 99 more lines)".to_owned())]);
        let busy = reported(&format!("{INVOKE}\n").repeat(30));
        assert_eq!((busy.len(), busy[0].0), (1, 2), "only the line number differs: {busy:?}");
        let kinds: String = ('a'..='z').map(|key| format!("{{\"x{key}\":1}}\n")).collect();
        assert_eq!(reported(&kinds).len(), MOST_ERRORS, "distinct errors are reported separately, up to a limit");
    }

    #[test]
    fn a_name_that_is_not_utf_8_is_an_error_with_its_line() {
        let line = |name: &[u8]| [br#"{"process":""#, name, br#"","type":"invoke","f":"acquire"}"#, b"\n"].concat();
        let problems = text("h", &[line(b"a"), line(b"o\xff")].concat()).expect_err("the file is not UTF-8");
        assert_eq!(problems[0].line_column(), (2, 14));
        assert!(problems[0].message.contains("0xff"), "{problems:?}");
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        let bytes = format!("\u{feff}{INVOKE}\n");
        let text = text("h", bytes.as_bytes()).expect("the file is UTF-8");
        read("h", text, Format::JsonLines, Kind::Mutex).expect("the history is valid");
    }

    #[test]
    fn messages_use_json_terms_for_values() {
        rejects(r#"["a","invoke","acquire"]"#, Kind::Mutex, 1, "not a JSON object", "one JSON object per line");
        let token = OK.replace("}", ",\"token\":\"7\"}");
        rejects(&token, Kind::Mutex, 1, "`token` must be a whole number from 0 to", "docs/histories.md");
        rejects(&INVOKE.replace("\"invoke\"", "5"), Kind::Mutex, 1, "must be a string, not `5`", "docs");
        rejects(
            &INVOKE.replace("\"invoke\"", "{\"ok\":null}"),
            Kind::Mutex,
            1,
            "must be a string, not an object",
            "docs",
        );
    }

    #[test]
    fn jepsen_histories_are_read() {
        let text = "{:type :invoke, :f :acquire, :value nil, :process 0, :time 12, :index 0}\n\
                    {:type :info, :f :start-partition, :value [:isolated {\"n1\" #{\"n2\"}}], :process :nemesis}\n\
                    #jepsen.history.Op{:index 1, :time 30, :type :ok, :process 0, :f :acquire, :value {:fence 7}}\n\
                    {:type :invoke :f :release :process 0 :value nil}\n\
                    {:type :info :f :release :process 0 :value nil :error [:timeout \"no } reply\"]}\n";
        let history = read("h", text, Format::Edn, Kind::Fenced).expect("the history is valid");
        assert_eq!(history.entries.len(), 2);
        assert_eq!(history.entries[0].1.operation.acquired_token(), Some(7));
        let times: Vec<_> = history.entries.iter().map(|(_, entry)| (entry.invoked, entry.returned)).collect();
        assert_eq!(times, [(1, Some(3)), (4, None)]);
    }

    #[test]
    fn errors_in_edn_have_a_line_and_a_message() {
        let found =
            problems("{:type :invoke, :f :acquire\n{:type :ok :process 0 :f :acquire}\n", Format::Edn, Kind::Mutex);
        assert_eq!(found[0].0, 1);
        assert!(found[0].1.contains("end of the line"), "{found:?}");
        assert_eq!(found[1].0, 2);
        assert!(found[1].1.contains("none is pending"), "{found:?}");
    }
}
