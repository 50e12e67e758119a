//! Compresses the diagrams of a page into one stream, which is small because diagrams are similar.

use base64::prelude::{BASE64_STANDARD, Engine};
use miniz_oxide::deflate::compress_to_vec;

/// The highest compression level. The output is the same on every machine.
const LEVEL: u8 = 9;

/// Compresses diagrams: one line each with anchor, tab and SVG, then deflate and base64.
pub fn packed<'a>(diagrams: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines: Vec<String> = diagrams.map(|(anchor, svg)| format!("{anchor}\t{svg}")).collect();
    if lines.is_empty() {
        String::new()
    } else {
        BASE64_STANDARD.encode(compress_to_vec(lines.join("\n").as_bytes(), LEVEL))
    }
}
