//! Plots how costs grow: the CPU time and the memory of a pass against the number of each thing.

pub mod reaction;

use std::fmt::Write as _;

/// A curve's place on the page, in pixels.
const WIDTH: f64 = 230.0;
const HEIGHT: f64 = 150.0;
const MARGIN: f64 = 50.0;

/// The plot of one thing.
pub struct Panel {
    pub of: &'static str,
    pub points: Vec<Point>,
}

/// The cost of a pass.
pub struct Point {
    pub size: usize,
    pub cpu_ms: f64,
    pub peak_mib: f64,
}

/// An SVG image: a column for each panel, CPU time above memory.
pub fn svg(panels: &[Panel]) -> String {
    let columns = u32::try_from(panels.len()).unwrap_or(u32::MAX);
    let width = f64::from(columns) * (WIDTH + MARGIN) + MARGIN;
    let height = 2.0 * (HEIGHT + 2.0 * MARGIN);
    let mut image = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (column, panel) in (0_u32..).zip(panels) {
        let left = MARGIN + f64::from(column) * (WIDTH + MARGIN);
        let cpu = panel.points.iter().map(|point| (point.size, point.cpu_ms)).collect::<Vec<_>>();
        let memory = panel.points.iter().map(|point| (point.size, point.peak_mib)).collect::<Vec<_>>();
        curve(&mut image, left, MARGIN, &format!("CPU, ms, by {}", panel.of), "#0b6cb8", &cpu);
        let top = HEIGHT + 3.0 * MARGIN;
        curve(&mut image, left, top, &format!("peak memory, MiB, by {}", panel.of), "#b8430b", &memory);
    }
    image + "</svg>\n"
}

/// Both axes begin at zero, so that linear growth looks linear.
#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
fn curve(image: &mut String, left: f64, top: f64, title: &str, colour: &str, points: &[(usize, f64)]) {
    let largest = points.iter().map(|(size, _)| *size as f64).fold(1.0, f64::max);
    let highest = points.iter().map(|(_, cost)| *cost).fold(1.0, f64::max) * 1.1;
    let place = |size: f64, cost: f64| (left + size / largest * WIDTH, top + HEIGHT - cost / highest * HEIGHT);
    let bottom = top + HEIGHT;
    let right = left + WIDTH;
    _ = writeln!(image, "<text x=\"{left}\" y=\"{:.1}\" font-weight=\"bold\">{title}</text>", top - 10.0);
    _ = writeln!(image, "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>");
    let line: Vec<String> =
        points.iter().map(|(size, cost)| place(*size as f64, *cost)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    _ = writeln!(image, "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>", line.join(" "));
    for (size, cost) in points {
        let (x, y) = place(*size as f64, *cost);
        _ = writeln!(image, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" fill=\"{colour}\"/>");
        _ = writeln!(image, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{cost:.0}</text>", y - 6.0);
    }
    for (size, _) in points.iter().rev().take(2) {
        let (x, _) = place(*size as f64, 0.0);
        _ = writeln!(image, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{size}</text>", bottom + 15.0);
    }
}
