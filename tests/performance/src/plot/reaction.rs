//! Plots how soon messages get their groups: for each cadence, the share of messages over time.

use std::fmt::Write as _;
use std::time::Duration;

/// The plot's place on the page, in pixels.
const LEFT: f64 = 50.0;
const TOP: f64 = 40.0;
const WIDTH: f64 = 620.0;
const HEIGHT: f64 = 300.0;

/// The end of the time axis, in seconds.
const LONGEST: f64 = 75.0;
const GRID_SECONDS: u32 = 15;

/// Points of a curve.
const POINTS: usize = 200;

const COLOURS: [&str; 5] = ["#0b6cb8", "#2c8a3d", "#b8860b", "#8a2c7a", "#b8430b"];

/// Sorted times.
pub struct Distribution {
    pub name: String,
    pub sorted: Vec<Duration>,
}

/// An SVG image with a curve for each distribution. The last one is the reference and dashed.
pub fn svg(distributions: &[Distribution]) -> String {
    let (right, bottom) = (LEFT + WIDTH, TOP + HEIGHT);
    let mut image = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">messages whose PUT was sent, by the seconds since they were \
         enqueued</text>\n",
        right + LEFT,
        bottom + LEFT,
        TOP - 15.0
    );
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = bottom - share * HEIGHT;
        _ = writeln!(image, "<path d=\"M{LEFT} {y}H{right}\" stroke=\"#ddd\"/>");
        _ = writeln!(
            image,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{:.0} %</text>",
            LEFT - 6.0,
            y + 4.0,
            share * 100.0
        );
    }
    for seconds in (0..).map(|step| step * GRID_SECONDS).take_while(|seconds| f64::from(*seconds) <= LONGEST) {
        let x = LEFT + f64::from(seconds) / LONGEST * WIDTH;
        _ = writeln!(image, "<path d=\"M{x} {TOP}V{bottom}\" stroke=\"#ddd\"/>");
        _ = writeln!(image, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{seconds} s</text>", bottom + 16.0);
    }
    for (place, (distribution, colour)) in (1_u32..).zip(distributions.iter().zip(COLOURS)) {
        let is_last = place as usize == distributions.len();
        let dashes = if is_last { " stroke-dasharray=\"5 3\"" } else { "" };
        let curve = curve(&distribution.sorted);
        _ = writeln!(
            image,
            "<polyline points=\"{curve}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dashes}/>"
        );
        let (x, y) = (right - 170.0, bottom - 16.0 * (f64::from(place) + 1.0));
        _ = writeln!(image, "<path d=\"M{x} {y}h24\" stroke=\"{colour}\" stroke-width=\"1.5\"{dashes}/>");
        _ = writeln!(image, "<text x=\"{}\" y=\"{}\">{}</text>", x + 30.0, y + 4.0, distribution.name);
    }
    image + "</svg>\n"
}

/// From zero to all, and on to the end of the axis.
#[expect(clippy::cast_precision_loss, reason = "points are few")]
fn curve(sorted: &[Duration]) -> String {
    let mut points = String::new();
    for point in 0..=POINTS {
        let share = point as f64 / POINTS as f64;
        let at = sorted.get((sorted.len() * point / POINTS).min(sorted.len().saturating_sub(1)));
        let seconds = at.map_or(0.0, Duration::as_secs_f64).min(LONGEST);
        let (x, y) = (LEFT + seconds / LONGEST * WIDTH, TOP + HEIGHT - share * HEIGHT);
        _ = write!(points, "{x:.1},{y:.1} ");
    }
    _ = write!(points, "{:.1},{TOP:.1}", LEFT + WIDTH);
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_rises_from_the_shortest_time_to_the_longest_and_stays_there() {
        let sorted: Vec<_> = (0..=15).map(Duration::from_secs).collect();
        let curve = curve(&sorted);
        assert!(curve.starts_with("50.0,340.0 "), "{curve}");
        assert!(curve.ends_with("174.0,40.0 670.0,40.0"), "{curve}");
    }

    #[test]
    fn each_has_its_name_and_the_last_one_is_dashed() {
        let of = |name: &str| Distribution { name: name.to_owned(), sorted: vec![Duration::from_secs(1)] };
        let image = svg(&[of("every 15 s"), of("KEDA")]);
        assert!(image.contains(">every 15 s<") && image.contains(">KEDA<"));
        assert_eq!(image.matches("<polyline").count(), 2);
        assert_eq!(image.matches("stroke-dasharray").count(), 2, "its curve and its line in the legend");
    }
}
