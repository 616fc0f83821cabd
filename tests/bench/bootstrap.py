"""The gate's bootstrap beside scipy's, on the same data in one run.

    pip install scipy
    python3 tests/bench/bootstrap.py target/release/assay

10,000 examples of ten classes, 10,000 resamples of the change of F1-macro. scipy gets the fastest statistic that numpy
allows: an example is one number (target, base's answer, head's answer), and a resample is counted, not sorted. Its BCa
computes a jackknife as well, so its plain percentile interval, which is cheaper, is what the ratio is of. Of Assay the
whole command is timed: start, reading both files, pairing, resampling, BCa and the report.
"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats

EXAMPLES, CLASSES, RESAMPLES = 10_000, 10, 10_000

rng = np.random.default_rng(1)
target = rng.integers(CLASSES, size=EXAMPLES)
answer = lambda share: np.where(rng.random(EXAMPLES) < share, target, rng.integers(CLASSES, size=EXAMPLES))
base = answer(0.9)
head = np.where(rng.random(EXAMPLES) < 0.92, base, answer(0.88))
cells = (target * CLASSES + base) * CLASSES + head


def f1_macro(table):
    support, predicted = table.sum(axis=1), table.sum(axis=0)
    return np.mean(2 * np.diag(table) / np.maximum(support + predicted, 1))


def change(sample):
    counts = np.bincount(sample, minlength=CLASSES**3).reshape(CLASSES, CLASSES, CLASSES)
    return f1_macro(counts.sum(axis=1)) - f1_macro(counts.sum(axis=2))


def scipys(method):
    start = time.perf_counter()
    found = stats.bootstrap(
        (cells,), change, n_resamples=RESAMPLES, confidence_level=0.9, method=method, vectorized=False, batch=100, random_state=2
    )
    return time.perf_counter() - start, (found.confidence_interval.low, found.confidence_interval.high)


def assays(directory):
    header = {"schema": 1, "task": "classification", "model": "sha256:" + "a" * 64, "dataset": "sha256:" + "b" * 64}
    paths = []
    for name, digit, said in [("base", "a", base), ("head", "c", head)]:
        lines = [json.dumps({**header, "model": "sha256:" + digit * 64})]
        for i in range(EXAMPLES):
            right = int(said[i] == target[i])
            lines.append(json.dumps({"id": str(i), "target": int(target[i]), "prediction": int(said[i]), "values": {"accuracy": right}}))
        paths.append(directory / f"{name}.jsonl")
        paths[-1].write_text("\n".join(lines) + "\n")
    gate = directory / "gate.yml"
    gate.write_text("f1_macro: { max-drop: 1pp }\n")
    times = []
    for _ in range(5):
        start = time.perf_counter()
        ran = subprocess.run([sys.argv[1], "compare", *paths, "--gate", gate, "--json"], capture_output=True, text=True)
        times.append(time.perf_counter() - start)
    return sorted(times)[2], json.loads(ran.stdout)["rules"][0]["interval"]


with tempfile.TemporaryDirectory() as directory:
    ours, interval = assays(Path(directory))
percentile, plain = scipys("percentile")
bca, corrected = scipys("BCa")
show = lambda bounds: f"{bounds[0]:+.5f} … {bounds[1]:+.5f}"
print(f"assay compare, all of it   {ours:8.3f} s   {show(interval)}")
print(f"scipy, percentile          {percentile:8.3f} s   {show(plain)}   {percentile / ours:.1f} times as long")
print(f"scipy, BCa                 {bca:8.3f} s   {show(corrected)}   {bca / ours:.1f} times as long")
