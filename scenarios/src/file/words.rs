//! Quotes from files in messages, and suggestions for misspelled names.

/// The maximum number of characters in a name or a quote.
const LONGEST_WORD: usize = 60;

/// Returns a suggestion for an unknown name: the nearest choice, or all choices if none is near.
pub fn suggestion(word: &str, choices: &[&str]) -> String {
    match (nearest(word, choices), choices) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "there are no choices: remove it".into(),
        (None, [only]) => format!("the only choice is `{only}`"),
        (None, _) => format!("choose one of {}", listed(choices)),
    }
}

/// Returns the choice that the user probably meant.
pub(super) fn nearest<'w>(word: &str, choices: &[&'w str]) -> Option<&'w str> {
    if word.chars().count() > LONGEST_WORD {
        return None;
    }
    let word = plain(word);
    let distance = |choice: &str| strsim::damerau_levenshtein(&word, &plain(choice));
    let near = choices.iter().copied().min_by_key(|choice| distance(choice))?;
    let tolerated = (near.chars().count().min(word.chars().count()) / 3).max(1);
    let is_prefix = word.len() >= 4 && plain(near).starts_with(&word);
    (distance(near) <= tolerated && word.chars().count() > 1 || is_prefix).then_some(near)
}

/// Returns the word without case and with hyphens as separators.
fn plain(word: &str) -> String {
    word.trim().to_lowercase().replace(['_', ' '], "-")
}

/// Returns the choices in backticks, separated by commas.
pub(super) fn listed(choices: &[&str]) -> String {
    let quoted: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
    quoted.join(", ")
}

/// Returns the text in backticks, escaped and truncated to one short line.
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'");
    if let Some((cut, _)) = shown.char_indices().nth(LONGEST_WORD) {
        shown.truncate(cut);
        shown.push('…');
    }
    format!("`{shown}`")
}

/// Checks that a name is in kebab-case.
///
/// # Errors
/// A fix, if the name is not in kebab-case.
pub(super) fn kebab_case(name: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().count() <= LONGEST_WORD && name.chars().all(allowed) {
        return Ok(());
    }
    let fixed: String = name.to_lowercase().chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let fixed = fixed.trim_matches('-').chars().take(LONGEST_WORD).collect::<String>();
    Err(match fixed.as_str() {
        "" => "use letters, digits and hyphens, such as `gc-pause`".into(),
        fixed => format!("use letters, digits and hyphens, such as `{fixed}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_suggested() {
        let choices = ["pause", "vm-pause", "crash", "clock-step"];
        assert_eq!(nearest("puase", &choices), Some("pause"));
        assert_eq!(nearest("clock_step", &choices), Some("clock-step"));
        assert_eq!(nearest("VM-Pause", &choices), Some("vm-pause"));
        assert_eq!(nearest("earthquake", &choices), None);
        assert_eq!(nearest("", &choices), None);
        assert_eq!(nearest(&"p".repeat(1_000_000), &choices), None);
    }

    #[test]
    fn a_quote_is_one_short_line() {
        assert_eq!(quoted("a\nb"), "`a\\nb`");
        assert!(quoted(&"x".repeat(1000)).chars().count() < 70);
    }

    #[test]
    fn an_invalid_name_gets_a_suggestion() {
        assert_eq!(kebab_case("gc-pause"), Ok(()));
        assert!(kebab_case("GC pause!").unwrap_err().contains("`gc-pause`"));
        assert!(kebab_case("").is_err());
    }
}
