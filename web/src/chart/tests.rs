use super::*;

fn point(value: f64) -> Point {
    Point { value, href: "/a/b".to_owned(), tone: "good", title: "<t>".to_owned(), date: "1 Nov".to_owned() }
}

#[test]
fn ticks_are_round_and_hold_all_values() {
    assert_eq!(ticks(0.0, 4.0), [0.0, 1.0, 2.0, 3.0, 4.0]);
    for (least, most) in [(0.931, 0.967), (-3.0, 11.0), (1e9, 1.1e9), (0.5, 0.5), (0.0, 0.0), (1e-9, 2e-9)] {
        let ticks = ticks(least, most);
        assert!(ticks[0] <= least && ticks[ticks.len() - 1] >= most, "{least}..{most}: {ticks:?}");
        assert!((2..=7).contains(&ticks.len()), "{least}..{most}: {ticks:?}");
    }
}

#[test]
fn no_value_no_chart_and_no_nan_in_any() {
    let show = |v: f64| format!("{v}");
    assert_eq!(line(&[], &show, ""), Html::default());
    assert_eq!(line(&[point(f64::NAN)], &show, ""), Html::default());
    assert_eq!(sparkline(&[], ""), Html::default());
    let odd = [1.0, f64::NAN, 2.0, f64::INFINITY, 2.0];
    let points: Vec<Point> = odd.into_iter().map(point).collect();
    for svg in [
        line(&points, &show, "l").0,
        sparkline(&odd, "s").0,
        sparkline(&[3.0], "s").0,
        line(&[point(1.0)], &show, "").0,
    ] {
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
    assert!(line(&points, &show, "l").0.contains("&lt;t&gt;"));
}

#[test]
fn a_gap_in_the_values_is_a_gap_in_the_line() {
    let d = path([(0.0, 1.0), (1.0, f64::NAN), (2.0, 2.0), (3.0, 3.0)].into_iter());
    assert_eq!(d, "M0.0 1.0M2.0 2.0L3.0 3.0");
}

#[test]
fn a_job_without_a_gpu_has_two_charts_and_one_with_two_gpus_six() {
    let sample = |gpus: &[u32]| TelemetrySample {
        at: "2026-11-24T12:00:00Z".parse().unwrap(),
        cpu_percent: 150.0,
        rss_bytes: 1_000_000,
        gpus: gpus
            .iter()
            .map(|index| workflows::protocol::GpuSample {
                index: *index,
                utilization_percent: 50,
                memory_used_bytes: 1,
                power_milliwatts: None,
                temperature_c: None,
            })
            .collect(),
    };
    let names = |samples: &[TelemetrySample]| telemetry(samples).into_iter().map(|t| t.name).collect::<Vec<_>>();
    assert_eq!(names(&[sample(&[])]), Vec::<String>::new());
    assert_eq!(names(&[sample(&[]), sample(&[])]), ["CPU (of one core)", "Memory"]);
    assert_eq!(names(&[sample(&[0]), sample(&[0, 1])]).len(), 6);
}
