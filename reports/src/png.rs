//! Renders PNGs with the bundled font only, so the output does not depend on system fonts.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(include_bytes!("../fonts/DejaVuSans.ttf").to_vec());
    Arc::new(fonts)
});

/// Plots are drawn at four times their size. Twice the size is sharp enough for every screen.
const SCALE: f32 = 0.5;

/// An error while rendering an SVG.
#[derive(Debug, thiserror::Error)]
pub enum PngError {
    /// The SVG cannot be parsed.
    #[error("cannot parse the SVG: {0}")]
    Svg(#[from] resvg::usvg::Error),
    /// The size is zero or too large.
    #[error("cannot create an image of {width} × {height} pixels")]
    Size {
        /// The width in pixels.
        width: u32,
        /// The height in pixels.
        height: u32,
    },
    /// The PNG could not be encoded.
    #[error("cannot encode the PNG: {0}")]
    Encode(String),
}

/// Renders a plot of this crate.
pub fn render(svg: &str) -> Result<Vec<u8>, PngError> {
    render_scaled(svg, SCALE)
}

/// Renders an SVG of this crate at `scale` times its size.
pub fn render_scaled(svg: &str, scale: f32) -> Result<Vec<u8>, PngError> {
    let options = Options { font_family: "DejaVu Sans".into(), fontdb: FONTS.clone(), ..Options::default() };
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size();
    let (width, height) = ((size.width() * scale).ceil() as u32, (size.height() * scale).ceil() as u32);
    let mut pixels = Pixmap::new(width, height).ok_or(PngError::Size { width, height })?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| PngError::Encode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn font_has_the_marks_that_reports_use() {
        let ink = |text: &str| {
            let svg = format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='60'>\
                 <text x='10' y='40' font-size='40'>{text}</text></svg>"
            );
            render(&svg).unwrap()
        };
        let missing = ink("\u{10fffd}");
        for mark in ["✓", "✗", "≤", "†", "–"] {
            assert_ne!(ink(mark), missing, "{mark}");
        }
        assert_eq!(ink("✓"), ink("✓"));
    }
}
