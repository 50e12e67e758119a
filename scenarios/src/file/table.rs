//! Tables with positions. A table is deserialized as far as it goes: every wrong key is reported and left out, so that
//! one mistake does not hide the next.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error, ValueDeserializer};

use super::complaint::{Complaint, Fields};
use super::problem::Report;
use super::words::{nearest, quoted, remedy};

/// A table of a file.
#[derive(Clone)]
pub(super) struct Table<'i> {
    /// As messages name it: `[clients]`.
    pub name: String,
    /// Where it is: its header, or the whole of an inline table.
    pub span: Range<usize>,
    /// What is in it.
    pub items: DeTable<'i>,
}

/// A key of a table and its value.
pub(super) struct Entry<'i> {
    pub key: Spanned<String>,
    pub value: Spanned<DeValue<'i>>,
}

impl<'i> Table<'i> {
    /// Takes an entry out.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry<'i>> {
        let (key, value) = self.items.remove_entry(key)?;
        Some(Entry { key: Spanned::new(key.span(), key.into_inner().into_owned()), value })
    }

    /// Takes all entries out, in the order of the file.
    pub(super) fn take_all(&mut self) -> Vec<Entry<'i>> {
        let items = std::mem::take(&mut self.items);
        let owned = |key: Spanned<std::borrow::Cow<'_, str>>| Spanned::new(key.span(), key.into_inner().into_owned());
        let mut entries: Vec<_> = items.into_iter().map(|(key, value)| Entry { key: owned(key), value }).collect();
        entries.sort_by_key(|entry| entry.key.span().start);
        entries
    }

    /// Moves the entries of these keys into a table of their own.
    pub(super) fn split_off(&mut self, keys: &[&str]) -> Table<'i> {
        let mut items = DeTable::new();
        for key in keys {
            if let Some((key, value)) = self.items.remove_entry(*key) {
                items.insert(key, value);
            }
        }
        Table { name: self.name.clone(), span: self.span.clone(), items }
    }

    /// Where this key is.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.items.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Deserializes the table; what is wrong is reported and left out. `others` are keys that may stand in the table
    /// but were taken out before.
    pub(super) fn read<T>(
        mut self,
        report: &mut Report,
        others: &[&str],
        parse: impl Fn(ValueDeserializer<'i>) -> Result<T, Error>,
    ) -> Option<T> {
        let mut removed: Vec<String> = Vec::new();
        loop {
            let value = Spanned::new(self.span.clone(), DeValue::Table(self.items.clone()));
            let error = match parse(ValueDeserializer::from(value)) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let culprit = self.culprit(&error);
            let complaint = Complaint::of(error.message());
            if !(culprit.is_none() && complaint.follows_from(&removed)) {
                self.complain(report, &complaint, culprit.as_deref(), error.span(), others);
            }
            let key = culprit?;
            self.items.remove(key.as_str());
            removed.push(key);
        }
    }

    /// The key whose entry an error is about.
    fn culprit(&self, error: &Error) -> Option<String> {
        let span = error.span()?;
        let inside = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
        self.items
            .iter()
            .find(|(key, value)| inside(key.span()) || inside(value.span()))
            .map(|(key, _)| key.get_ref().to_string())
    }

    fn complain(
        &self,
        report: &mut Report,
        complaint: &Complaint,
        key: Option<&str>,
        span: Option<Range<usize>>,
        others: &[&str],
    ) {
        let span = span.unwrap_or_else(|| self.span.clone());
        // An unknown key of this table itself, not of an inline table within it.
        let own_key = key.filter(|key| self.key_span(key).is_some_and(|at| at == span));
        match (complaint, own_key) {
            (Complaint::UnknownKey { expected, .. }, Some(key)) => {
                unknown_key(report, span, key, &self.name, expected, others);
            }
            _ => {
                let key = key.and_then(|key| innermost(key, self.items.get(key)?, &span));
                let (message, help) = complaint.words(key.as_deref(), &self.name);
                report.push(span, message, help);
            }
        }
    }
}

/// The key that an error is about, be it within an inline table under `key`.
fn innermost(key: &str, value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    let encloses = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    let items = value.get_ref().as_table().into_iter().flat_map(|table| table.iter());
    let mut within = items.filter(|(_, value)| encloses(value.span()));
    within.find_map(|(key, value)| innermost(key.get_ref(), value, span)).or_else(|| Some(key.into()))
}

/// Reports a key that this table does not have.
pub(super) fn unknown_key(
    report: &mut Report,
    span: Range<usize>,
    key: &str,
    table: &str,
    fields: &Fields,
    others: &[&str],
) {
    let choices: Vec<&str> = fields.iter().map(String::as_str).chain(others.iter().copied()).collect();
    report.add(span, format!("unknown key {} in {table}", quoted(key)), remedy(key, &choices));
}

/// What kind of value this is.
pub(super) fn kind_in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl<'i> Entry<'i> {
    /// The entry's table, reported where it is something else. `name` is how messages name it.
    pub(super) fn table(self, report: &mut Report, name: &str) -> Option<Table<'i>> {
        let span = self.value.span();
        match self.value.into_inner() {
            DeValue::Table(items) => Some(Table { name: name.into(), span, items }),
            other => {
                let message = format!("{} must be a table, not {}", quoted(self.key.get_ref()), kind_in_words(&other));
                report.add(span, message, format!("write {name}, and its keys on the lines below"));
                None
            }
        }
    }
}

impl Complaint {
    /// Whether a missing key is only missing because what stood there was wrong and has been reported.
    fn follows_from(&self, removed: &[String]) -> bool {
        let Complaint::MissingKey(missing) = self else { return false };
        removed.iter().any(|key| key == missing || nearest(key, &[missing]).is_some())
    }
}
