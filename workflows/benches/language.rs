//! The language's speed: reading, checking and planning; growth with the file; expressions.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use serde_json::json;
use std::hint::black_box;
use workflows::{
    event::{Event, EventKind},
    expr::{Environment, evaluate},
    ids::Forge,
    plan,
    syntax::{self, parse},
};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A workflow of a model project: matrix jobs in a chain, about 36 lines each; the shape that the
/// peers were measured on.
fn workflow(jobs: usize) -> String {
    let mut text = String::from(
        "name: model-ci\non:\n  push:\n    branches: [main, 'release/**']\n    paths: ['models/**', 'src/**']\n  pull_request:\n    branches: [main]\nconcurrency:\n  group: ${{ github.workflow }}-${{ github.ref }}\n  cancel-in-progress: true\nenv:\n  THRESHOLD: '0.95'\njobs:\n",
    );
    for index in 0..jobs {
        let needs = if index == 0 { String::new() } else { format!("    needs: [eval-{}]\n", index - 1) };
        text.push_str(&format!(
            "  eval-{index}:\n    name: Evaluate ${{{{ matrix.model }}}} part {index}\n    runs-on: ubuntu-latest\n    timeout-minutes: 20\n{needs}    strategy:\n      fail-fast: false\n      matrix:\n        model: [digits, iris, wine]\n        python: ['3.10', '3.11']\n        exclude:\n          - model: wine\n            python: '3.10'\n    steps:\n      - uses: actions/checkout@v4\n        with:\n          fetch-depth: 0\n      - name: Install\n        run: |\n          python -m pip install -U pip\n          pip install -r requirements.txt\n      - name: Evaluate\n        id: eval\n        env:\n          MODEL: ${{{{ matrix.model }}}}\n          SHA: ${{{{ github.sha }}}}\n        run: |\n          python eval.py --model \"$MODEL\" --out metrics.json\n          echo \"acc=$(jq .accuracy metrics.json)\" >> \"$GITHUB_OUTPUT\"\n      - name: Gate\n        if: ${{{{ success() && github.event_name == 'pull_request' }}}}\n        run: python gate.py --min \"$THRESHOLD\" --acc \"${{{{ steps.eval.outputs.acc }}}}\"\n      - uses: actions/upload-artifact@v4\n        if: always()\n        with:\n          name: metrics-{index}-${{{{ matrix.model }}}}\n          path: metrics.json\n"
        ));
    }
    text
}

fn push() -> Event {
    let head = "a".repeat(40).parse().expect("forty digits are a commit id");
    Event {
        forge: Forge::Local,
        repo: "acme/digits".parse().expect("a repository's name"),
        default_branch: "main".to_owned(),
        actor: "ada".to_owned(),
        kind: EventKind::Push { git_ref: "refs/heads/main".to_owned(), before: None, head, title: String::new() },
        payload: json!({}),
    }
}

fn reading(criterion: &mut Criterion) {
    let event = push();
    let text = workflow(8);
    let mut group = criterion.benchmark_group("workflow");
    group.throughput(Throughput::Bytes(text.len() as u64));
    let lines = text.lines().count();
    group.bench_function(BenchmarkId::new("parse and check, lines", lines), |bencher| {
        bencher.iter(|| parse("w.yml", black_box(&text)));
    });
    let planned = plan::preview(&parse("w.yml", &text).0.expect("it is valid"), &syntax::Called::new(), &event, None);
    assert_eq!((planned.jobs.len(), planned.later.len()), (40, 0), "what is measured is not refused on the way");
    group.bench_function(BenchmarkId::new("parse, check and plan, lines", lines), |bencher| {
        bencher.iter(|| {
            let (workflow, _) = parse("w.yml", black_box(&text));
            plan::preview(&workflow.expect("it is valid"), &syntax::Called::new(), &event, None)
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("growth");
    group.sample_size(10);
    for jobs in [70, 140, 280, 560] {
        let text = workflow(jobs);
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("parse and check, lines", text.lines().count()), |bencher| {
            bencher.iter(|| parse("w.yml", black_box(&text)));
        });
    }
    for rows in [64, 128, 256] {
        let values: Vec<String> = (0..rows).map(|row| row.to_string()).collect();
        let text = format!(
            "on: push\njobs:\n  a:\n    name: a ${{{{ matrix.v }}}}\n    runs-on: x\n    strategy: {{ matrix: {{ v: [{}] }} }}\n",
            values.join(", ")
        );
        let (workflow, _) = parse("w.yml", &text);
        let workflow = workflow.expect("it is valid");
        let planned = plan::preview(&workflow, &syntax::Called::new(), &event, None);
        assert_eq!(planned.jobs.len() as u64, rows);
        group.throughput(Throughput::Elements(rows));
        group.bench_function(BenchmarkId::new("plan a matrix, rows", rows), |bencher| {
            bencher.iter(|| plan::preview(&workflow, &syntax::Called::new(), &event, None));
        });
    }
    group.finish();
}

fn expressions(criterion: &mut Criterion) {
    let contexts = [("github".to_owned(), json!({"event_name": "push", "ref": "refs/heads/main"}))];
    let environment = Environment { contexts: contexts.into_iter().collect(), ..Environment::default() };
    let mut group = criterion.benchmark_group("expression");
    group.throughput(Throughput::Elements(1));
    for text in ["github.ref", "github.event_name == 'push'", "success() && github.ref == 'refs/heads/main'"] {
        group.bench_function(text, |bencher| bencher.iter(|| evaluate(black_box(text), &environment)));
    }
    group.finish();
}

criterion_group!(benches, reading, expressions);

/// `--print` gives the file that is measured, for the peers in tests/bench/language.py.
fn main() {
    if std::env::args().any(|argument| argument == "--print") {
        print!("{}", workflow(8));
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
