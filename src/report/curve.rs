//! The plot of average precision against the IoU threshold.

use super::figure::{Anchor, FAINT, Figure, GRID, INK, Point, palette, shortened};

/// The line of one method.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// The name of the method, for the legend.
    pub name: &'a str,
    /// IoU (intersection over union) thresholds, ascending, 0 to 1.
    pub thresholds: &'a [f64],
    /// Average precision at each threshold, 0 to 1.
    pub ap: &'a [f64],
}

/// Plots one line for each method, from the lowest to the highest threshold. The legend has the mean of each line.
pub fn ap_curves(curves: &[Curve]) -> Figure {
    let legend_rows = curves.len();
    let axes = Axes::new(curves, legend_rows);
    let mut figure = Figure::new(720, axes.height as u32);
    axes.draw(&mut figure);
    for (i, curve) in curves.iter().enumerate() {
        let color = palette(i);
        let points = curve.thresholds.iter().zip(curve.ap).filter(|(t, ap)| t.is_finite() && ap.is_finite());
        let points: Vec<Point> = points.map(|(t, ap)| axes.place(*t, *ap)).collect();
        points.iter().for_each(|point| figure.dot(*point, 4.0, color));
        figure.line(points, color, 2.5);
        let y = 490.0 + 24.0 * i as f32;
        figure.line(vec![[LEFT, y - 5.0], [LEFT + 26.0, y - 5.0]], color, 3.0);
        figure.text([LEFT + 36.0, y], shortened(curve.name, 60), 15.0, Anchor::Start);
        let mean = curve.ap.iter().sum::<f64>() / curve.ap.len().max(1) as f64;
        figure.colored_text([RIGHT, y], format!("mean {mean:.3}"), 15.0, Anchor::End, FAINT);
    }
    figure
}

const LEFT: f32 = 70.0;
const RIGHT: f32 = 690.0;
const TOP: f32 = 24.0;
const BOTTOM: f32 = 410.0;

/// The range of the thresholds on the x axis. The y axis always goes from 0 to 1.
struct Axes {
    low: f64,
    high: f64,
    height: f32,
}

impl Axes {
    fn new(curves: &[Curve], legend_rows: usize) -> Self {
        let all = || curves.iter().flat_map(|c| c.thresholds).copied().filter(|t| t.is_finite());
        let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        let (low, high) = if low < high { (low, high) } else { (0.0, 1.0) };
        Axes { low, high, height: 480.0 + 24.0 * legend_rows as f32 }
    }

    fn place(&self, threshold: f64, ap: f64) -> Point {
        let part = (threshold - self.low) / (self.high - self.low);
        [LEFT + (RIGHT - LEFT) * part as f32, BOTTOM - (BOTTOM - TOP) * ap as f32]
    }

    fn draw(&self, figure: &mut Figure) {
        for tenth in (0..=10).step_by(2) {
            let [_, y] = self.place(self.low, f64::from(tenth) / 10.0);
            figure.line(vec![[LEFT, y], [RIGHT, y]], GRID, 1.0);
            figure.text([LEFT - 10.0, y + 5.0], format!("{:.1}", f64::from(tenth) / 10.0), 14.0, Anchor::End);
        }
        // A tick at every 0.05 when there is room, else at every 0.1.
        let step = if self.high - self.low > 0.5 { 10 } else { 5 };
        for percent in (0..=100).step_by(step) {
            let threshold = f64::from(percent) / 100.0;
            if threshold < self.low - 1e-9 || threshold > self.high + 1e-9 {
                continue;
            }
            let [x, _] = self.place(threshold, 0.0);
            figure.line(vec![[x, BOTTOM], [x, BOTTOM + 5.0]], INK, 1.0);
            figure.text([x, BOTTOM + 22.0], format!("{threshold:.2}"), 14.0, Anchor::Middle);
        }
        figure.line(vec![[LEFT, BOTTOM], [RIGHT, BOTTOM]], INK, 1.0);
        figure.text([(LEFT + RIGHT) / 2.0, BOTTOM + 46.0], "IoU threshold", 15.0, Anchor::Middle);
        figure.text_upwards([22.0, (TOP + BOTTOM) / 2.0], "average precision", 15.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_through_its_points() {
        let curve = Curve { name: "a & b", thresholds: &[0.5, 0.75, 1.0], ap: &[1.0, 0.5, 0.0] };
        let svg = ap_curves(&[curve]).to_svg();
        let page = roxmltree::Document::parse(&svg).unwrap();
        let attribute = |name: &str| -> Vec<String> {
            let dots = page.descendants().filter(|node| node.has_tag_name("circle"));
            dots.map(|dot| dot.attribute(name).unwrap().to_string()).collect()
        };
        assert_eq!(attribute("cx"), ["70.00", "380.00", "690.00"]);
        assert_eq!(attribute("cy"), ["24.00", "217.00", "410.00"]);
        let texts: Vec<_> = page.descendants().filter_map(|node| node.text()).collect();
        for text in ["a & b", "mean 0.500", "IoU threshold"] {
            assert!(texts.contains(&text), "{text}");
        }
    }

    #[test]
    fn odd_curves_make_a_plot_of_finite_numbers() {
        for (thresholds, ap) in [
            (&[][..], &[][..]),
            (&[0.5], &[0.3]),
            (&[0.5, 0.6], &[f64::NAN, 0.2]),
            (&[f64::INFINITY], &[0.1]),
            (&[0.5, 0.6, 0.7], &[0.1]),
        ] {
            let figure = ap_curves(&[Curve { name: "odd", thresholds, ap }]);
            let path = figure.to_svg();
            let drawn = path.lines().filter(|line| line.contains("<path") || line.contains("<circle"));
            assert!(drawn.clone().count() > 8);
            assert!(drawn.into_iter().all(|line| !line.contains("NaN") && !line.contains("inf")), "{path}");
        }
    }
}
