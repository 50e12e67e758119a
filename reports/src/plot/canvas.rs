//! Draws in points, on a backend that supports only integer coordinates.

use plotters::coord::Shift;
use plotters::element::{DashedPathElement, Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::{SURFACE, Style};

/// Backend units per point. The backend rounds to integers, so curves would show steps at one unit per point.
const FINE: f64 = 4.0;
/// The divisor that the backend applies to font sizes.
const FONT: f64 = 1.24;
/// The font of PNGs. In a page, the page's style sets the font.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// A position, in points from the upper left.
pub type Point = (f64, f64);

/// The position of a text relative to its point.
#[derive(Clone, Copy, Debug)]
pub enum Side {
    /// To the right of the point.
    Right,
    /// To the left of the point.
    Left,
    /// Centred on the point.
    Middle,
}

/// A drawing area.
pub struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl Canvas<'_> {
    /// Draws an SVG document of this size.
    pub fn draw(width: f64, height: f64, draw: impl FnOnce(&Canvas)) -> String {
        let mut svg = String::new();
        let area = SVGBackend::with_string(&mut svg, (fine(width) as u32, fine(height) as u32)).into_drawing_area();
        let canvas = Canvas { area };
        canvas.rectangle((0.0, 0.0), (width, height), SURFACE);
        draw(&canvas);
        canvas.area.present().expect(NEVER_FAILS);
        drop(canvas);
        svg
    }

    /// Draws a line through points.
    pub fn line(&self, points: &[Point], colour: RGBColor, width: f64) {
        self.element(&PathElement::new(all_fine(points), stroke(colour, width)));
    }

    /// Draws a line in the pattern of a lock.
    pub fn patterned(&self, points: &[Point], style: Style) {
        let (on, off) = match style.pattern {
            0 => return self.line(points, style.colour, 2.2),
            1 => (9.0, 3.5),
            2 => (2.2, 2.6),
            _ => (5.0, 2.5),
        };
        let stroke = stroke(style.colour, 2.2);
        self.element(&DashedPathElement::new(all_fine(points), fine(on), fine(off), stroke));
    }

    /// Draws the marker of a lock.
    pub fn marker(&self, at: Point, style: Style) {
        let around = |corners: &[Point]| -> Vec<Point> { corners.iter().map(|(x, y)| (at.0 + x, at.1 + y)).collect() };
        match style.pattern {
            0 => self.element(&Circle::new(to_fine(at), fine(3.6), style.colour.filled())),
            1 => self.rectangle((at.0 - 3.2, at.1 - 3.2), (at.0 + 3.2, at.1 + 3.2), style.colour),
            2 => self.polygon(&around(&[(0.0, -4.4), (4.2, 3.2), (-4.2, 3.2)]), style.colour, 1.0),
            _ => self.polygon(&around(&[(0.0, -4.6), (4.6, 0.0), (0.0, 4.6), (-4.6, 0.0)]), style.colour, 1.0),
        }
    }

    /// Draws a filled polygon.
    pub fn polygon(&self, corners: &[Point], colour: RGBColor, opacity: f64) {
        self.element(&Polygon::new(all_fine(corners), colour.mix(opacity)));
    }

    /// Draws a filled rectangle.
    pub fn rectangle(&self, from: Point, to: Point, colour: RGBColor) {
        self.element(&Rectangle::new([to_fine(from), to_fine(to)], colour.filled()));
    }

    /// Draws a line of text, vertically centred on its point.
    pub fn text(&self, text: &str, at: Point, side: Side, size: f64, colour: RGBColor) {
        self.styled_text(text, at, side, size, colour, FontTransform::None);
    }

    /// Draws a line of text that reads upwards.
    pub fn upward_text(&self, text: &str, at: Point, side: Side, size: f64, colour: RGBColor) {
        self.styled_text(text, at, side, size, colour, FontTransform::Rotate270);
    }

    fn styled_text(&self, text: &str, at: Point, side: Side, size: f64, colour: RGBColor, turn: FontTransform) {
        let side = match side {
            Side::Right => HPos::Left,
            Side::Left => HPos::Right,
            Side::Middle => HPos::Center,
        };
        let font = (FAMILY, size * FINE * FONT).into_font().transform(turn);
        let style = font.color(&colour).pos(Pos::new(side, VPos::Center));
        self.element(&Text::new(text.to_owned(), to_fine(at), style));
    }

    fn element<'b, E>(&self, element: &'b E)
    where
        &'b E: PointCollection<'b, (i32, i32)>,
        E: for<'c> Drawable<SVGBackend<'c>>,
    {
        self.area.draw(element).expect(NEVER_FAILS);
    }
}

const NEVER_FAILS: &str = "drawing into a string cannot fail";

fn stroke(colour: RGBColor, width: f64) -> ShapeStyle {
    colour.stroke_width(fine(width) as u32)
}

fn all_fine(points: &[Point]) -> Vec<(i32, i32)> {
    points.iter().map(|point| to_fine(*point)).collect()
}

fn to_fine((x, y): Point) -> (i32, i32) {
    (fine(x), fine(y))
}

fn fine(length: f64) -> i32 {
    libm::round(length * FINE) as i32
}

/// Estimates the width of a text, since the backend does not measure. Wide enough for the fonts in use.
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.6
}
