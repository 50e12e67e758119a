//! Colours: Okabe–Ito for locks, which red-green colour-blind readers can distinguish; viridis for rates.

use std::fmt::Write;

use plotters::style::RGBColor;

/// Text and axes.
pub const INK: RGBColor = RGBColor(0x1b, 0x1f, 0x24);
/// Secondary text.
pub const MUTED: RGBColor = RGBColor(0x59, 0x63, 0x6e);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(0xd9, 0xde, 0xe3);
/// The background.
pub const SURFACE: RGBColor = RGBColor(0xfe, 0xfe, 0xfe);

/// One colour for each lock, with its shade on a dark background.
const SERIES: [(RGBColor, &str); 7] = [
    (RGBColor(0x00, 0x72, 0xb2), "#4fa8dd"),
    (RGBColor(0xd5, 0x5e, 0x00), "#f0803c"),
    (RGBColor(0x00, 0x9e, 0x73), "#2fc59b"),
    (RGBColor(0xcc, 0x79, 0xa7), "#dd94bd"),
    (RGBColor(0x3b, 0x40, 0x47), "#d5d9de"),
    (RGBColor(0xe6, 0x9f, 0x00), "#f0b429"),
    (RGBColor(0x56, 0xb4, 0xe9), "#7cc8f4"),
];
const BASE: [(RGBColor, &str, &str); 4] =
    [(INK, "ink", "#e6e9ed"), (MUTED, "muted", "#9aa4af"), (GRID, "grid", "#343b43"), (SURFACE, "surface", "#14181d")];

/// Rates from low to high on a dark background, where higher is brighter.
const RATES_ON_DARK: [RGBColor; 10] = [
    RGBColor(0x44, 0x01, 0x54),
    RGBColor(0x48, 0x28, 0x78),
    RGBColor(0x3e, 0x4a, 0x89),
    RGBColor(0x31, 0x68, 0x8e),
    RGBColor(0x26, 0x7c, 0x86),
    RGBColor(0x1f, 0x9e, 0x89),
    RGBColor(0x35, 0xb7, 0x79),
    RGBColor(0x6d, 0xcd, 0x59),
    RGBColor(0xb4, 0xde, 0x2c),
    RGBColor(0xfd, 0xe7, 0x25),
];
/// Rates from low to high on a light background, where higher is darker. Low rates are pale, so they do not stand out.
const RATES_ON_LIGHT: [RGBColor; 10] = [
    RGBColor(0xfb, 0xf3, 0xb9),
    RGBColor(0xe4, 0xea, 0x7a),
    RGBColor(0xb0, 0xdd, 0x5e),
    RGBColor(0x70, 0xca, 0x68),
    RGBColor(0x35, 0xb7, 0x79),
    RGBColor(0x1f, 0x9e, 0x89),
    RGBColor(0x26, 0x7c, 0x86),
    RGBColor(0x31, 0x68, 0x8e),
    RGBColor(0x41, 0x3f, 0x85),
    RGBColor(0x44, 0x01, 0x54),
];
const WHITE: RGBColor = RGBColor(0xff, 0xff, 0xff);
const BLACK: RGBColor = RGBColor(0x10, 0x12, 0x15);

/// The style of a lock. Colour, dash and marker together are unique for the first 28 locks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The line's colour.
    pub colour: RGBColor,
    /// The line's dash and the marker's shape, from 0 to 3.
    pub pattern: usize,
}

/// Returns the style of the lock at this index in the report, the same in all plots.
pub fn style(index: usize) -> Style {
    Style { colour: SERIES[index % SERIES.len()].0, pattern: index % 4 }
}

/// Returns the step, from 1 to 10, of a rate above 0.
pub fn rate_step(rate: f64) -> usize {
    (libm::ceil(rate * RATES_ON_LIGHT.len() as f64) as usize).clamp(1, RATES_ON_LIGHT.len())
}

/// Returns the fill and text colour of a step on a light background.
pub fn rate_colours(step: usize) -> (RGBColor, RGBColor) {
    with_text(RATES_ON_LIGHT[step - 1])
}

/// Returns a fill and the text colour with more contrast to it.
fn with_text(fill: RGBColor) -> (RGBColor, RGBColor) {
    if contrast(fill, WHITE) > contrast(fill, BLACK) { (fill, WHITE) } else { (fill, BLACK) }
}

/// Returns the contrast of two colours as defined by WCAG.
fn contrast(a: RGBColor, b: RGBColor) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.040_45 { share / 12.92 } else { libm::pow((share + 0.055) / 1.055, 2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// Replaces the literal colours of plots with the variables of the page. This affects only attributes, since quotation
/// marks in text are always escaped.
pub fn with_variables(svg: &str) -> String {
    let base = BASE.iter().map(|(colour, name, _)| (*colour, (*name).to_owned()));
    let series = SERIES.iter().enumerate().map(|(at, (colour, _))| (*colour, format!("s{at}")));
    base.chain(series).fold(svg.to_owned(), |svg, (colour, name)| {
        svg.replace(&format!("\"{}\"", hex(colour).to_uppercase()), &format!("\"var(--{name})\""))
    })
}

/// Returns the CSS variables and classes for the plots and matrices of a page, for both themes.
pub fn theme_css() -> String {
    let light = variables(|colour, _| hex(colour), RATES_ON_LIGHT);
    let dark = variables(|_, dark| dark.to_owned(), RATES_ON_DARK);
    let mut css = format!(
        ":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}\n\
         @media screen{{:root[data-theme=dark]{{{dark}}}}}\n"
    );
    for step in 1..=RATES_ON_LIGHT.len() {
        writeln!(css, ".r{step}{{background:var(--r{step});color:var(--t{step})}}")
            .expect("writing to a string cannot fail");
    }
    css
}

fn variables(pick: impl Fn(RGBColor, &str) -> String, rates: [RGBColor; 10]) -> String {
    let base = BASE.iter().map(|(light, name, dark)| format!("--{name}:{};", pick(*light, dark)));
    let series = SERIES.iter().enumerate().map(|(at, (light, dark))| format!("--s{at}:{};", pick(*light, dark)));
    let rates = rates.into_iter().enumerate().map(|(at, fill)| {
        let (fill, text) = with_text(fill);
        format!("--r{step}:{};--t{step}:{};", hex(fill), hex(text), step = at + 1)
    });
    base.chain(series).chain(rates).collect()
}

fn hex(RGBColor(r, g, b): RGBColor) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_on_every_step_has_contrast() {
        for fill in RATES_ON_LIGHT.into_iter().chain(RATES_ON_DARK) {
            let (fill, text) = with_text(fill);
            assert!(contrast(fill, text) >= 4.5, "{fill:?}: {}", contrast(fill, text));
        }
    }

    #[test]
    fn higher_rates_are_darker_on_light_and_brighter_on_dark() {
        assert!(RATES_ON_LIGHT.is_sorted_by(|a, b| luminance(*a) > luminance(*b)));
        assert!(RATES_ON_DARK.is_sorted_by(|a, b| luminance(*a) < luminance(*b)));
    }

    #[test]
    fn locks_differ_by_colour_or_pattern() {
        let mut seen: Vec<(RGBColor, usize)> = (0..28).map(|at| (style(at).colour, style(at).pattern)).collect();
        seen.sort_by_key(|(RGBColor(r, g, b), pattern)| (*r, *g, *b, *pattern));
        seen.dedup();
        assert_eq!(seen.len(), 28);
    }

    #[test]
    fn rates_find_their_step() {
        assert_eq!([0.000_1, 0.1, 0.101, 0.95, 1.0].map(rate_step), [1, 1, 2, 10, 10]);
    }
}
