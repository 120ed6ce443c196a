//! How the cost of a pass grows.

use std::path::Path;

use crate::Result;
use crate::bound::Latency;
use crate::document::{Check, Section, docs};
use crate::measure::measure;
use crate::plot::{Panel, Point, svg};
use crate::scenario::Scenario;

/// A cost that is linear or better grows at most by the factor of the size. This much more is noise.
const MAX_FACTOR_BEYOND_LINEAR: f64 = 1.25;

/// The number does not matter, because nothing is created or deleted.
const WORKERS: usize = 4;

/// Enough for a median.
const RUNS: usize = 3;

/// Measures passes without latency over growing numbers of one thing, and plots them if `draw`.
pub async fn section(scaler: &Path, draw: bool) -> Result<Section> {
    let mut section = Section::new("growth", &["a pass over", "CPU, ms", "peak memory, MiB"]);
    let mut panels = Vec::new();
    for (of, sizes, scenario) in axes() {
        let mut points = Vec::new();
        for size in sizes {
            let measured = measure(scaler, &scenario(size), WORKERS, Latency::NONE, RUNS).await?;
            let cpu_ms = measured.cpu.as_secs_f64() * 1000.0;
            section.row(vec![format!("{size} {of}"), format!("{cpu_ms:.0}"), format!("{:.1}", measured.peak_mib())]);
            points.push(Point { size, cpu_ms, peak_mib: measured.peak_mib() });
        }
        if let [half, whole] = &points[points.len() - 2..] {
            let more = share(whole.size, half.size) * MAX_FACTOR_BEYOND_LINEAR;
            let (cpu, memory) = (whole.cpu_ms / half.cpu_ms, whole.peak_mib / half.peak_mib);
            section.check(Check::new(cpu < more && memory < more, || {
                format!("for twice the {of} a pass takes {cpu:.2} times the CPU and {memory:.2} times the memory")
            }));
        }
        panels.push(Panel { of, points });
    }
    if draw {
        std::fs::write(docs().join("performance-growth.svg"), svg(&panels))?;
    }
    Ok(section)
}

type Axis = (&'static str, [usize; 4], fn(usize) -> Scenario);

fn axes() -> [Axis; 3] {
    [
        ("groups", [250, 500, 1000, 2000], |running| Scenario { running, max_instances: running, ..Scenario::EMPTY }),
        ("subscriptions", [250, 500, 1000, 2000], |subscriptions| Scenario { subscriptions, ..Scenario::EMPTY }),
        ("messages", [25_000, 50_000, 100_000, 200_000], |served| Scenario {
            subscriptions: 1,
            served,
            running: 100,
            max_instances: 101,
            ..Scenario::EMPTY
        }),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "sizes are small")]
fn share(one: usize, other: usize) -> f64 {
    one as f64 / other as f64
}
