//! Formats counts as text.

/// Formats a count with its noun: `1 order`, `1,200 orders`.
pub fn counted(count: impl TryInto<u128>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(0);
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Formats a whole number with thousands separators.
pub fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators_and_plurals() {
        assert_eq!([999, 9_999, 1_234_567].map(grouped), ["999", "9,999", "1,234,567"]);
        assert_eq!([0, 1, 1_200].map(|count| counted(count, "order")), ["0 orders", "1 order", "1,200 orders"]);
    }
}
