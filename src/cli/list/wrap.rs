//! Breaking text into lines.

/// The text in lines of at most so many columns, all but the first of them indented. A word that is too long for a line
/// stands on one of its own.
pub(super) fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let leading = text.chars().take_while(|c| *c == ' ').count();
    let mut lines = " ".repeat(leading);
    let (mut column, mut fresh) = (leading, true);
    for word in text[leading..].split_inclusive(' ') {
        let bare = word.trim_end().chars().count();
        if column + bare > width && !fresh {
            lines.truncate(lines.trim_end().len());
            lines.push('\n');
            lines += &" ".repeat(indent);
            column = indent;
        }
        lines += word;
        column += word.chars().count();
        fresh = false;
    }
    lines.truncate(lines.trim_end().len());
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_not_longer_than_the_width_and_hang() {
        assert_eq!(wrapped("  to be or not to be", 10, 4), "  to be or\n    not to\n    be\n");
        assert_eq!(wrapped("to beeeeeeeeeeeee", 5, 1), "to\n beeeeeeeeeeeee\n");
    }
}
