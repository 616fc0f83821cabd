//! Lines over time as SVG.
//!
//! The drawings stretch to the page's width (`preserveAspectRatio="none"`) with strokes that do not (the style sheet
//! says `vector-effect: non-scaling-stroke`); so all text is HTML beside them, and dots are strokes of no length with
//! round ends.

use std::fmt::Write;

use workflows::protocol::TelemetrySample;

use crate::{
    html::{Html, escape},
    number,
};

/// Height and width of the drawings' own coordinates.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// The smallest and largest finite values; none without any.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((least, most)) => Some((least.min(v), most.max(v))),
    })
}

/// `M0 0L5 5…`, broken where a value is not finite.
fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut d = String::new();
    let mut pen_down = false;
    for (x, y) in points {
        if y.is_finite() {
            let _ = write!(d, "{}{x:.1} {y:.1}", if pen_down { 'L' } else { 'M' });
        }
        pen_down = y.is_finite();
    }
    d
}

/// The i-th of n places on the x axis; a single one stands in the middle.
fn spread(i: usize, n: usize) -> f64 {
    if n < 2 { WIDTH / 2.0 } else { i as f64 / (n - 1) as f64 * WIDTH }
}

/// A line without axes, for a table's cell.
pub(crate) fn sparkline(values: &[f64], label: &str) -> Html {
    let Some((least, most)) = range(values.iter().copied()) else { return Html::default() };
    let height = (most - least).max(f64::MIN_POSITIVE);
    let y = |value: f64| if most > least { 92.0 - (value - least) / height * 84.0 } else { 50.0 };
    let points = || values.iter().enumerate().map(|(i, value)| (spread(i, values.len()) * 0.96 + 20.0, y(*value)));
    let last = points().rfind(|(_, y)| y.is_finite());
    let dot = last.map(|(x, y)| format!("<path class=\"dot\" d=\"M{x:.1} {y:.1}h.01\"/>")).unwrap_or_default();
    let label = escape(label);
    Html(format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{label}\"><title>{label}</title><path class=\"line\" d=\"{}\"/>{dot}</svg>",
        path(points())
    ))
}

/// One dot of a line chart.
pub(crate) struct Point {
    pub(crate) value: f64,
    pub(crate) href: String,
    /// Class that colours it.
    pub(crate) tone: &'static str,
    /// Shown on hover and read aloud.
    pub(crate) title: String,
    pub(crate) date: String,
}

/// A line chart with ticks to its left and dates below; each dot is a link. Empty without a finite value.
pub(crate) fn line(points: &[Point], show: &dyn Fn(f64) -> String, label: &str) -> Html {
    let Some((least, most)) = range(points.iter().map(|p| p.value)) else { return Html::default() };
    let ticks = ticks(least, most);
    let (bottom, top) = (ticks[0], ticks[ticks.len() - 1]);
    let place = |i: usize, value: f64| {
        (20.0 + spread(i, points.len()) * 0.96, (HEIGHT - (value - bottom) / (top - bottom) * HEIGHT))
    };

    let mut svg = String::new();
    for tick in &ticks {
        let _ = write!(svg, "<path class=\"grid\" d=\"M0 {:.2}H{WIDTH}\"/>", place(0, *tick).1);
    }
    let places = || points.iter().enumerate().map(|(i, p)| place(i, p.value));
    let _ = write!(svg, "<path class=\"line\" d=\"{}\"/>", path(places()));
    for (point, (x, y)) in points.iter().zip(places()).filter(|(_, (_, y))| y.is_finite()) {
        let (href, title, tone) = (escape(&point.href), escape(&point.title), point.tone);
        let _ = write!(
            svg,
            "<a href=\"{href}\" aria-label=\"{title}\"><title>{title}</title><path class=\"hit\" d=\"M{x:.1} {y:.1}h.01\"/>\
             <path class=\"dot {tone}\" d=\"M{x:.1} {y:.1}h.01\"/></a>"
        );
    }
    let labels: String = ticks.iter().rev().map(|tick| format!("<span>{}</span>", escape(&show(*tick)))).collect();
    let dates: String = dates(points).iter().map(|date| format!("<span>{}</span>", escape(date))).collect();
    let label = escape(label);
    Html(format!(
        "<figure class=\"chart\"><div class=\"ticks\" aria-hidden=\"true\">{labels}</div>\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"group\" aria-label=\"{label}\">{svg}</svg>\
         <div class=\"dates\" aria-hidden=\"true\">{dates}</div><figcaption>{label}</figcaption></figure>"
    ))
}

/// Up to four dates, evenly over the points.
fn dates(points: &[Point]) -> Vec<&str> {
    let n = points.len().min(4);
    (0..n).map(|i| points[if n == 1 { 0 } else { i * (points.len() - 1) / (n - 1) }].date.as_str()).collect()
}

/// Three to six round numbers that hold `least` and `most`, the lowest first.
fn ticks(least: f64, most: f64) -> Vec<f64> {
    // A flat line stands in the middle of a span of 2 % of its height.
    let span = if most > least { most - least } else { (least.abs() * 0.02).max(1e-6) };
    let (least, most) = if most > least { (least, most) } else { (least - span / 2.0, most + span / 2.0) };
    let rough = span / 4.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
    let first = (least / step).floor();
    let count = ((most / step).ceil() - first).clamp(1.0, 10.0) as usize;
    (0..=count).map(|i| (first + i as f64) * step).collect()
}

/// One small chart of what a job used.
pub(crate) struct Telemetry {
    pub(crate) name: String,
    /// The most there was.
    pub(crate) peak: String,
    pub(crate) drawing: Html,
}

/// What a job used over time: CPU and memory always, each GPU's load and memory where there were any.
pub(crate) fn telemetry(samples: &[TelemetrySample]) -> Vec<Telemetry> {
    if samples.len() < 2 {
        return Vec::new();
    }
    let series = |name: String, values: Vec<f64>, floor: f64, show: &dyn Fn(f64) -> String| {
        let most = range(values.iter().copied()).map_or(0.0, |(_, most)| most);
        let top = most.max(floor);
        let y = |value: f64| HEIGHT - (value / top * 92.0).clamp(0.0, 92.0) - 2.0;
        let points = || values.iter().enumerate().map(|(i, value)| (spread(i, values.len()), y(*value)));
        let line = path(points());
        let peak = show(most);
        let label = escape(&format!("{name}: at most {peak}"));
        let area = if values.iter().all(|v| v.is_finite()) {
            format!("<path class=\"area\" d=\"{line}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z\"/>")
        } else {
            String::new()
        };
        let drawing = Html(format!(
            "<svg class=\"usage\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{label}\"><title>{label}</title>{area}<path class=\"line\" d=\"{line}\"/></svg>"
        ));
        Telemetry { name, peak, drawing }
    };
    let percent = |value: f64| format!("{value:.0} %");
    let cpu = samples.iter().map(|s| f64::from(s.cpu_percent)).collect();
    let rss = samples.iter().map(|s| s.rss_bytes as f64).collect();
    let mut charts = vec![
        series("CPU (of one core)".to_owned(), cpu, 100.0, &percent),
        series("Memory".to_owned(), rss, 1.0, &number::bytes),
    ];
    let mut indices: Vec<u32> = samples.iter().flat_map(|s| s.gpus.iter().map(|gpu| gpu.index)).collect();
    indices.sort_unstable();
    indices.dedup();
    for index in indices {
        let of = |value: &dyn Fn(&workflows::protocol::GpuSample) -> f64| -> Vec<f64> {
            let at = |s: &TelemetrySample| s.gpus.iter().find(|gpu| gpu.index == index).map_or(f64::NAN, value);
            samples.iter().map(at).collect()
        };
        let load = of(&|gpu| f64::from(gpu.utilization_percent));
        let memory = of(&|gpu| gpu.memory_used_bytes as f64);
        charts.push(series(format!("GPU {index}"), load, 100.0, &percent));
        charts.push(series(format!("GPU {index} memory"), memory, 1.0, &number::bytes));
    }
    charts
}

#[cfg(test)]
mod tests;
