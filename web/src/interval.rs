//! One rule's interval as a small drawing: the change that the data allow as a bar, the estimate as a dot on it, no
//! change as a line, and what the policy allows as a shaded field that ends at a dashed line.
//!
//! ```text
//!        ¦ allowed │
//!   ├──●─┤         │          the bar lies wholly left of the dashed line: worse than allowed is proven
//!        ¦         │
//!     −1.0 pp      0
//! ```

use std::fmt::Write;

use workflows::gate::{Amount, RuleVerdict, Unit};

use crate::{
    html::{Html, escape},
    number, status,
};

const WIDTH: f64 = 200.0;
const HEIGHT: f64 = 28.0;
const PAD: f64 = 10.0;

/// The smallest and the largest change (head − base) that a rule's policy allows; none where it is open.
pub(crate) fn allowed(rule: &RuleVerdict) -> (Option<f64>, Option<f64>) {
    let (mut low, mut high): (Option<f64>, Option<f64>) = (None, None);
    for part in rule.allowed.split([',', ';']) {
        let Some((key, amount)) = part.split_once(':') else { continue };
        let Ok(amount) = Amount::parse(amount) else { continue };
        // Percents are of the base: without one they allow nothing that could be drawn.
        if amount.unit == Unit::Percent && rule.base.is_none() {
            continue;
        }
        let amount = amount.in_metric_unit(rule.base.unwrap_or(0.0));
        let (bound, is_low) = match key.trim() {
            "max-drop" => (Some(-amount), true),
            "max-increase" => (Some(amount), false),
            "min" => (rule.base.map(|base| amount - base), true),
            "max" => (rule.base.map(|base| amount - base), false),
            _ => continue,
        };
        let Some(bound) = bound.filter(|bound| bound.is_finite()) else { continue };
        if is_low {
            low = Some(low.map_or(bound, |low| low.max(bound)));
        } else {
            high = Some(high.map_or(bound, |high| high.min(bound)));
        }
    }
    (low, high)
}

/// The drawing; empty where there is no change to draw.
pub(crate) fn drawing(rule: &RuleVerdict) -> Html {
    let Some(change) = rule.change.filter(|change| change.is_finite()) else { return Html::default() };
    let bar = rule.interval.filter(|(low, high)| low.is_finite() && high.is_finite());
    let (low, high) = allowed(rule);
    let (bar_low, bar_high) = bar.unwrap_or((change, change));
    let points = [Some(0.0), Some(change), Some(bar_low), Some(bar_high), low, high];
    let known = || points.iter().flatten().copied();
    let least = known().fold(f64::INFINITY, f64::min);
    let most = known().fold(f64::NEG_INFINITY, f64::max);
    // Where all is one point (no change, nothing allowed), the axis still needs a width.
    let (least, most) = if most - least > 0.0 { (least, most) } else { (least - 1.0, most + 1.0) };
    let x = |value: f64| PAD + (value - least) / (most - least) * (WIDTH - 2.0 * PAD);

    let mut svg = String::new();
    let field_from = low.map_or(0.0, x);
    let field_to = high.map_or(WIDTH, x);
    if (low.is_some() || high.is_some()) && field_to > field_from {
        let width = field_to - field_from;
        let _ = write!(svg, "<rect class=\"ok\" x=\"{field_from:.1}\" y=\"3\" width=\"{width:.1}\" height=\"22\"/>");
    }
    let _ = write!(svg, "<path class=\"zero\" d=\"M{:.1} 1v26\"/>", x(0.0));
    for bound in [low, high].into_iter().flatten() {
        let _ = write!(svg, "<path class=\"margin\" d=\"M{:.1} 1v26\"/>", x(bound));
    }
    if bar.is_some() {
        let (from, to) = (x(bar_low), x(bar_high));
        let _ = write!(svg, "<path class=\"bar\" d=\"M{from:.1} 14H{to:.1}M{from:.1} 10v8M{to:.1} 10v8\"/>");
    }
    let _ = write!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"14\" r=\"4\"/>", x(change));

    let label = escape(&describe(rule, change, bar, low, high));
    let tone = status::answer_tone(rule.verdict);
    Html(format!(
        "<svg class=\"interval {tone}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         role=\"img\" aria-label=\"{label}\"><title>{label}</title>{svg}</svg>"
    ))
}

fn describe(rule: &RuleVerdict, change: f64, bar: Option<(f64, f64)>, low: Option<f64>, high: Option<f64>) -> String {
    let show = |value: f64| number::change(&rule.metric, value);
    let mut text = format!("Change {}", show(change));
    if let Some((from, to)) = bar {
        let _ = write!(text, ", between {} and {}", show(from), show(to));
    }
    match (low, high) {
        (None, None) => {}
        (Some(low), None) => text.push_str(&format!("; allowed down to {}", show(low))),
        (None, Some(high)) => text.push_str(&format!("; allowed up to {}", show(high))),
        (Some(low), Some(high)) => text.push_str(&format!("; allowed from {} to {}", show(low), show(high))),
    }
    text
}

#[cfg(test)]
mod tests {
    use workflows::gate::Answer;

    use super::*;

    fn rule(metric: &str, allowed: &str, base: Option<f64>, change: Option<f64>) -> RuleVerdict {
        RuleVerdict {
            metric: metric.to_owned(),
            evaluation: "eval".to_owned(),
            allowed: allowed.to_owned(),
            head: None,
            base,
            change,
            interval: change.map(|change| (change - 0.01, change + 0.01)),
            test: "tango".to_owned(),
            p: None,
            p_adjusted: None,
            needed: None,
            line: 0,
            n: 100,
            discordant: None,
            detectable: None,
            verdict: Answer::Fail,
            reason: String::new(),
        }
    }

    #[test]
    fn what_a_policy_allows_is_read_in_the_metrics_unit() {
        let check = |text: &str, base: Option<f64>, expect: (Option<f64>, Option<f64>)| {
            assert_eq!(allowed(&rule("m", text, base, None)), expect, "{text}");
        };
        check("max-drop: 0.5pp", Some(0.9), (Some(-0.005), None));
        check("max-increase: 10%", Some(20.0), (None, Some(2.0)));
        check("max-increase: 10%", None, (None, None));
        check("max: 5MB, max-increase: 5%", Some(4e6), (None, Some(2e5)));
        check("min: 0.5", Some(0.75), (Some(-0.25), None));
        check("nonsense", Some(0.9), (None, None));
        check("max-drop: 3 parsecs", Some(0.9), (None, None));
    }

    #[test]
    fn the_drawing_says_in_words_what_it_shows() {
        let svg = drawing(&rule("accuracy", "max-drop: 1pp", Some(0.96), Some(-0.031))).0;
        assert!(
            svg.contains("aria-label=\"Change −3.10 pp, between −4.10 pp and −2.10 pp; allowed down to −1.00 pp\"")
        );
        assert!(svg.contains("class=\"bar\"") && svg.contains("class=\"margin\""));
    }

    #[test]
    fn odd_numbers_draw_nothing_odd() {
        for change in [f64::NAN, f64::INFINITY] {
            assert_eq!(drawing(&rule("accuracy", "max-drop: 1pp", Some(0.9), Some(change))), Html::default());
        }
        let mut same = rule("accuracy", "", Some(0.9), Some(0.0));
        same.interval = Some((0.0, 0.0));
        let svg = drawing(&same).0;
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        same.interval = Some((f64::NAN, 1.0));
        assert!(!drawing(&same).0.contains("NaN"));
    }
}
