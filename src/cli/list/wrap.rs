//! Wraps text into lines.

/// Wraps `text` into lines of at most `width` columns, and indents all lines but the first by `indent`. Words longer than
/// a line get their own line.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let leading = text.chars().take_while(|c| *c == ' ').count();
    let mut lines = " ".repeat(leading);
    let (mut column, mut at_start) = (leading, true);
    for word in text[leading..].split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if column + length > width && !at_start {
            lines.truncate(lines.trim_end().len());
            lines.push('\n');
            lines += &" ".repeat(indent);
            column = indent;
        }
        lines += word;
        column += word.chars().count();
        at_start = false;
    }
    lines.truncate(lines.trim_end().len());
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_width_and_hang() {
        assert_eq!(wrapped("  to be or not to be", 10, 4), "  to be or\n    not to\n    be\n");
        assert_eq!(wrapped("to beeeeeeeeeeeee", 5, 1), "to\n beeeeeeeeeeeee\n");
    }
}
