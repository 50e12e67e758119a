//! Formats names, counts and rates as text. Names come from users' files and are not trusted.

use std::time::Duration;

use fencepost_scenarios::run::results::{PropertyCount, TouchedHolder};
use fencepost_scenarios::run::stats::clopper_pearson;
use fencepost_sim::SimTime;

pub use fencepost_sim::text::{counted, grouped};

/// Makes deceptive characters of a name visible: control characters, line ends, and characters that make one text look
/// like another.
pub fn visible(name: &str) -> String {
    name.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).collect()
}

fn is_deceptive(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{00ad}');
    let not_xml = matches!(c, '\u{fffe}' | '\u{ffff}');
    c.is_control() || reorders || hides || not_xml || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Returns the visible name, clipped to at most `longest` characters.
pub fn clipped(name: &str, longest: usize) -> String {
    let name = visible(name);
    if name.chars().count() <= longest {
        return name;
    }
    let kept: String = name.chars().take(longest.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Prevents line breaks within values and node names: `≤ 0.13 %`, `client-1`. Not for commands, since it adds special
/// characters.
pub fn unbroken(text: &str) -> String {
    let mut kept = String::with_capacity(text.len() + 16);
    for c in text.replace("≤ ", "≤\u{a0}").replace(" %", "\u{a0}%").chars() {
        if c.is_ascii_digit() && kept.ends_with('-') {
            kept.push('\u{2060}');
        }
        kept.push(c);
    }
    kept
}

/// Formats a share as a percentage with two significant digits: `1.8 %`, `0.37 %`, `35 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", percent_number(share))
}

fn percent_number(share: f64) -> String {
    let percent = share * 100.0;
    if percent <= 0.0 {
        return "0".into();
    }
    if percent >= 9.95 {
        return format!("{percent:.0}");
    }
    let digits_before = libm::floor(libm::log10(percent));
    let decimals = (1.0 - digits_before).clamp(1.0, 9.0) as usize;
    format!("{percent:.decimals$}")
}

/// Formats an interval of shares: `0.69–2.2 %`.
pub fn percent_range(lower: f64, upper: f64) -> String {
    format!("{}–{}", percent_number(lower), percent(upper))
}

/// Formats the violated cases with the upper bound of the rate: `0 of 200 (≤ 1.8 %)`. Unknown cases follow as `+2?`.
pub fn violations(count: &PropertyCount) -> String {
    let unknown = if count.unknown > 0 { format!(" +{}?", count.unknown) } else { String::new() };
    of(count.violated, count.decided(), count.ci95().upper) + &unknown
}

/// The key to [`violations`].
pub const UNKNOWN_NOTE: &str = "+k?: k more cases are unknown; the bound counts them as violated";

/// Formats a count with its bound: `13 of 1,000 (≤ 2.2 %)`. Shows the lower bound if all cases are hits.
pub fn of(hits: u64, cases: u64, upper: f64) -> String {
    format!("{} of {} ({})", grouped(hits.into()), grouped(cases.into()), bound(hits, cases, upper))
}

/// Formats the upper bound of the share, or the lower bound if all cases are hits.
pub fn bound(hits: u64, cases: u64, upper: f64) -> String {
    match hits == cases && hits > 0 {
        true => format!("≥ {}", percent(clopper_pearson(hits, cases).lower)),
        false => format!("≤ {}", percent(upper)),
    }
}

/// Formats the violations of effect exclusion among the cases in which a fault touched a held grant.
pub fn touched_holder(count: TouchedHolder) -> String {
    match count.cases {
        0 => "no such case".into(),
        cases => of(count.violated, cases, count.ci95().upper),
    }
}

/// Joins names as `a, b and c`. Returns `none` if there are no names.
pub fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Formats a duration in seconds: `30.0 s`, `0.012 s`.
pub fn seconds(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    match ns {
        0 | 1_000_000_000.. => format!("{seconds:.1} s"),
        _ => format!("{seconds:.3} s"),
    }
}

/// Formats a difference in seconds: `+30.0 s`, `−0.012 s`.
pub fn signed_seconds(ns: i64) -> String {
    format!("{}{}", if ns < 0 { '−' } else { '+' }, seconds(ns.unsigned_abs()))
}

/// Formats a point in true time: `10.093 s`.
pub fn moment(at: SimTime) -> String {
    format!("{:.3} s", at.0 as f64 / 1e9)
}

/// Formats a number with about three significant digits.
pub fn short(number: f64) -> String {
    let magnitude = number.abs();
    if number == 0.0 || (magnitude < 1e3 && number == libm::trunc(number)) {
        return format!("{number:.0}");
    }
    match magnitude {
        m if m >= 1e3 => grouped(libm::round(number).max(0.0) as u128),
        m if m >= 100.0 => format!("{number:.0}"),
        m if m >= 10.0 => format!("{number:.1}"),
        m if m >= 0.01 => format!("{number:.2}"),
        _ => format!("{number:.1e}"),
    }
}

/// Formats an effective expiry, or `none`.
pub fn expiry(expiry: Option<Duration>) -> String {
    expiry.map_or_else(|| "none".into(), |expiry| format!("{} s", short(expiry.as_secs_f64())))
}

/// Returns the command that replays one case, with names quoted for the shell.
pub fn replay_command(scenario: &str, lock: &str, seed: u64, flags: &str) -> String {
    let case = shell_quoted(&format!("{}/{}/{seed}", visible(scenario), visible(lock)));
    let flags = visible(flags);
    if flags.is_empty() { format!("fencepost replay {case}") } else { format!("fencepost replay {case} {flags}") }
}

/// Returns the command that replays the case of a file.
pub fn replay_file_command(path: &str) -> String {
    format!("fencepost replay {}", shell_quoted(&visible(path)))
}

fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if word.chars().all(plain) && !word.starts_with('-') {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_keep_two_digits() {
        let shares = [0.018_275, 0.003_682, 0.35, 1.0, 0.0, 0.000_036_8, 0.0995, 0.0994, 0.999];
        let texts = ["1.8 %", "0.37 %", "35 %", "100 %", "0 %", "0.0037 %", "10 %", "9.9 %", "100 %"];
        assert_eq!(shares.map(percent), texts);
    }

    #[test]
    fn zero_violations_show_their_bound() {
        let count = PropertyCount { holds: 200, ..PropertyCount::default() };
        assert_eq!(violations(&count), "0 of 200 (≤ 1.8 %)");
        let count = PropertyCount { holds: 190, unknown: 10, ..PropertyCount::default() };
        assert_eq!(violations(&count), "0 of 190 (≤ 9.0 %) +10?");
        assert_eq!(of(60, 60, 1.0), "60 of 60 (≥ 94 %)");
        assert_eq!(of(0, 0, 1.0), "0 of 0 (≤ 100 %)");
    }

    #[test]
    fn hostile_names_are_visible_and_quoted() {
        assert_eq!(visible("a\n\u{202e}b\u{1b}[31m"), "a\u{fffd}\u{fffd}b\u{fffd}[31m");
        assert_eq!(clipped("gc-pause-inventory", 8), "gc-paus…");
        assert_eq!(replay_command("gc", "redlock", 7, ""), "fencepost replay gc/redlock/7");
        assert_eq!(
            replay_command("a'; rm -rf ~", "x", 1, "--bug b"),
            r"fencepost replay 'a'\''; rm -rf ~/x/1' --bug b"
        );
    }

    #[test]
    fn values_and_nodes_stay_on_one_line() {
        let text = "client-1 lost 3 of 200 (≤ 0.13 %), gc-pause none";
        assert_eq!(unbroken(text), "client-\u{2060}1 lost 3 of 200 (≤\u{a0}0.13\u{a0}%), gc-pause none");
    }

    #[test]
    fn numbers_stay_short() {
        let texts = [0.0, 21.0, 0.021, 12.34, 123.4, 1_234_567.0, 0.001].map(short);
        assert_eq!(texts, ["0", "21", "0.02", "12.3", "123", "1,234,567", "1.0e-3"]);
    }
}
