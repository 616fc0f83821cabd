//! Made-up workflow files: every key with values that fit, that nearly fit, and that do not.

use crate::mutation::Random;

/// Values of any place.
#[rustfmt::skip]
const ODD: &[&str] = &[
    "", "null", "~", "true", "False", "3", "1.5", "-1", "1e3", "0x10", ".inf", "''", "\"\"", "text", "'quoted'",
    "\"q\\n\"", "on", "yes", "[]", "{}", "[a, b]", "{a: b}", "[[a]]", "[{a: b}]", "{a: [b]}", "[null]", "{a: null}",
    "{'': a}", "{1: a}", "{true: a}", "${{ github.ref }}", "${{ 'text' }}", "${{ '' }}", "${{ true }}", "${{ 1 }}",
    "${{ null }}", "${{ NaN }}", "a ${{ 'b' }} c", "${{ secrets.a }}", "${{ matrix.x }}", "${{ env.A }}",
    "${{ needs.a }}", "${{ steps.a.outputs.b }}", "${{ inputs.a }}", "${{ vars.x }}", "${{ strategy.x }}",
    "${{ jobs.a }}", "${{ runner.os }}", "${{ job.status }}", "${{ hashFiles('a') }}", "${{ success() }}",
    "${{ always() }}", "${{ foo }}", "${{ }}", "${{", "${{ 1 == }}", "${{ insert }}", "a ${{ insert }}",
    "${{ contains('a') }}", "${{ fromJSON('[1]') }}", "a ${{ github.x }} b", "'${{ github.x }}'",
    "${{ github.x }}${{ github.y }}", "{\"${{ insert }}\": {a: b}}", "{\"${{ insert }}\": \"${{ github.x }}\"}",
    "{\"${{ github.x }}\": a}", "[\"${{ github.x }}\"]", "{a: \"${{ github.x }}\"}", "docker://", "docker://a",
    "read-all", "inherit", "*anchor", "&anchor a", "!!str 1", "! 1", "é",
];

/// Keys of a place and values for them, most of which fit.
type Keys = &'static [(&'static str, &'static [&'static str])];

#[rustfmt::skip]
const ROOT: Keys = &[
    ("name", &["a", "1", "${{ github.x }}"]),
    ("description", &["a"]),
    ("run-name", &["a", "by ${{ github.actor }}", "${{ inputs.a }}"]),
    ("env", &[
        "{A: b}", "{A: 1, B: true, C: null}", "${{ fromJSON('{}') }}", "{A: \"${{ secrets.a }}\"}", "{A: [b]}",
        "{A: b, a: c}",
    ]),
    ("permissions", &[
        "read-all", "write-all", "{contents: read}", "{}", "{contents: admin}", "{foo: read}", "{id-token: read}",
        "{models: write}", "{contents: Read}", "read",
    ]),
    ("concurrency", &[
        "a", "{group: a}", "{group: a, cancel-in-progress: true}", "{cancel-in-progress: true}", "{group: ''}",
        "{group: a, queue: max}", "${{ github.ref }}", "{group: a, cancel-in-progress: \"${{ github.x }}\"}",
        "{group: \"${{ github.x }}\"}", "{group: a, cancel-in-progress: yes}",
    ]),
    ("defaults", &[
        "{run: {shell: bash}}", "{run: {working-directory: a}}", "{run: {}}", "{}", "{run: {shell: ''}}",
        "{run: {shell: \"${{ github.x }}\"}}", "{foo: {}}", "{run: {foo: a}}",
    ]),
];

#[rustfmt::skip]
const ON: &[&str] = &[
    "push", "[push]", "[push, pull_request]", "{push: }", "{push: null}", "{push: {branches: [a]}}",
    "{push: {branches: a}}", "{push: {branches: }}", "{push: {branches: [a], branches-ignore: [b]}}",
    "{push: {types: [a]}}", "{pull_request: {types: [opened]}}", "{pull_request: {types: opened}}",
    "{pull_request: {types: [nope]}}", "{pull_request: {types: }}", "{pull_request: {paths: ['**']}}",
    "{pull_request: {tags: [a]}}", "{issues: {types: [opened, edited]}}", "{watch: {types: [started]}}",
    "{watch: {types: started}}", "{merge_group: {types: [checks_requested]}}", "{workflow_run: {workflows: [a]}}",
    "{workflow_run: {workflows: a, types: completed}}", "{workflow_run: {}}", "{workflow_run: }",
    "{schedule: [{cron: '0 0 * * *'}]}", "{schedule: [{cron: 'x'}]}", "{schedule: []}", "{schedule: }",
    "{schedule: {cron: '0 0 * * *'}}", "{schedule: [{}]}", "{schedule: [{cron: '0 0 * * *', timezone: UTC}]}",
    "{schedule: ['0 0 * * *']}", "{repository_dispatch: {types: [a]}}", "{repository_dispatch: {types: a}}",
    "{repository_dispatch: }", "{workflow_dispatch: }", "workflow_dispatch", "{workflow_dispatch: {inputs: }}",
    "{workflow_dispatch: {inputs: {a: }}}", "{workflow_dispatch: {inputs: {a: {type: string}}}}",
    "{workflow_dispatch: {inputs: {a: {type: choice, options: [x, y]}}}}",
    "{workflow_dispatch: {inputs: {a: {type: choice}}}}", "{workflow_dispatch: {inputs: {a: {type: nope}}}}",
    "{workflow_dispatch: {inputs: {a: {type: boolean, default: true}}}}",
    "{workflow_dispatch: {inputs: {a: {type: boolean, default: maybe}}}}",
    "{workflow_dispatch: {inputs: {a: {type: number, default: x}}}}",
    "{workflow_dispatch: {inputs: {a: {type: choice, options: [x], default: y}}}}",
    "{workflow_dispatch: {inputs: {a: {default: \"${{ github.x }}\"}}}}",
    "{workflow_dispatch: {inputs: {a: {required: yes}}}}", "{workflow_dispatch: {inputs: {a: {foo: 1}}}}",
    "{workflow_dispatch: {foo: 1}}", "{workflow_dispatch: {inputs: [a]}}", "workflow_call", "{workflow_call: }",
    "{workflow_call: {inputs: {a: {type: string}}}}", "{workflow_call: {inputs: {a: {}}}}",
    "{workflow_call: {inputs: {a: }}}", "{workflow_call: {inputs: }}", "{workflow_call: {inputs: {a: {type: choice}}}}",
    "{workflow_call: {inputs: {a: {type: boolean, default: x}}}}",
    "{workflow_call: {inputs: {a: {type: number, default: \"${{ github.x }}\"}}}}", "{workflow_call: {secrets: {a: }}}",
    "{workflow_call: {secrets: {a: {required: true}}}}", "{workflow_call: {secrets: {a: {required: x}}}}",
    "{workflow_call: {secrets: {a: b}}}", "{workflow_call: {outputs: {a: {value: \"${{ jobs.a.outputs.x }}\"}}}}",
    "{workflow_call: {outputs: {a: {}}}}", "{workflow_call: {outputs: {a: {value: \"${{ foo }}\"}}}}",
    "{workflow_call: {foo: }}", "{image_version: {names: [a], versions: [b]}}", "{create: }", "{create: {}}",
    "{fork: {types: [a]}}", "nope", "[nope]", "{nope: }", "[[push]]", "[{push: }]", "[push, push]", "{push: , PUSH: }",
    "3", "[]", "{}", "", "{check_run: {types: [created], branches: [a]}}", "{release: {types: [published]}}",
    "{push: [a]}", "{push: true}", "{pull_request: opened}", "Push", "{deployment: }", "{label: {types: created}}",
];

#[rustfmt::skip]
const JOB: Keys = &[
    ("name", &["a", "a ${{ matrix.x }}", "1"]),
    ("needs", &["a", "[a]", "[a, a]", "b", "[]", "''", "[a, b]", "A"]),
    ("if", &[
        "true", "success()", "${{ always() }}", "!cancelled()", "a == ''", "github.ref == 'a' && failure('a')",
        "${{ github.x }} == 1", "success('a')", "always('a')", "env.A", "''", "hashFiles('a')", "[true]",
    ]),
    ("strategy", &[
        "{matrix: {x: [1, 2]}}", "{matrix: \"${{ fromJSON('{}') }}\"}", "{matrix: {x: \"${{ fromJSON('[]') }}\"}}",
        "{matrix: {include: [{x: 1}]}}", "{matrix: {include: \"${{ fromJSON('[]') }}\"}}",
        "{matrix: {x: [1], include: [{x: 2, y: 3}], exclude: [{x: 1}]}}", "{matrix: {x: [1], exclude: [{y: 1}]}}",
        "{matrix: {x: []}}", "{matrix: {}}", "{matrix: }", "{}", "{matrix: {include: []}}", "{matrix: {exclude: []}}",
        "{matrix: {x: 1}}", "{matrix: {x: {a: b}}}", "{matrix: {include: {x: 1}}}", "{matrix: {include: [1]}}",
        "{matrix: {x: [[1], {a: b}, null]}}", "{matrix: [x]}", "{matrix: x}", "{fail-fast: true}", "{fail-fast: x}",
        "{fail-fast: \"${{ github.x }}\"}", "{max-parallel: 2}", "{max-parallel: x}", "{max-parallel: 1.5}", "{foo: 1}",
        "{matrix: {x: [1], X: [2]}}", "{matrix: {\"${{ insert }}\": {x: [1]}}}", "{matrix: {\"${{ github.x }}\": [1]}}",
        "{matrix: {x: [\"${{ github.x }}\"]}}", "{matrix: {x: [\"${{ secrets.x }}\"]}}",
        "{matrix: {x: [1], include: [{}]}}", "{matrix: {x: [1], exclude: [{}]}}", "{matrix: {x: [1], include: }}",
        "{matrix: {x: [1], exclude: }}", "{matrix: {x: [1, 1], y: [a], exclude: [{x: 1, y: a}]}}",
        "{matrix: {x: [{a: 1, b: 2}], exclude: [{x: {a: 1}}]}}", "{matrix: {x: [{a: 1}], exclude: [{x: {b: 1}}]}}",
        "{matrix: {include: [{x: 1, X: 2}]}}", "{matrix: {include: [{'': 2}]}}", "${{ fromJSON('{}') }}",
        "{matrix: {x: [1], include: [\"${{ github.x }}\"]}}",
    ]),
    ("outputs", &["{a: b}", "{a: \"${{ steps.a.outputs.b }}\"}", "{}", "{a: 1}", "{a: [b]}", "${{ fromJSON('{}') }}"]),
    ("env", &["{A: b}", "{A: \"${{ matrix.x }}\"}", "${{ fromJSON('{}') }}", "{A: \"${{ steps.x }}\"}", "{A: {b: c}}"]),
    ("defaults", &[
        "{run: {shell: bash}}", "{run: {working-directory: \"${{ env.A }}\"}}", "{run: {shell: \"${{ steps.x }}\"}}",
        "{run: }", "{}", "${{ fromJSON('{}') }}", "{run: \"${{ fromJSON('{}') }}\"}",
    ]),
    ("timeout-minutes", &["5", "1.5", "${{ matrix.x }}", "x", "'5'", "${{ 5 }}", "-1", "0x10"]),
    ("cancel-timeout-minutes", &["5", "x", "${{ matrix.x }}"]),
    ("continue-on-error", &["true", "${{ matrix.x }}", "x", "'true'", "${{ true }}", "1"]),
    ("concurrency", &[
        "a", "{group: a}", "{group: \"${{ matrix.x }}\", cancel-in-progress: \"${{ true }}\"}", "''", "{group: ''}",
        "${{ secrets.a }}", "{cancel-in-progress: true}",
    ]),
    ("permissions", &[
        "read-all", "{contents: read}", "{contents: }", "{actions: write, foo: read}", "{id-token: none}", "{}",
        "{copilot-requests: read}", "{contents: \"${{ github.x }}\"}",
    ]),
    ("environment", &[
        "a", "{name: a}", "{name: a, url: \"${{ steps.a.outputs.b }}\"}", "{url: b}", "{name: a, deployment: false}",
        "{name: a, deployment: x}", "''", "${{ matrix.x }}", "{name: }", "{name: ''}",
        "{name: a, url: \"${{ secrets.a }}\"}",
    ]),
    ("container", &[
        "a", "{image: a}", "''", "docker://", "docker://a", "{image: docker://}", "{image: ''}", "{}",
        "{image: a, env: {A: \"${{ secrets.a }}\"}}", "{image: a, ports: [80, '80:80']}", "{image: a, ports: 80}",
        "{image: a, volumes: [b]}", "{image: a, options: --x}", "{image: a, options: }",
        "{image: a, credentials: {username: a, password: b}}", "{image: a, credentials: {username: a}}",
        "{image: a, credentials: {foo: a}}", "{image: a, credentials: {username: ''}}", "{image: a, entrypoint: x}",
        "{image: a, command: x}", "{image: \"${{ matrix.x }}\"}", "{image: \"${{ 'a' }}\"}", "${{ matrix.x }}",
        "${{ fromJSON('{}') }}", "{image: a, env: \"${{ fromJSON('{}') }}\"}",
        "{image: a, credentials: \"${{ fromJSON('{}') }}\"}", "{image: a, foo: b}", "{env: {A: b}}",
        "{image: a, env: {A: \"${{ steps.x }}\"}}", "{image: [a]}", "{image: docker://a}",
        "{image: a, ports: [\"${{ matrix.x }}\"]}", "{image: a, ports: [null]}", "{image: a, ports: ['']}",
    ]),
    ("services", &[
        "{db: a}", "{db: {image: a}}", "{db: ''}", "{db: }", "{db: {}}", "{db: docker://}", "{db: docker://a}",
        "{db: {image: ''}}", "{db: {image: docker://}}", "{}", "{db: {image: a, env: {A: b}}}",
        "{db: {image: a, entrypoint: x, command: y}}", "{db: {image: a, foo: b}}", "${{ fromJSON('{}') }}",
        "{db: \"${{ fromJSON('{}') }}\"}", "{db: {image: \"${{ matrix.x }}\"}}", "{db: {image: \"${{ steps.x }}\"}}",
        "[a]", "{'': a}", "{db: {image: a, credentials: {username: \"${{ secrets.a }}\", password: b}}}",
        "{db: a, DB: b}", "{db: {env: {A: b}}}", "{db: \"${{ '' }}\"}",
    ]),
    ("snapshot", &[
        "a", "{image-name: a}", "{image-name: a, version: 1.*}", "{image-name: a, version: '1.2'}",
        "{image-name: a, version: x}", "{image-name: a, if: \"${{ true }}\"}", "{version: '1.*'}",
        "{image-name: a, version: 1.0.0}", "{image-name: '', version: '1.*'}", "${{ matrix.x }}",
        "{image-name: \"${{ matrix.x }}\"}", "''", "{image-name: a, version: '1.*', if: steps.x}",
        "{image-name: a, version: \"${{ github.x }}\"}", "{image-name: a, version: 1}",
    ]),
];

#[rustfmt::skip]
const RUNS_ON: &[&str] = &[
    "x", "[x, y]", "{group: g}", "{group: g, labels: [x]}", "{labels: x}", "{group: org/g}", "{group: organization/g}",
    "{group: foo/g}", "{group: ent/g/h}", "{group: org/}", "{}", "[]", "${{ matrix.x }}", "[\"${{ matrix.x }}\", y]",
    "${{ fromJSON('[]') }}", "{group: \"${{ matrix.x }}\"}", "{labels: \"${{ matrix.x }}\"}", "{labels: []}",
    "{foo: x}", "''", "[[x]]", "[null]", "[1]", "1", "{group: /g}", "{group: ''}", "[x, x]", "{group: /}",
    "{group: org/g, labels: }", "{group: Org/g}",
];

#[rustfmt::skip]
const CALL: Keys = &[
    ("with", &[
        "{a: b}", "{a: \"${{ github.x }}\"}", "{a: 1, b: true, c: null}", "{a: [b]}", "${{ fromJSON('{}') }}", "{}",
        "{a: \"${{ secrets.a }}\"}", "{a: b, A: c}", "{a: \"${{ env.A }}\"}",
    ]),
    ("secrets", &[
        "inherit", "{a: \"${{ secrets.a }}\"}", "{a: b}", "Inherit", "{}", "${{ fromJSON('{}') }}", "{a: }", "[a]",
        "{a: \"${{ env.A }}\"}",
    ]),
    ("name", &["a", "${{ matrix.x }}"]),
    ("if", &["true", "always()"]),
    ("needs", &["a", "[a]"]),
    ("strategy", &["{matrix: {x: [1]}}"]),
    ("permissions", &["{contents: read}"]),
    ("concurrency", &["a"]),
    ("runs-on", &["x"]),
    ("steps", &["[{run: a}]"]),
    ("env", &["{A: b}"]),
    ("timeout-minutes", &["5"]),
];

#[rustfmt::skip]
const CALLED: &[&str] = &[
    "./.github/workflows/b.yml", "o/r/.github/workflows/b.yml@v1", "./b.yml", "o/r@v1", "b", "${{ github.x }}", "''",
    "o/r/.github/workflows/b.yml", "./.github/workflows/b.yml@v1", "1", "[a]", "o/r/b.yml@v1", "./.github/workflows/b",
    "${{ 'a' }}", "o/r/.github/workflows/b.yml@", "./.github/workflows/c/b.yml", "o/r/.github/workflows/b.yml@a@b",
    "o//.github/workflows/b.yml@a", ".github/workflows/b.yml",
];

#[rustfmt::skip]
const STEP: Keys = &[
    ("name", &["a", "${{ matrix.x }}", "1"]),
    ("id", &["a", "b", "A", "1a", "__a", "a b", "${{ github.x }}", "''", "${{ 'a' }}", "a.b", "_", "null", "1", "a-b"]),
    ("if", &[
        "true", "success()", "${{ failure() }}", "steps.a.outcome == 'x'", "success('a')", "hashFiles('a') != ''",
        "secrets.a", "${{ true }} && x", "always() || ${{ true }}", "env.A", "''",
    ]),
    ("env", &[
        "{A: b}", "{A: \"${{ secrets.a }}\"}", "${{ fromJSON('{}') }}", "{A: [b]}", "${{ matrix.x }}", "{A: b, A: c}",
        "{A: b, a: c}", "{\"${{ insert }}\": \"${{ matrix }}\"}",
    ]),
    ("continue-on-error", &["true", "${{ matrix.x }}", "x", "${{ true }}"]),
    ("timeout-minutes", &["5", "${{ matrix.x }}", "x", "1.5"]),
    ("working-directory", &["a", "${{ env.A }}", "''"]),
    ("shell", &["bash", "''", "${{ env.A }}", "${{ 'bash' }}", "pwsh", "1"]),
    ("with", &[
        "{a: b}", "{a: \"${{ hashFiles('a') }}\"}", "${{ fromJSON('{}') }}", "{a: 1}", "{a: [b]}", "{a: b, A: c}", "{}",
    ]),
    ("background", &["true", "x"]),
    ("wait", &["a", "[a]", "b"]),
    ("wait-all", &["", "true"]),
    ("cancel", &["a"]),
    ("parallel", &["[{run: a}]", "[]", "[{parallel: [{run: a}]}]"]),
    ("run", &["a"]),
    ("uses", &["./a"]),
];

#[rustfmt::skip]
const RUN: &[&str] = &[
    "echo", "${{ matrix.x }}", "''", "", "1", "[a]", "echo ${{ foo }}", "${{ 'a' }}", "null",
    "echo ${{ hashFiles('a') }} ${{ secrets.a }}",
];

#[rustfmt::skip]
const USES: &[&str] = &[
    "actions/checkout@v4", "./a", "o/r@v1", "o/r/p@v1", "docker://a", "docker://", "o/r", "r@v1", "a", "''",
    "${{ github.x }}", "o/r@", "o/r@a@b", "/@v", "o//p@v1", ".\\a", "${{ './a' }}", "1", "o\\r@v1", "../a", "./", "$/a",
    "o/r/@v1", "@v1", "O/R@v1",
];

pub(super) struct Maker<'r> {
    pub(super) random: &'r mut Random,
}

impl Maker<'_> {
    fn below(&mut self, limit: usize) -> usize {
        self.random.below(limit)
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    /// Most of them fit.
    fn value(&mut self, from: &[&'static str]) -> &'static str {
        match self.below(24) {
            0 => self.pick(ODD),
            1..=9 => self.pick(from),
            _ => from[0],
        }
    }

    fn entries(&mut self, indent: &str, keys: Keys, most: usize, text: &mut String) {
        for _ in 0..self.below(most + 1) {
            let (key, values) = keys[self.below(keys.len())];
            // The same key twice is another class of mistake than a bad value: seldom.
            if text
                .rsplit('\n')
                .take_while(|line| line.starts_with(indent))
                .any(|line| line.trim_start().starts_with(key))
                && self.below(30) != 0
            {
                continue;
            }
            let key = if self.below(200) == 0 {
                self.pick(&["foo", "RUN", "if ", "''", "null", "1", "\"${{ insert }}\"", "\"${{ github.x }}\""])
            } else {
                key
            };
            let value = self.value(values);
            let style = self.below(40);
            let line = match (key, style) {
                (key, 0) => format!("{indent}{key}: {value} # comment"),
                (key, 1) => format!("{indent}\"{key}\": {value}"),
                (key, 2) => format!("{indent}? {key}\n{indent}: {value}"),
                (key, 3) => format!("{indent}{key}:\n{indent}  {value}"),
                (key, _) => format!("{indent}{key}: {value}"),
            };
            text.push('\n');
            text.push_str(&line);
        }
    }

    fn step(&mut self, text: &mut String) {
        let (kind, values) = match self.below(20) {
            0 => return text.push_str(&format!("\n      - {}", self.pick(ODD))),
            1 => ("name", &["a"] as &[&str]),
            2 => ("wait", &["a", "[a, b]"] as &[&str]),
            3 => ("parallel", &["[{run: a}, {run: b, id: a}]"] as &[&str]),
            4..=10 => ("uses", USES),
            _ => ("run", RUN),
        };
        text.push_str(&format!("\n      - {kind}: {}", self.value(values)));
        let count = [0, 1, 1, 2, 4][self.below(5)];
        let keys: Vec<_> = STEP
            .iter()
            .filter(|(key, _)| match *key {
                "with" => kind == "uses",
                "shell" | "working-directory" => kind == "run",
                "run" | "uses" | "parallel" | "wait" | "wait-all" | "cancel" | "background" => false,
                _ => true,
            })
            .copied()
            .collect();
        for _ in 0..count {
            let (key, values) =
                if self.below(40) == 0 { STEP[self.below(STEP.len())] } else { keys[self.below(keys.len())] };
            let value = self.value(values);
            text.push_str(&format!("\n        {key}: {value}"));
        }
    }

    fn job(&mut self, text: &mut String) {
        if self.below(6) == 0 {
            text.push_str(&format!("\n    uses: {}", self.value(CALLED)));
            return self.entries("    ", CALL, 3, text);
        }
        text.push_str(&format!("\n    runs-on: {}", self.value(RUNS_ON)));
        self.entries("    ", JOB, 5, text);
        match self.below(20) {
            0 => text.push_str(&format!("\n    steps: {}", self.pick(ODD))),
            1 => {}
            _ => {
                text.push_str("\n    steps:");
                for _ in 0..1 + self.below(3) {
                    self.step(text);
                }
            }
        }
    }

    pub(super) fn workflow(&mut self) -> String {
        let mut text = String::from("#");
        text.push_str(&format!("\non: {}", self.value(ON)));
        if self.below(3) == 0 {
            text = format!("#\non: {}", self.pick(ON));
        }
        self.entries("", ROOT, 3, &mut text);
        text.push_str("\njobs:");
        if self.below(100) == 0 {
            text.push_str(&format!(" {}", self.pick(ODD)));
            return text;
        }
        for index in 0..1 + self.below(3) {
            let id = if self.below(40) == 0 {
                self.pick(&["A", "1", "__a", "a.b", "\"\"", "é", "\"${{ github.x }}\"", "a-b", "_"])
            } else {
                ["a", "b", "c"][index]
            };
            if self.below(60) == 0 {
                text.push_str(&format!("\n  {id}: {}", self.pick(ODD)));
                continue;
            }
            text.push_str(&format!("\n  {id}:"));
            self.job(&mut text);
        }
        text.push('\n');
        match self.below(30) {
            0 => text.replace('\n', "\r\n"),
            _ => text,
        }
    }
}
