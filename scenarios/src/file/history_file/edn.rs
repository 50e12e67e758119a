//! A line of Jepsen's `history.edn`: an operation as a map. EDN is specified at <https://github.com/edn-format/edn>.
//! This reader supports the parts that histories use: maps, vectors, lists, sets, tagged values, strings, keywords and
//! numbers.

use std::iter::Peekable;
use std::str::CharIndices;

use super::LineError;
use super::line::{Function, Line, Phase};
use crate::file::quoted;

/// A value. Values that lock histories do not use are parsed and ignored.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// A keyword, symbol or string, by its name.
    Word(String),
    Number(i128),
    /// A number that is not whole, or is larger than any token.
    Odd(String),
    Map(Vec<(Value, Value)>),
    Sequence(Vec<Value>),
    Nil,
}

/// Returns the operation of a line, or `None` for comments and for lines of Jepsen's nemesis, whose process is a name.
pub(super) fn line(text: &str) -> Result<Option<Line>, LineError> {
    let mut reader = Reader { text, rest: text.char_indices().peekable(), depth: 0 };
    if reader.is_at_end() {
        return Ok(None);
    }
    let value = reader.value()?;
    if !reader.is_at_end() {
        return Err(reader.wrong("unexpected text after the operation"));
    }
    let Value::Map(fields) = &value else {
        return Err(LineError::new("this is not a map", "history.edn has one operation per line"));
    };
    let process = match get(fields, &["process"]) {
        Some(Value::Number(process)) => process,
        Some(Value::Odd(number)) => return Err(odd("process", number)),
        _ => return Ok(None),
    };
    let (phase, f) = (word(fields, "type")?, word(fields, "f")?);
    let unknown = |key: &str, word: &str, help: &str| LineError::new(format!("`:{key}` is :{word}"), help);
    let phase = Phase::from_name(phase).ok_or_else(|| unknown("type", phase, "use :invoke, :ok, :fail or :info"))?;
    let f = match f {
        "lock" => Function::Acquire,
        "unlock" => Function::Release,
        other => Function::from_name(other).ok_or_else(|| {
            unknown("f", other, "use :acquire, :release or :expire: remove or rename other operations")
        })?,
    };
    let mut line = Line { process: process.to_string(), phase, f, lock: None, owner: None, token: None, permits: None };
    if let Some(value) = get(fields, &["value"]) {
        line.take_value(value)?;
    }
    Ok(Some(line))
}

impl Line {
    /// Sets the fields from a value: a token, a map of named parts, or a pair of a lock and such a value
    /// (`jepsen.independent`).
    fn take_value(&mut self, value: &Value) -> Result<(), LineError> {
        match value {
            Value::Number(_) | Value::Odd(_) => self.token = whole("value", value)?,
            Value::Map(fields) => {
                self.lock = field(fields, &["lock", "key"], name)?.or(self.lock.take());
                self.owner = field(fields, &["owner", "client", "session"], name)?;
                self.token = field(fields, &["token", "fence"], whole)?;
                self.permits = field(fields, &["permits"], whole)?;
            }
            Value::Sequence(values) => {
                if let [lock, value] = values.as_slice()
                    && let Ok(Some(lock)) = name("value", lock)
                {
                    self.lock = Some(lock);
                    self.take_value(value)?;
                }
            }
            Value::Word(_) | Value::Nil => {}
        }
        Ok(())
    }
}

fn get<'v>(fields: &'v [(Value, Value)], names: &[&str]) -> Option<&'v Value> {
    let named = |key: &Value| matches!(key, Value::Word(word) if names.contains(&word.as_str()));
    fields.iter().find(|(key, _)| named(key)).map(|(_, value)| value)
}

fn word<'v>(fields: &'v [(Value, Value)], key: &str) -> Result<&'v str, LineError> {
    match get(fields, &[key]) {
        Some(Value::Word(word)) => Ok(word),
        _ => Err(LineError::new(format!("missing `:{key}`"), "an operation has :process, :type and :f")),
    }
}

/// Returns the value of the first of these keys that is present.
fn field<T>(
    fields: &[(Value, Value)],
    names: &[&str],
    read: impl Fn(&str, &Value) -> Result<Option<T>, LineError>,
) -> Result<Option<T>, LineError> {
    let found = names.iter().find_map(|name| Some((name, get(fields, &[name])?)));
    found.map_or(Ok(None), |(name, value)| read(name, value))
}

fn name(key: &str, value: &Value) -> Result<Option<String>, LineError> {
    match value {
        Value::Word(word) => Ok(Some(word.clone())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Nil => Ok(None),
        Value::Odd(number) => Err(odd(key, number)),
        Value::Map(_) | Value::Sequence(_) => {
            Err(LineError::new(format!("`:{key}` is not a name"), "write a keyword, a string or a whole number"))
        }
    }
}

/// Reads a token or a number of permits.
fn whole<N: TryFrom<i128>>(key: &str, value: &Value) -> Result<Option<N>, LineError> {
    let help = "tokens and permits are whole numbers from 0; omit invalid fences from the value";
    match value {
        Value::Nil => Ok(None),
        Value::Odd(number) => Err(odd(key, number)),
        Value::Number(number) => {
            let wrong = |_| LineError::new(format!("{number} is not a token or number of permits"), help);
            N::try_from(*number).map(Some).map_err(wrong)
        }
        Value::Word(_) | Value::Map(_) | Value::Sequence(_) => {
            Err(LineError::new(format!("`:{key}` is not a number"), help))
        }
    }
}

fn odd(key: &str, number: &str) -> LineError {
    let message = format!("`:{key}` is {}, which is not a whole number below 2^64", quoted(number));
    LineError::new(message, "write a whole number")
}

/// The maximum nesting of values. Deeper values could exhaust the stack.
const DEEPEST: u32 = 100;

struct Reader<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
    depth: u32,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, LineError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("values are nested too deeply"));
        }
        let value = self.nested();
        self.depth -= 1;
        value
    }

    fn nested(&mut self) -> Result<Value, LineError> {
        match self.next_token()? {
            '{' => self.map(),
            '[' => Ok(Value::Sequence(self.until(']')?)),
            '(' => Ok(Value::Sequence(self.until(')')?)),
            '"' => self.string(),
            '#' => self.tagged(),
            ':' => Ok(Value::Word(self.word())),
            '}' | ']' | ')' => Err(self.wrong("unmatched closing bracket")),
            first => Ok(atom(&(first.to_string() + &self.word()))),
        }
    }

    /// Returns the first character of the next value. Commas count as blanks.
    fn next_token(&mut self) -> Result<char, LineError> {
        self.skip_blanks();
        match self.rest.next() {
            Some((_, c)) => Ok(c),
            None => Err(self.wrong("a value is missing at the end of the line")),
        }
    }

    /// Skips blanks, commas, and a comment, which extends to the end of the line.
    fn skip_blanks(&mut self) {
        while self.rest.next_if(|(_, c)| c.is_whitespace() || *c == ',').is_some() {}
        if self.rest.peek().is_some_and(|(_, c)| *c == ';') {
            self.rest.by_ref().for_each(drop);
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest.peek().is_none()
    }

    fn until(&mut self, end: char) -> Result<Vec<Value>, LineError> {
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            if self.rest.next_if(|(_, c)| *c == end).is_some() {
                return Ok(values);
            }
            values.push(self.value()?);
        }
    }

    fn map(&mut self) -> Result<Value, LineError> {
        let values = self.until('}')?;
        if !values.len().is_multiple_of(2) {
            return Err(self.wrong("a map has a key without a value"));
        }
        let pairs = values.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        Ok(Value::Map(pairs.collect()))
    }

    /// Reads a set or a tagged value. The tag is ignored.
    fn tagged(&mut self) -> Result<Value, LineError> {
        if self.rest.next_if(|(_, c)| *c == '{').is_some() {
            return Ok(Value::Sequence(self.until('}')?));
        }
        if self.word().starts_with('_') {
            return Err(self.wrong("values discarded with `#_` are not supported: remove them"));
        }
        self.value()
    }

    fn string(&mut self) -> Result<Value, LineError> {
        let mut text = String::new();
        while let Some((_, c)) = self.rest.next() {
            match c {
                '"' => return Ok(Value::Word(text)),
                '\\' => text.extend(self.rest.next().map(|(_, escaped)| escaped)),
                c => text.push(c),
            }
        }
        Err(self.wrong("unterminated string"))
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        let ends = |c: char| c.is_whitespace() || "{}[]()\",;".contains(c);
        while let Some((_, c)) = self.rest.next_if(|(_, c)| !ends(*c)) {
            word.push(c);
        }
        word
    }

    fn wrong(&mut self, message: &str) -> LineError {
        let column = self.rest.peek().map_or(self.text.len(), |(index, _)| *index);
        LineError { column, ..LineError::new(message, "each line of history.edn is a separate map") }
    }
}

/// Reads a number, `nil` or a symbol. A whole number may end with `N`.
fn atom(text: &str) -> Value {
    let number = text.strip_suffix('N').unwrap_or(text).parse();
    let is_number = text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit());
    match number {
        _ if text == "nil" => Value::Nil,
        Ok(number) => Value::Number(number),
        Err(_) if is_number => Value::Odd(text.to_owned()),
        Err(_) => Value::Word(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(value: &str) -> Line {
        let text = format!("{{:process 3, :type :ok, :f :acquire, :value {value}}}");
        line(&text).expect("the line is valid").expect("the line has an operation")
    }

    #[test]
    fn a_value_is_a_token_a_map_or_a_pair_with_a_lock() {
        let plain = op("nil");
        assert_eq!((plain.process.as_str(), plain.phase, plain.f), ("3", Phase::Ok, Function::Acquire));
        assert_eq!((plain.token, plain.lock, plain.owner, plain.permits), (None, None, None, None));
        assert_eq!(op("7").token, Some(7));
        assert_eq!(op("#fence 7").token, Some(7));
        let map = op(r#"{:fence 7 :client "c-\"1\"" :lock :x :permits 2}"#);
        assert_eq!((map.token, map.lock, map.permits), (Some(7), Some("x".into()), Some(2)));
        assert_eq!(map.owner, Some("c-\"1\"".into()));
        let pair = op("#jepsen.independent/tuple [5 {:token 8, :owner 9}]");
        assert_eq!((pair.token, pair.lock, pair.owner), (Some(8), Some("5".into()), Some("9".into())));
        assert_eq!(op("[[1 2 3] #{1 2} ]").token, None);
        assert_eq!(op("(1 2 3)").lock, None);
    }

    #[test]
    fn lock_and_unlock_are_synonyms() {
        let named = |f: &str| line(&format!("{{:process 1 :type :invoke :f {f}}}")).map(|line| line.map(|line| line.f));
        assert_eq!(named(":lock"), Ok(Some(Function::Acquire)));
        assert_eq!(named(":unlock"), Ok(Some(Function::Release)));
        assert_eq!(named(":release"), Ok(Some(Function::Release)));
        assert_eq!(named(":expire"), Ok(Some(Function::Expire)));
        assert!(named(":read").unwrap_err().message.contains(":read"));
    }

    #[test]
    fn lines_of_the_nemesis_are_ignored() {
        assert_eq!(line("{:process :nemesis, :type :info, :f :kill, :value {\"n1\" :killed}}"), Ok(None));
        assert_eq!(line("{:type :info, :f :kill}"), Ok(None));
    }

    #[track_caller]
    fn wrong(text: &str, message: &str, column: usize) {
        let error = line(text).expect_err("the line is invalid");
        assert!(error.message.contains(message), "{error:?}");
        assert_eq!(error.column, column, "{error:?}");
    }

    #[test]
    fn errors_have_a_message_and_a_column() {
        wrong("{:a 1", "end of the line", 5);
        wrong("[1 2]", "not a map", 0);
        wrong("{:a \"b}", "unterminated string", 7);
        wrong("{:a 1 :b}", "key without a value", 9);
        wrong("{:a ]", "unmatched closing bracket", 5);
        wrong("{:process 1 :type :done :f :acquire}", ":done", 0);
        wrong("{:process 1 :f :acquire}", "missing `:type`", 0);
        wrong("{:process 1 :type :ok :f :acquire :value -1}", "-1 is not a token", 0);
        wrong("{:process 1 :type :ok :f :acquire :value {:permits -2}}", "-2 is not", 0);
        wrong(&"[".repeat(10_000), "too deeply", 100);
    }

    #[test]
    fn no_part_of_a_line_is_ignored_silently() {
        let op = |value: &str| format!("{{:process 1 :type :ok :f :acquire :value {value}}}");
        wrong(&format!("{} {}", op("1"), op("2")), "unexpected text after", 44);
        wrong(&format!("{} x", op("1")), "unexpected text after", 44);
        wrong(&op("{:permits \"2\"}"), "`:permits` is not a number", 0);
        wrong(&op("{:token :seven}"), "`:token` is not a number", 0);
        wrong(&op("{:owner [1 2]}"), "`:owner` is not a name", 0);
        wrong(&op("{:fence 7.5}"), "not a whole number", 0);
        wrong(&op("18446744073709551616"), "not a token", 0);
        wrong(&op(&"9".repeat(50)), "not a whole number", 0);
        wrong("{:process 1.5 :type :ok :f :acquire}", "not a whole number", 0);
        wrong("#_{:a 1}", "`#_`", 2);
    }

    #[test]
    fn comments_are_not_operations() {
        assert_eq!(line("; from node n1"), Ok(None));
        let commented = "{:process 1 :type :invoke :f :acquire} ; {:process 2}";
        assert_eq!(line(commented).map(|line| line.map(|line| line.process)), Ok(Some("1".into())));
    }

    #[test]
    fn numbers_can_be_as_large_as_tokens() {
        assert_eq!(op("18446744073709551615").token, Some(u64::MAX));
        assert_eq!((op("7N").token, op("{:fence 7N}").token), (Some(7), Some(7)));
        assert_eq!((op("{:permits 2N}").permits, op("{:token nil}").token), (Some(2), None));
    }

    #[test]
    fn every_phase_is_read() {
        let phase = |name: &str| line(&format!("{{:process 1 :type {name} :f :acquire}}")).unwrap().unwrap().phase;
        let phases = [":invoke", ":ok", ":fail", ":info"].map(phase);
        assert_eq!(phases, [Phase::Invoke, Phase::Ok, Phase::Fail, Phase::Info]);
    }
}
