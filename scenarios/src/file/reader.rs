//! Deserializes the tables of a file. A [`Mistake`] stores the serde error as data: the kind of mistake, the keys that
//! lead to it, and its location.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, Error, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_spanned::de::{SpannedDeserializer, is_spanned};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::words::{listed, quoted};

/// A mistake in a value of a file.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what:?}")]
pub struct Mistake {
    pub(super) what: What,
    /// The keys that lead to the value, or to the unknown key.
    pub(super) path: Vec<String>,
    pub(super) span: Option<Range<usize>>,
}

/// The kinds of mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    UnknownKey(&'static [&'static str]),
    UnknownValue {
        value: String,
        choices: &'static [&'static str],
    },
    MissingKey(&'static str),
    Unexpected {
        found: String,
        expected: String,
    },
    /// A message, with a fix after the last colon.
    Other(String),
}

/// The term for a string in messages.
pub(super) const TEXT: &str = "text in quotes";

impl Mistake {
    fn new(what: What) -> Self {
        Mistake { what, path: Vec::new(), span: None }
    }

    fn unexpected(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Mistake::new(What::Unexpected { found: found.into(), expected: expected.into() })
    }

    /// Sets the location, unless an inner value already set it.
    fn at(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }

    fn below(mut self, key: &str) -> Self {
        self.path.insert(0, key.into());
        self
    }

    /// Sets the expected kind of value, unless the mistake is in an inner value.
    fn expecting(mut self, wanted: &str) -> Self {
        if let (What::Unexpected { expected, .. }, None) = (&mut self.what, &self.span) {
            *expected = wanted.into();
        }
        self
    }
}

impl Error for Mistake {
    fn custom<T: Display>(message: T) -> Self {
        Mistake::new(What::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => quoted(&value.to_string()),
            Unexpected::Unsigned(value) => format!("the number `{value}`"),
            Unexpected::Signed(value) => format!("the number `{value}`"),
            Unexpected::Float(value) => format!("the number `{value:?}`"),
            Unexpected::Str(text) => format!("the text {}", quoted(text)),
            Unexpected::Seq => "a list".into(),
            Unexpected::Map => "a table".into(),
            other => other.to_string(),
        };
        Mistake::unexpected(found, expected.to_string())
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mistake::invalid_type(found, expected)
    }

    fn unknown_variant(value: &str, choices: &'static [&'static str]) -> Self {
        Mistake::new(What::UnknownValue { value: value.into(), choices })
    }

    fn unknown_field(_: &str, choices: &'static [&'static str]) -> Self {
        Mistake::new(What::UnknownKey(choices))
    }

    fn missing_field(key: &'static str) -> Self {
        Mistake::new(What::MissingKey(key))
    }
}

/// Deserializes one value.
#[derive(Clone)]
pub struct Reader<'a> {
    value: Source<'a>,
    span: Range<usize>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Value(&'a DeValue<'a>),
    /// A table and the keys to skip.
    Table(&'a DeTable<'a>, &'a BTreeSet<String>),
}

impl<'a> Reader<'a> {
    /// Creates a reader of a table that skips the keys in `without`.
    pub(crate) fn table(items: &'a DeTable<'a>, span: Range<usize>, without: &'a BTreeSet<String>) -> Self {
        Reader { value: Source::Table(items, without), span }
    }

    pub(super) fn value(value: &'a Spanned<DeValue<'a>>) -> Self {
        Reader { value: Source::Value(value.get_ref()), span: value.span() }
    }

    fn expect<'de, V: Visitor<'de>>(self, wanted: &str, visitor: V) -> Result<V::Value, Mistake> {
        let span = self.span.clone();
        self.visit(visitor).map_err(|mistake| mistake.expecting(wanted).at(&span))
    }

    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.value {
            Source::Table(items, without) => visitor.visit_map(Entries::new(items, Some(without))),
            Source::Value(value) => match value {
                DeValue::Table(items) => visitor.visit_map(Entries::new(items, None)),
                DeValue::Array(items) => visitor.visit_seq(Elements(items, 0)),
                DeValue::String(text) => visitor.visit_str(text),
                DeValue::Boolean(value) => visitor.visit_bool(*value),
                DeValue::Integer(number) => visit_integer(number.as_str(), number.radix(), visitor),
                DeValue::Float(number) => match number.as_str().parse() {
                    Ok(number) => visitor.visit_f64(number),
                    Err(_) => Err(Mistake::unexpected(format!("the number {}", quoted(number.as_str())), "a number")),
                },
                DeValue::Datetime(_) => Err(Mistake::invalid_type(Unexpected::Other("a date"), &visitor)),
            },
        }
    }
}

fn visit_integer<'de, V: Visitor<'de>>(digits: &str, radix: u32, visitor: V) -> Result<V::Value, Mistake> {
    if let Ok(number) = i64::from_str_radix(digits, radix) {
        return visitor.visit_i64(number);
    }
    match u64::from_str_radix(digits, radix) {
        Ok(number) => visitor.visit_u64(number),
        Err(_) => {
            let found = format!("the number {}", quoted(digits));
            Err(Mistake::invalid_value(Unexpected::Other(&found), &visitor))
        }
    }
}

/// Defines methods whose errors name the expected kind of value.
macro_rules! expecting {
    ($($wanted:expr => $($method:ident)*;)*) => {$($(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            self.expect($wanted, visitor)
        }
    )*)*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Mistake;

    expecting! {
        "`true` or `false`" => deserialize_bool;
        "a whole number, zero or more" => deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64;
        "a whole number" => deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64;
        "a number" => deserialize_f32 deserialize_f64;
        TEXT => deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf;
        "a list" => deserialize_seq;
        "a table" => deserialize_map;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let span = self.span.clone();
        self.visit(visitor).map_err(|mistake| mistake.at(&span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if is_spanned(name) {
            let span = self.span.clone();
            return visitor.visit_map(SpannedDeserializer::new(self, span));
        }
        self.expect(&format!("a table with {}", listed(fields)), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let span = self.span.clone();
        let read = match self.value {
            Source::Value(DeValue::String(text)) => visitor.visit_enum(text.as_ref().into_deserializer()),
            _ => self.visit(visitor).map_err(|mistake| mistake.expecting(TEXT)),
        };
        read.map_err(|mistake| mistake.at(&span))
    }

    serde::forward_to_deserialize_any! { i128 u128 unit unit_struct tuple tuple_struct identifier ignored_any }
}

impl IntoDeserializer<'_, Mistake> for Reader<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The elements of a list from this index.
struct Elements<'a>(&'a DeArray<'a>, usize);

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some(element) = self.0.get(self.1) else { return Ok(None) };
        self.1 += 1;
        seed.deserialize(Reader::value(element)).map(Some).map_err(|mistake| mistake.at(&element.span()))
    }
}

/// A key and its value.
type Item<'a> = (&'a Spanned<Cow<'a, str>>, &'a Spanned<DeValue<'a>>);

/// The entries of a table.
struct Entries<'a> {
    rest: Box<dyn Iterator<Item = Item<'a>> + 'a>,
    value: Option<(&'a str, &'a Spanned<DeValue<'a>>)>,
}

impl<'a> Entries<'a> {
    fn new(items: &'a DeTable<'a>, without: Option<&'a BTreeSet<String>>) -> Self {
        let rest =
            items.iter().filter(move |(key, _)| without.is_none_or(|keys| !keys.contains(key.get_ref().as_ref())));
        Entries { rest: Box::new(rest), value: None }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((key.get_ref(), value));
        let name: StrDeserializer<'_, Mistake> = key.get_ref().as_ref().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|mistake| mistake.at(&key.span()).below(key.get_ref()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let (key, value) = self.value.take().expect("serde requests the key first");
        seed.deserialize(Reader::value(value)).map_err(|mistake| mistake.at(&value.span()).below(key))
    }
}
