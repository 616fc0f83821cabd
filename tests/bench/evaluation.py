#!/usr/bin/env python3
"""Evaluation side by side with Python, in one run: `python3 tests/bench/evaluation.py ASSAY [PART…]`.

ASSAY is a release binary. The Python that runs this has onnx, onnxruntime, numpy, scikit-learn, skl2onnx and pyarrow; it
is also the peer. Parts: process, throughput, metrics, parquet; all by default. Peers and Assay take turns; figures are medians,
with the smallest and largest. What ran while other processes took more than a tenth of a processor is run again, ten times at
most. Prints Markdown."""
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ASSAY = str(Path(sys.argv[1]).resolve())
PARTS = sys.argv[2:] or ["process", "throughput", "metrics", "parquet"]
HOME = Path(tempfile.mkdtemp(prefix="assay-bench-"))
os.chdir(HOME)
os.environ["OMP_NUM_THREADS"] = "1"
# What Assay does for itself: without it, ONNX Runtime's start takes Python some 30 ms more.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Both run the same version of ONNX Runtime: the one of Python's package.
for library in Path(importlib.util.find_spec("onnxruntime").origin).parent.glob("capi/libonnxruntime.so.*"):
    os.environ.setdefault("ORT_DYLIB_PATH", str(library))

# What a user writes today: onnxruntime and scikit-learn.
USUAL = """
import json
import numpy as np, onnxruntime as ort
from sklearn.metrics import accuracy_score, f1_score, confusion_matrix
z = np.load('digits.npz'); X, y = z['X'], z['target']
so = ort.SessionOptions(); so.intra_op_num_threads = 1
s = ort.InferenceSession('digits.onnx', so, providers=['CPUExecutionProvider'])
p = np.concatenate([s.run(['label'], {'X': X[i:i + 64]})[0] for i in range(0, len(X), 64)])
print(json.dumps({'accuracy': accuracy_score(y, p), 'f1_macro': f1_score(y, p, average='macro'), 'confusion': confusion_matrix(y, p).tolist()}))
"""
# What a careful user writes: numpy only.
LEAN = """
import json
import numpy as np, onnxruntime as ort
z = np.load('digits.npz'); X, y = z['X'], z['target']
so = ort.SessionOptions(); so.intra_op_num_threads = 1
s = ort.InferenceSession('digits.onnx', so, providers=['CPUExecutionProvider'])
p = s.run(['label'], {'X': X})[0]
cm = np.zeros((10, 10), int); np.add.at(cm, (y, p), 1); tp = np.diag(cm); f1 = 2 * tp / (cm.sum(0) + cm.sum(1))
print(json.dumps({'accuracy': float((p == y).mean()), 'f1_macro': float(f1.mean()), 'confusion': cm.tolist()}))
"""
# The loop of such a script, timed within: seconds in `run`, in the loop, and from opening the data set to the result.
LOOP = """
import sys, json, time
import numpy as np, onnxruntime as ort
batch, threads = int(sys.argv[1]), int(sys.argv[2])
so = ort.SessionOptions(); so.intra_op_num_threads = threads; so.inter_op_num_threads = 1
s = ort.InferenceSession('conv.onnx', so, providers=['CPUExecutionProvider'])
opened = time.perf_counter()
z = np.load('conv.npz'); X, y = z['X'], z['target']
began = time.perf_counter(); inside = 0.0; right = 0
for i in range(0, len(X), batch):
    x = X[i:i + batch]
    t = time.perf_counter(); out = s.run(['logits'], {'X': x})[0]; inside += time.perf_counter() - t
    right += int((out.argmax(1) == y[i:i + batch]).sum())
ended = time.perf_counter()
print(json.dumps({'loop': ended - began, 'run': inside, 'whole': ended - opened, 'right': right}))
"""


def of_others():
    """Seconds of processor time that went to others than this process's children; the kernel tells them in hundredths."""
    user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:8])
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK") - children.ru_utime - children.ru_stime


def process(arguments, attempts=10):
    """Wall seconds, peak RSS in MB and what it printed."""
    before, began = of_others(), time.perf_counter()
    # GNU time between: a child's peak would begin with the memory of this process, which it is forked from.
    output = subprocess.run(["/usr/bin/time", "--format", "%M", "--output", "usage", *arguments], stdout=subprocess.PIPE, check=True)
    wall = time.perf_counter() - began
    if attempts > 1 and of_others() - before > 0.02 + 0.1 * wall:
        return process(arguments, attempts - 1)
    return wall, int(Path("usage").read_text()) / 1024, json.loads(output.stdout)


def evaluate(model, data, metrics, *more, task="classification"):
    return process([ASSAY, "eval", "--no-cache", "--json", "--model", model, "--dataset", data, "--task", task,
                    "--metrics", metrics, *more])


def python(text, *arguments):
    return process([sys.executable, "-c", text, *map(str, arguments)])


def spread(values, digits=3):
    return f"{min(values):.{digits}f}/**{statistics.median(values):.{digits}f}**/{max(values):.{digits}f}"


def graph(name, nodes, inputs, outputs, weights):
    from onnx import helper, numpy_helper
    made = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs],
                             [helper.make_tensor_value_info(*o) for o in outputs],
                             [numpy_helper.from_array(w, n) for n, w in weights.items()])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    Path(name).write_bytes(model.SerializeToString())


def whole_process(rounds=10):
    from skl2onnx import to_onnx
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(X[:1000], y[:1000])
    Path("digits.onnx").write_bytes(to_onnx(model, X[:1], target_opset=21, options={"zipmap": False}).SerializeToString())
    np.savez("digits.npz", X=X, target=y.astype(np.int64))
    runs = {"scikit-learn script": lambda: python(USUAL), "lean script": lambda: python(LEAN),
            "assay eval": lambda: evaluate("digits.onnx", "digits.npz", "accuracy,f1_macro")}
    times, memory, answers = {n: [] for n in runs}, {n: [] for n in runs}, {}
    for round in range(rounds + 1):
        for name, run in runs.items():
            wall, peak, answer = run()
            answer = answer.get("metrics", answer)
            answers[name] = (answer["accuracy"], answer["f1_macro"])
            if round:
                times[name].append(wall)
                memory[name].append(peak)
    print(f"\n| whole process, 1,797 digits, n {rounds} | seconds min/median/max | peak RSS, MB | times Assay |\n|---|---|---|---|")
    ours = statistics.median(times["assay eval"])
    for name in runs:
        print(f"| {name} | {spread(times[name])} | {max(memory[name]):.0f} | {statistics.median(times[name]) / ours:.1f} |")
    print(f"\nAccuracy and macro F1: {answers}")


def throughput(rounds=7, samples=20_000):
    from onnx import TensorProto, helper
    rng = np.random.default_rng(0)
    f = lambda *shape: (rng.normal(size=shape) / 8).astype(np.float32)
    nodes = [helper.make_node("Conv", ["X", "a", "b"], ["c1"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c1"], ["r1"]),
             helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Conv", ["p1", "d", "e"], ["c2"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c2"], ["r2"]),
             helper.make_node("MaxPool", ["r2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2]),
             helper.make_node("Flatten", ["p2"], ["flat"]), helper.make_node("Gemm", ["flat", "W", "g"], ["logits"])]
    graph("conv.onnx", nodes, [("X", TensorProto.FLOAT, ["N", 1, 28, 28])], [("logits", TensorProto.FLOAT, ["N", 10])],
          {"a": f(8, 1, 3, 3), "b": f(8), "d": f(16, 8, 3, 3), "e": f(16), "W": f(784, 10), "g": f(10)})
    np.savez("conv.npz", X=rng.random((samples, 1, 28, 28), dtype=np.float32), target=rng.integers(0, 10, samples))
    print(f"\n| conv net, {samples:,} samples, n {rounds}: threads × sessions, batch | loop: Python | loop: Assay | ratio | whole: Python | "
          "whole: Assay | ratio | Assay's whole by Python's loop | loop over `run`: Python, Assay |\n|---|---|---|---|---|---|---|---|---|")
    m = statistics.median
    best = {}
    for threads, sessions in [(1, 1), (2, 1), (1, 2)]:
        for batch in [1, 32, 256]:
            figures, counts = {}, set()
            note = lambda name, value: figures.setdefault(name, []).append(value)
            for _ in range(rounds):
                # Python has no second session in one loop: it is given as many threads.
                _, _, answer = python(LOOP, batch, threads * sessions)
                note("their loop", samples / answer["loop"])
                note("their whole", samples / answer["whole"])
                note("their overhead", answer["loop"] / answer["run"] - 1)
                counts.add(answer["right"])
                _, _, answer = evaluate("conv.onnx", "conv.npz", "accuracy", "--batch", str(batch), "--threads", str(threads),
                                        *(["--sessions", str(sessions)] if sessions > 1 else []))
                timing = answer["timing"]
                # Of sessions side by side it is the mean of their loops.
                note("our loop", samples * 1e3 / timing["answer_ms"])
                note("our whole", samples * 1e3 / (timing["total_ms"] - timing["load_ms"]))
                note("our overhead", timing["answer_ms"] / timing["run_ms"] - 1)
                counts.add(round(answer["metrics"]["accuracy"] * samples))
            ratio = lambda ours, theirs: f"{m(figures[ours]) / m(figures[theirs]):.2f}"
            best = {name: max(best.get(name, 0), m(values)) for name, values in figures.items()}
            print(f"| {threads} × {sessions}, {batch} | {spread(figures['their loop'], 0)} | {spread(figures['our loop'], 0)} | {ratio('our loop', 'their loop')} | "
                  f"{spread(figures['their whole'], 0)} | {spread(figures['our whole'], 0)} | {ratio('our whole', 'their whole')} | "
                  f"{ratio('our whole', 'their loop')} | {m(figures['their overhead']):.1%}, {m(figures['our overhead']):.1%} |", flush=True)
            assert len(counts) == 1, counts
    print(f"\nBest of each: loop {best['our loop'] / best['their loop']:.2f}, whole {best['our whole'] / best['their whole']:.2f}, whole by "
          f"Python's loop {best['our whole'] / best['their loop']:.2f} times Python. *Loop*: from rows in memory to decisions, the model's sessions "
          "open, the first run included; Assay's runs while the next rows are read, the last ones judged and the file digested. *Whole*: from opening the data set, with the "
          "model open, to the result; Assay digests the file, too, beginning while the model is opened. Loop over `run`: loop less `run`, by `run`.")


def metrics():
    from onnx import TensorProto, helper
    rng = np.random.default_rng(1)
    n = 1_000_000
    y = rng.integers(0, 1000, n)
    np.savez("labels.npz", X=np.where(rng.random(n) < 0.7, y, rng.integers(0, 1000, n)), target=y)
    graph("labels.onnx", [helper.make_node("Identity", ["X"], ["label"])], [("X", TensorProto.INT64, ["N"])], [("label", TensorProto.INT64, ["N"])], {})
    print("\n| whole process, model is `Identity` | seconds | peak RSS, MB | of it in `run` |\n|---|---|---|---|")
    for _ in range(3):
        wall, peak, answer = evaluate("labels.onnx", "labels.npz", "accuracy,f1_macro,balanced_accuracy,matthews_corrcoef", "--batch", "4096")
        print(f"| 1,000,000 predictions over 1,000 classes | {wall:.3f} | {peak:.0f} | {answer['timing']['run_ms'] / 1e3:.3f} |", flush=True)
    n = 10_000_000
    y = rng.integers(0, 2, n)
    score = np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1).astype(np.float32)
    np.savez("scores.npz", X=np.stack([1 - score, score], 1), target=y)
    graph("scores.onnx", [helper.make_node("Identity", ["X"], ["probabilities"])], [("X", TensorProto.FLOAT, ["N", 2])], [("probabilities", TensorProto.FLOAT, ["N", 2])], {})
    for _ in range(2):
        wall, peak, answer = evaluate("scores.onnx", "scores.npz", "roc_auc", "--batch", "4096")
        print(f"| ROC AUC of 10,000,000 scores | {wall:.3f} | {peak:.0f} | {answer['timing']['run_ms'] / 1e3:.3f} |", flush=True)


def parquet():
    import pyarrow as pa
    import pyarrow.parquet as pq
    from onnx import TensorProto, helper
    rng = np.random.default_rng(2)
    schema = pa.schema([*[(f"p{i}", pa.float32()) for i in range(64)], ("target", pa.int64()), ("id", pa.string())])
    with pq.ParquetWriter("rows.parquet", schema) as file:
        for start in range(0, 1_000_000, 100_000):
            columns = [rng.random(100_000, dtype=np.float32) for _ in range(64)]
            file.write_table(pa.table([*columns, rng.integers(0, 10, 100_000), [f"row-{i}" for i in range(start, start + 100_000)]], schema=schema))
    graph("rows.onnx", [helper.make_node("Gemm", ["X", "W"], ["logits"])], [("X", TensorProto.FLOAT, ["N", 64])], [("logits", TensorProto.FLOAT, ["N", 10])],
          {"W": rng.normal(size=(64, 10)).astype(np.float32)})
    print("\n| 1,000,000 rows of parquet, 64 columns | seconds | peak RSS, MB |\n|---|---|---|")
    for what, more in [("accuracy, f1_macro", ()), ("the same, with outcomes", ("--outcomes", "o.jsonl.zst"))]:
        wall, peak, _ = evaluate("rows.onnx", "rows.parquet", "accuracy,f1_macro", *more)
        print(f"| {what} | {wall:.2f} | {peak:.0f} |", flush=True)
    wall, peak, _ = evaluate("rows.onnx", "rows.parquet", "accuracy,roc_auc_ovr")
    print(f"| accuracy, roc_auc_ovr over 10 classes | {wall:.2f} | {peak:.0f} |", flush=True)


for part in PARTS:
    {"process": whole_process, "throughput": throughput, "metrics": metrics, "parquet": parquet}[part]()
subprocess.run(["rm", "-r", str(HOME)], check=True)
