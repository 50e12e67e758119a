//! Diagrams as a page carries them that its script draws: all in one stream, since they are much alike.

use base64::prelude::{BASE64_STANDARD, Engine};
use miniz_oxide::deflate::compress_to_vec;

/// The hardest that the compressor tries. It compresses the same bytes the same on every machine.
const LEVEL: u8 = 9;

/// So many diagrams, each on a line of its own behind its anchor and a tab, deflated and in base64.
pub fn packed<'a>(diagrams: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let lines: Vec<String> = diagrams.map(|(anchor, svg)| format!("{anchor}\t{svg}")).collect();
    if lines.is_empty() {
        String::new()
    } else {
        BASE64_STANDARD.encode(compress_to_vec(lines.join("\n").as_bytes(), LEVEL))
    }
}
