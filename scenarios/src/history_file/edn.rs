//! A line of Jepsen's `history.edn`: an operation as a map. EDN is specified at <https://github.com/edn-format/edn>;
//! what a history has is read here: maps, vectors, lists, sets, tagged values, strings, keywords and numbers.

use std::iter::Peekable;
use std::str::CharIndices;

use super::Complaint;
use super::line::{Function, Line, Phase};

/// A value. What no lock's history is about is read and forgotten.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    /// A keyword, symbol or string, by its name.
    Word(String),
    Number(i64),
    Map(Vec<(Value, Value)>),
    Sequence(Vec<Value>),
    Nil,
}

/// What the line says, or nothing if it is not a client's: Jepsen's nemesis has a name in place of a number.
pub(super) fn line(text: &str) -> Result<Option<Line>, Complaint> {
    let mut reader = Reader { text, rest: text.char_indices().peekable(), depth: 0 };
    let value = reader.value()?;
    let Value::Map(fields) = &value else {
        return Err(Complaint::new("this is not a map", "Jepsen writes one operation a line into history.edn"));
    };
    let Some(Value::Number(process)) = get(fields, &["process"]) else { return Ok(None) };
    let phase = match word(fields, "type")? {
        "invoke" => Phase::Invoke,
        "ok" => Phase::Ok,
        "fail" => Phase::Fail,
        "info" => Phase::Info,
        other => return Err(Complaint::new(format!("`:type` is :{other}"), "it is :invoke, :ok, :fail or :info")),
    };
    let f = match word(fields, "f")? {
        "acquire" | "lock" => Function::Acquire,
        "release" | "unlock" => Function::Release,
        "expire" => Function::Expire,
        other => {
            let help = "it is :acquire, :release or :expire: take other operations out, and name yours so";
            return Err(Complaint::new(format!("`:f` is :{other}"), help));
        }
    };
    let mut line = Line { process: process.to_string(), phase, f, lock: None, owner: None, token: None, permits: None };
    if let Some(value) = get(fields, &["value"]) {
        line.take_value(value)?;
    }
    Ok(Some(line))
}

impl Line {
    /// A value is a token, a map that names what it has, or the pair of a lock and such a value
    /// (`jepsen.independent`).
    fn take_value(&mut self, value: &Value) -> Result<(), Complaint> {
        match value {
            Value::Number(token) => self.token = Some(whole(*token)?),
            Value::Map(fields) => {
                self.lock = get(fields, &["lock", "key"]).and_then(name).or(self.lock.take());
                self.owner = get(fields, &["owner", "client", "session"]).and_then(name);
                if let Some(Value::Number(token)) = get(fields, &["token", "fence"]) {
                    self.token = Some(whole(*token)?);
                }
                if let Some(Value::Number(permits)) = get(fields, &["permits"]) {
                    self.permits = Some(whole(*permits)?);
                }
            }
            Value::Sequence(values) => {
                if let [lock, value] = values.as_slice()
                    && let Some(lock) = name(lock)
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

fn word<'v>(fields: &'v [(Value, Value)], key: &str) -> Result<&'v str, Complaint> {
    match get(fields, &[key]) {
        Some(Value::Word(word)) => Ok(word),
        _ => Err(Complaint::new(format!("there is no `:{key}`"), "an operation has :process, :type and :f")),
    }
}

fn name(value: &Value) -> Option<String> {
    match value {
        Value::Word(word) => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Map(_) | Value::Sequence(_) | Value::Nil => None,
    }
}

fn whole<N: TryFrom<i64>>(number: i64) -> Result<N, Complaint> {
    let help = "tokens and permits are whole numbers from 0; leave an invalid fence out of the value";
    N::try_from(number).map_err(|_| Complaint::new(format!("{number} is not a token or number of permits"), help))
}

/// Deeper values than any history has. They would exhaust the stack.
const DEEPEST: u32 = 100;

struct Reader<'t> {
    text: &'t str,
    rest: Peekable<CharIndices<'t>>,
    depth: u32,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, Complaint> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("values are nested too deeply"));
        }
        let value = self.nested();
        self.depth -= 1;
        value
    }

    fn nested(&mut self) -> Result<Value, Complaint> {
        match self.next_token()? {
            '{' => self.map(),
            '[' => Ok(Value::Sequence(self.until(']')?)),
            '(' => Ok(Value::Sequence(self.until(')')?)),
            '"' => self.string(),
            '#' => self.tagged(),
            ':' => Ok(Value::Word(self.word())),
            '}' | ']' | ')' => Err(self.wrong("a bracket closes nothing")),
            first => Ok(atom(&(first.to_string() + &self.word()))),
        }
    }

    /// The first character of the next value; commas are blanks.
    fn next_token(&mut self) -> Result<char, Complaint> {
        self.skip_blanks();
        match self.rest.next() {
            Some((_, c)) => Ok(c),
            None => Err(self.wrong("a value is missing at the end of the line")),
        }
    }

    fn skip_blanks(&mut self) {
        while self.rest.next_if(|(_, c)| c.is_whitespace() || *c == ',').is_some() {}
    }

    fn until(&mut self, end: char) -> Result<Vec<Value>, Complaint> {
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            if self.rest.next_if(|(_, c)| *c == end).is_some() {
                return Ok(values);
            }
            values.push(self.value()?);
        }
    }

    fn map(&mut self) -> Result<Value, Complaint> {
        let values = self.until('}')?;
        if !values.len().is_multiple_of(2) {
            return Err(self.wrong("a map has a key without a value"));
        }
        let pairs = values.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        Ok(Value::Map(pairs.collect()))
    }

    /// A set, or a value with a tag, which is not needed to read a history.
    fn tagged(&mut self) -> Result<Value, Complaint> {
        if self.rest.next_if(|(_, c)| *c == '{').is_some() {
            return Ok(Value::Sequence(self.until('}')?));
        }
        self.word();
        self.value()
    }

    fn string(&mut self) -> Result<Value, Complaint> {
        let mut text = String::new();
        while let Some((_, c)) = self.rest.next() {
            match c {
                '"' => return Ok(Value::Word(text)),
                '\\' => text.extend(self.rest.next().map(|(_, escaped)| escaped)),
                c => text.push(c),
            }
        }
        Err(self.wrong("a string has no end"))
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        let ends = |c: char| c.is_whitespace() || "{}[]()\",".contains(c);
        while let Some((_, c)) = self.rest.next_if(|(_, c)| !ends(*c)) {
            word.push(c);
        }
        word
    }

    fn wrong(&mut self, message: &str) -> Complaint {
        let column = self.rest.peek().map_or(self.text.len(), |(place, _)| *place);
        Complaint { column, ..Complaint::new(message, "each line of history.edn is a map of its own") }
    }
}

fn atom(text: &str) -> Value {
    match (text, text.parse()) {
        ("nil", _) => Value::Nil,
        (_, Ok(number)) => Value::Number(number),
        (_, Err(_)) => Value::Word(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(value: &str) -> Line {
        let text = format!("{{:process 3, :type :ok, :f :acquire, :value {value}}}");
        line(&text).expect("it is right").expect("it is a client's")
    }

    #[test]
    fn a_value_is_a_token_or_names_what_it_has_or_has_a_lock_before_it() {
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
    fn lock_and_unlock_are_other_names_for_the_same() {
        let named = |f: &str| line(&format!("{{:process 1 :type :invoke :f {f}}}")).map(|line| line.map(|line| line.f));
        assert_eq!(named(":lock"), Ok(Some(Function::Acquire)));
        assert_eq!(named(":unlock"), Ok(Some(Function::Release)));
        assert_eq!(named(":release"), Ok(Some(Function::Release)));
        assert_eq!(named(":expire"), Ok(Some(Function::Expire)));
        assert!(named(":read").unwrap_err().message.contains(":read"));
    }

    #[test]
    fn the_nemesis_does_nothing_to_locks() {
        assert_eq!(line("{:process :nemesis, :type :info, :f :kill, :value {\"n1\" :killed}}"), Ok(None));
        assert_eq!(line("{:type :info, :f :kill}"), Ok(None));
    }

    #[track_caller]
    fn wrong(text: &str, message: &str, column: usize) {
        let complaint = line(text).expect_err("it is wrong");
        assert!(complaint.message.contains(message), "{complaint:?}");
        assert_eq!(complaint.column, column, "{complaint:?}");
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        wrong("", "end of the line", 0);
        wrong("[1 2]", "not a map", 0);
        wrong("{:a \"b}", "string has no end", 7);
        wrong("{:a 1 :b}", "key without a value", 9);
        wrong("{:a ]", "closes nothing", 5);
        wrong("{:process 1 :type :done :f :acquire}", ":done", 0);
        wrong("{:process 1 :f :acquire}", "no `:type`", 0);
        wrong("{:process 1 :type :ok :f :acquire :value -1}", "-1 is not a token", 0);
        wrong("{:process 1 :type :ok :f :acquire :value {:permits -2}}", "-2 is not", 0);
        wrong(&"[".repeat(10_000), "too deeply", 100);
    }

    #[test]
    fn every_phase_is_read() {
        let phase = |name: &str| line(&format!("{{:process 1 :type {name} :f :acquire}}")).unwrap().unwrap().phase;
        let phases = [":invoke", ":ok", ":fail", ":info"].map(phase);
        assert_eq!(phases, [Phase::Invoke, Phase::Ok, Phase::Fail, Phase::Info]);
    }
}
