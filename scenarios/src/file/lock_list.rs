//! Lists of locks: names, classes such as `@lease`, and exclusions such as `!etcd` or `!@in-store`.

use std::ops::Range;

use fencepost_models::Class;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use toml::Spanned;

use super::catalog::Catalog;
use super::problem::{Problem, Report};
use super::words::{quoted, suggestion};

/// A lock that a list selects.
pub(super) struct Selected {
    pub lock: String,
    /// The span of the word that selects the lock.
    pub span: Range<usize>,
    /// Whether this word is the lock's name, not a class.
    pub by_name: bool,
}

/// One word of a list.
struct Word {
    text: String,
    span: Range<usize>,
    excludes: bool,
    is_class: bool,
    locks: Vec<&'static str>,
}

impl Word {
    fn read(catalog: &Catalog, report: &mut Report, word: Spanned<String>) -> Option<Self> {
        let (span, text) = (word.span(), word.into_inner());
        let (excludes, name) = text.strip_prefix('!').map_or((false, text.as_str()), |name| (true, name));
        let Some(locks) = locks_named(catalog, name) else {
            unknown(catalog, report, span, name);
            return None;
        };
        let is_class = name.starts_with('@') || name.ends_with(ALL_VARIANTS);
        Some(Word { text, span, excludes, is_class, locks })
    }

    fn has(&self, lock: &str) -> bool {
        self.locks.contains(&lock)
    }
}

/// The suffix that selects a lock, or each lock of a class, in all variants.
const ALL_VARIANTS: &str = ":*";

/// Returns the locks that one word selects: `LOCK`, `LOCK:VARIANT` or `@CLASS`, or all variants by `LOCK:*` or
/// `@CLASS:*`. Returns `None` if the name is unknown.
fn locks_named(catalog: &Catalog, word: &str) -> Option<Vec<&'static str>> {
    let (name, all) = word.strip_suffix(ALL_VARIANTS).map_or((word, false), |name| (name, true));
    let locks = match name.strip_prefix('@') {
        Some(class) => locks_of(catalog, Class::from_name(class)?),
        None => vec![catalog.find_lock(name)?.name()],
    };
    if !all {
        return Some(locks);
    }
    let variants = |lock| catalog.variants_of(lock).map(|format| format.name());
    Some(locks.into_iter().flat_map(variants).collect())
}

/// Returns the locks of a class in their default variants, in the order of the catalog.
pub fn locks_of(catalog: &Catalog, class: Class) -> Vec<&'static str> {
    catalog.lock_formats().iter().filter(|lock| class.matches(&lock.info)).map(|lock| lock.name()).collect()
}

/// Reads a list and returns the included locks that are not excluded. In `[expect]`, `among` has the locks that the
/// scenario runs: classes select only those, and other names are reported.
pub(super) fn resolve(
    catalog: &Catalog,
    report: &mut Report,
    list: Vec<Spanned<String>>,
    among: Option<&[String]>,
) -> Vec<Selected> {
    // A scenario that lists a lock permits its variants.
    let base = |lock: &str| lock.split_once(':').map_or(lock, |(base, _)| base).to_owned();
    let runs = |lock: &str| among.is_none_or(|among| among.iter().any(|name| name == lock || *name == base(lock)));
    let words = list.into_iter().filter_map(|word| Word::read(catalog, report, word));
    let (excluded, included): (Vec<Word>, Vec<Word>) = words.collect::<Vec<_>>().into_iter().partition(|w| w.excludes);
    for (index, word) in excluded.iter().enumerate() {
        let removes = |other: &Word| word.locks.iter().any(|lock| other.has(lock) && (runs(lock) || !other.is_class));
        if !included.iter().any(removes) || excluded[..index].iter().any(|earlier| earlier.text == word.text) {
            let help = format!("remove it, or include a class that contains it: `[\"@all\", {:?}]`", word.text);
            report.add(word.span.clone(), format!("{} excludes no lock", quoted(&word.text)), help);
        }
    }
    let mut selected: Vec<Selected> = Vec::new();
    for word in included {
        if !word.is_class && !runs(&word.text) {
            let message = format!("{} has expected verdicts, but `locks` does not select it", quoted(&word.text));
            report.add(word.span.clone(), message, "add it to `locks`, or remove it from `[expect]`");
            continue;
        }
        if selected.iter().any(|earlier| !word.is_class && earlier.by_name && earlier.lock == word.text) {
            report.add(word.span.clone(), format!("{} is listed twice", quoted(&word.text)), "remove one of the two");
        }
        let is_left = |lock: &&str| runs(lock) && !excluded.iter().any(|word| word.has(lock));
        let left: Vec<&str> = word.locks.iter().copied().filter(is_left).collect();
        if left.is_empty() {
            let help = match among {
                Some(_) => "remove it: `locks` has no lock of this class, or all are excluded",
                None => "remove it, or the exclusions that leave no lock",
            };
            report.add(word.span.clone(), format!("{} selects no lock", quoted(&word.text)), help);
        }
        for lock in left {
            if !selected.iter().any(|earlier| earlier.lock == lock) {
                selected.push(Selected { lock: lock.into(), span: word.span.clone(), by_name: !word.is_class });
            }
        }
    }
    selected
}

/// Reads the key `locks` of a scenario or suite.
pub(super) fn maybe_words<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<Spanned<String>>>, D::Error> {
    let words = Vec::deserialize(deserializer)?;
    if words.is_empty() {
        let message = "`locks` is empty, so no case would run: name some locks, or omit `locks` to run all";
        return Err(D::Error::custom(message));
    }
    Ok(Some(words))
}

/// Returns the locks of `locks`.
pub(super) fn selection(catalog: &Catalog, report: &mut Report, words: Vec<Spanned<String>>) -> Vec<String> {
    resolve(catalog, report, words, None).into_iter().map(|selected| selected.lock).collect()
}

/// Returns the locks that these words select outside of a file. Classes select only locks in `among`.
///
/// # Errors
/// The problems, located in the words joined by commas.
pub fn select_locks(
    catalog: &Catalog,
    words: &[String],
    among: Option<&[String]>,
) -> Result<Vec<String>, Vec<Problem>> {
    let mut report = Report::new("list of locks", &words.join(","));
    let mut start = 0;
    let spanned = words.iter().map(|word| {
        let span = start..start + word.len();
        start = span.end + 1;
        Spanned::new(span, word.clone())
    });
    let selected = resolve(catalog, &mut report, spanned.collect(), among);
    report.conclude(Some(selected.into_iter().map(|selected| selected.lock).collect()))
}

/// Reports a word that is neither a lock nor a class.
pub(super) fn unknown(catalog: &Catalog, report: &mut Report, span: Range<usize>, name: &str) {
    let classes: Vec<String> = Class::ALL.iter().map(|class| format!("@{}", class.name())).collect();
    let (what, locks): (_, Vec<&str>) = match name.starts_with('@') {
        true => ("class of locks", Vec::new()),
        false => ("lock", catalog.lock_names().chain(catalog.variant_names()).collect()),
    };
    let choices: Vec<&str> = locks.into_iter().chain(classes.iter().map(String::as_str)).collect();
    report.add(span, format!("no {what} is named {}", quoted(name)), suggestion(name, &choices));
}
