//! Measures text in DejaVu Sans, so labels can be placed without overlap.

/// The widths of the characters from space to tilde, in thousandths of the font size, from the font's own table.
const WIDTHS: [u16; 95] = [
    317, 400, 459, 837, 636, 950, 779, 274, 390, 390, 500, 837, 317, 360, 317, 336, 636, 636, 636, 636, 636, 636, 636,
    636, 636, 636, 336, 336, 837, 837, 837, 530, 1000, 684, 686, 698, 770, 631, 575, 774, 751, 294, 294, 655, 557, 862,
    748, 787, 603, 787, 694, 634, 610, 731, 684, 988, 685, 610, 685, 390, 336, 390, 837, 500, 500, 612, 634, 549, 634,
    615, 352, 634, 633, 277, 277, 579, 277, 974, 633, 611, 634, 634, 411, 520, 392, 633, 591, 817, 591, 591, 524, 636,
    336, 636, 837,
];

/// The assumed width of any other character.
const OTHER: u16 = 837;

pub(super) fn width(text: &str, size: f64) -> f64 {
    let units: u32 = text.chars().map(|c| u32::from(char_width(c))).sum();
    f64::from(units) * size / 1000.0
}

fn char_width(c: char) -> u16 {
    match c {
        '·' => return 317,
        '–' | '◂' => return 500,
        '…' => return 1000,
        _ => {}
    }
    let index = u32::from(c).checked_sub(32).and_then(|index| usize::try_from(index).ok());
    index.and_then(|index| WIDTHS.get(index)).copied().unwrap_or(OTHER)
}

/// Wraps text into rows of at most this width. A single word may be wider.
pub(super) fn wrapped(text: &str, size: f64, widest: f64) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split(' ') {
        let row = rows.last_mut().expect("`rows` is never empty");
        let longer = if row.is_empty() { word.to_owned() } else { format!("{row} {word}") };
        if row.is_empty() || width(&longer, size) <= widest {
            *row = longer;
        } else {
            rows.push(word.to_owned());
        }
    }
    rows
}

/// Cuts text to at most this width, with an ellipsis if it does not fit.
pub(super) fn fitting(text: &str, size: f64, widest: f64) -> String {
    if width(text, size) <= widest {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept, size) + width("…", size) > widest {
            kept.pop();
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_clips_fit() {
        let text = "client-1 was paused until 15.027 s (gc); its clocks ran on";
        assert!(wrapped(text, 14.0, 150.0).iter().all(|row| width(row, 14.0) <= 150.0));
        assert_eq!(wrapped(text, 14.0, 150.0).join(" "), text);
        assert!(width(&fitting(text, 14.0, 150.0), 14.0) <= 150.0);
        assert_eq!(fitting("short", 14.0, 150.0), "short");
    }
}
