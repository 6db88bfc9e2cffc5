//! The cost of a plan against its size, as a picture.

use std::fmt::Write as _;

use crate::speed::{ALLOCATIONS, Figure, NODES};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 440.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 180.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 60.0;
const COLOURS: [&str; 4] = ["#1b6ca8", "#2a9d5c", "#d1772a", "#a23b72"];

/// Both axes are logarithmic: a straight line of slope 1 is linear cost.
#[derive(Clone, Copy)]
struct Axes {
    least: f64,
    most: f64,
}

impl Axes {
    fn x(allocations: f64) -> f64 {
        let (first, last) = (f64::from(ALLOCATIONS[0]).log10(), f64::from(ALLOCATIONS[3]).log10());
        LEFT + (allocations.log10() - first) / (last - first) * (WIDTH - LEFT - RIGHT)
    }

    fn y(self, milliseconds: f64) -> f64 {
        HEIGHT - BOTTOM - (milliseconds.log10() - self.least) / (self.most - self.least) * (HEIGHT - TOP - BOTTOM)
    }
}

fn milliseconds(figure: &Figure) -> f64 {
    figure.placing.as_secs_f64() * 1000.0
}

/// An SVG picture of the figures: one line for each number of nodes, solid without and dashed with spread and affinity (over 50 racks).
pub fn svg(figures: &[Figure]) -> String {
    let times = || figures.iter().map(milliseconds).filter(|time| *time > 0.0);
    let (least, most) = (times().fold(f64::MAX, f64::min), times().fold(f64::MIN_POSITIVE, f64::max));
    let axes = Axes { least: least.log10().floor(), most: most.log10().ceil() };
    let mut svg = String::new();
    // Writing into a string does not fail.
    let _ = write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="24" font-size="15">One evaluation that places a job: time against allocations</text>
<text x="{LEFT}" y="40" fill="#666">both axes logarithmic; parallel to the grey lines is linear</text>
"##
    );
    grid(&mut svg, axes);
    for (nodes, colour) in NODES.into_iter().zip(COLOURS) {
        for (liking, racks, dash) in [(false, 1, ""), (true, 50, r#" stroke-dasharray="6 4""#)] {
            let chosen = figures.iter().filter(|figure| {
                let case = figure.case;
                (case.nodes, case.liking, case.racks) == (nodes, liking, racks)
            });
            let points: Vec<String> = chosen
                .map(|figure| format!("{:.1},{:.1}", Axes::x(f64::from(figure.case.allocations)), axes.y(milliseconds(figure))))
                .collect();
            let _ = writeln!(svg, r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>"#, points.join(" "));
        }
    }
    legend(&mut svg);
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, axes: Axes) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for allocations in ALLOCATIONS {
        let x = Axes::x(f64::from(allocations));
        let _ = writeln!(svg, r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}" stroke="#eee"/>"##);
        let _ = writeln!(svg, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{allocations}</text>"#, bottom + 18.0);
    }
    let _ =
        writeln!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">allocations</text>"#, f64::midpoint(LEFT, right), bottom + 40.0);
    let mut power = axes.least;
    while power <= axes.most {
        let time = 10_f64.powf(power);
        let y = axes.y(time);
        let _ = writeln!(svg, r##"<line x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{y:.1}" stroke="#eee"/>"##);
        let _ = writeln!(svg, r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{time} ms</text>"#, LEFT - 8.0, y + 4.0);
        // What is linear, from this power at the left edge.
        let growth = f64::from(ALLOCATIONS[3]) / f64::from(ALLOCATIONS[0]);
        if time * growth <= 10_f64.powf(axes.most) {
            let end = axes.y(time * growth);
            let _ = writeln!(svg, r##"<line x1="{LEFT}" y1="{y:.1}" x2="{right}" y2="{end:.1}" stroke="#ccc" stroke-dasharray="2 3"/>"##);
        }
        power += 1.0;
    }
}

fn legend(svg: &mut String) {
    let x = WIDTH - RIGHT + 16.0;
    for (at, (nodes, colour)) in (0_u8..).zip(NODES.into_iter().zip(COLOURS)) {
        let y = TOP + 14.0 + f64::from(at) * 20.0;
        let _ = writeln!(
            svg,
            r#"<line x1="{x}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="{colour}" stroke-width="2"/>"#,
            y - 4.0,
            x + 24.0,
            y - 4.0
        );
        let _ = writeln!(svg, r#"<text x="{:.1}" y="{y:.1}">{nodes} nodes</text>"#, x + 32.0);
    }
    let y = TOP + 110.0;
    let _ =
        writeln!(svg, r#"<text x="{x}" y="{y}">solid: plain</text><text x="{x}" y="{:.1}">dashed: spread and affinity</text>"#, y + 18.0);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::speed::cases;

    #[test]
    fn every_line_has_its_points_inside_the_picture() {
        let figures: Vec<_> = cases(false)
            .into_iter()
            .map(|case| Figure { case, placing: Duration::from_micros(u64::from(case.allocations) * 5), looking: Duration::ZERO })
            .collect();
        let svg = svg(&figures);
        let lines: Vec<_> = svg.lines().filter(|line| line.starts_with("<polyline")).collect();
        assert_eq!(lines.len(), 8);
        for line in lines {
            let points = line.split('"').nth(1).unwrap().split(' ').map(|point| point.split_once(',').unwrap());
            let points: Vec<(f64, f64)> = points.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect();
            assert_eq!(points.len(), 4);
            assert!(points.iter().all(|(x, y)| (LEFT..=WIDTH - RIGHT).contains(x) && (TOP..=HEIGHT - BOTTOM).contains(y)));
        }
        assert!(svg.ends_with("</svg>\n"));
    }
}
