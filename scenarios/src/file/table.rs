//! Tables with positions. Every invalid key is reported and skipped, so one mistake does not hide the next.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Report;
use super::reader::{Mistake, Reader, TEXT, What};
use super::words::{nearest, quoted, suggestion};

/// A table of a file.
#[derive(Clone)]
pub(super) struct Table<'i> {
    /// The name in messages, such as `[clients]`.
    pub name: String,
    /// The location: the header, or the whole inline table.
    pub span: Range<usize>,
    /// The entries.
    pub items: DeTable<'i>,
}

/// A key of a table and its value.
pub(super) struct Entry<'i> {
    pub key: Spanned<String>,
    pub value: Spanned<DeValue<'i>>,
}

impl<'i> Table<'i> {
    /// Removes and returns an entry.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry<'i>> {
        let (key, value) = self.items.remove_entry(key)?;
        Some(Entry { key: Spanned::new(key.span(), key.into_inner().into_owned()), value })
    }

    /// Removes and returns all entries, in the order of the file.
    pub(super) fn take_all(&mut self) -> Vec<Entry<'i>> {
        let items = std::mem::take(&mut self.items);
        let owned = |key: Spanned<std::borrow::Cow<'_, str>>| Spanned::new(key.span(), key.into_inner().into_owned());
        let mut entries: Vec<_> = items.into_iter().map(|(key, value)| Entry { key: owned(key), value }).collect();
        entries.sort_by_key(|entry| entry.key.span().start);
        entries
    }

    /// Inserts an entry that was removed.
    pub(super) fn put_back(&mut self, entry: Entry<'i>) {
        let key = Spanned::new(entry.key.span(), entry.key.into_inner().into());
        self.items.insert(key, entry.value);
    }

    /// Moves the entries of these keys into a new table.
    pub(super) fn split_off(&mut self, keys: &[&str]) -> Table<'i> {
        let mut items = DeTable::new();
        for key in keys {
            if let Some((key, value)) = self.items.remove_entry(*key) {
                items.insert(key, value);
            }
        }
        Table { name: self.name.clone(), span: self.span.clone(), items }
    }

    /// Returns the span of this key.
    pub(super) fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.items.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Deserializes the table into a type with fixed keys, as [`Table::read`] does.
    pub(super) fn read_keys<T: DeserializeOwned>(self, report: &mut Report, others: &[&str]) -> Option<T> {
        self.read(report, others, |keys| T::deserialize(keys))
    }

    /// Deserializes the table, and reports and skips each invalid key. `others` are keys that were removed from the
    /// table before.
    pub(super) fn read<T>(
        self,
        report: &mut Report,
        others: &[&str],
        parse: impl Fn(Reader<'_>) -> Result<T, Mistake>,
    ) -> Option<T> {
        let mut removed = BTreeSet::new();
        loop {
            let mistake = match parse(Reader::table(&self.items, self.span.clone(), &removed)) {
                Ok(value) => return Some(value),
                Err(mistake) => mistake,
            };
            // A key may be missing only because a misspelled key was removed and reported before.
            let is_reported = |missing: &str| removed.iter().any(|key| nearest(key, &[missing]).is_some());
            match (&mistake.what, mistake.path.first()) {
                (What::MissingKey(missing), None) if is_reported(missing) => {}
                _ => mistake.report(report, &self, others),
            }
            removed.insert(mistake.path.into_iter().next()?);
        }
    }
}

impl Mistake {
    /// Reports the mistake. `others` are further keys of the table.
    fn report(&self, report: &mut Report, table: &Table<'_>, others: &[&str]) {
        let span = self.span.clone().unwrap_or_else(|| table.span.clone());
        let subject = |path: &[String]| path.last().map_or_else(|| table.name.clone(), |key| quoted(key));
        match &self.what {
            What::UnknownKey(choices) => {
                let Some((key, path)) = self.path.split_last() else { return };
                let others = if path.is_empty() { others } else { &[] };
                unknown_key(report, span, key, &subject(path), &[choices, others].concat());
            }
            What::UnknownValue { value, choices } => {
                let message = format!("{} is not a value of {}", quoted(value), subject(&self.path));
                report.add(span, message, suggestion(value, choices));
            }
            What::MissingKey(missing) => {
                let help = format!("add `{missing} = …`: it has no default");
                report.add(span, format!("{} has no `{missing}`", subject(&self.path)), help);
            }
            What::Unexpected { found, expected } => {
                let help =
                    (expected == TEXT).then(|| "put it in quotes; if it is a duration, add a unit: \"5s\"".into());
                report.push(span, format!("{} must be {expected}, not {found}", subject(&self.path)), help);
            }
            What::Other(message) => match message.rsplit_once(": ") {
                Some((reason, fix)) => report.add(span, reason, fix),
                None => report.push(span, message.clone(), None),
            },
        }
    }
}

/// Reports a key that a table does not have.
pub(super) fn unknown_key(report: &mut Report, span: Range<usize>, key: &str, table: &str, choices: &[&str]) {
    report.add(span, format!("unknown key {} in {table}", quoted(key)), suggestion(key, choices));
}

/// Returns the kind of a value, for messages.
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
    /// Returns the entry's table, or reports a value of another kind. Messages refer to the table as `name`.
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
