"""Reference values for metrics.rs, computed with scikit-learn and SciPy. One JSON document a line."""
import json
import warnings

import numpy as np
from scipy import stats
from sklearn import datasets, metrics as m
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

warnings.filterwarnings("ignore")
rng = np.random.default_rng(7)


def value(of):
    """None where scikit-learn refuses, or answers NaN."""
    try:
        number = float(of())
    except ValueError:
        return None
    return number if not np.isnan(number) else None


def calibration_error(y, predictions, scores, w):
    """Naeini, Cooper & Hauskrecht 2015, equation 3: 15 bins of equal width, right-closed."""
    confidence = scores[np.arange(len(y)), predictions]
    w = np.ones(len(y)) if w is None else w
    edges = np.linspace(0, 1, 16)
    bins = np.clip(np.searchsorted(edges, confidence, side="left"), 1, 15)
    total = 0.0
    for b in range(1, 16):
        inside = bins == b
        if inside.any():
            total += abs((w * (y == predictions))[inside].sum() - (w * confidence)[inside].sum())
    return total / w.sum()


def classification(name, y, predictions, scores, classes, w=None):
    y, predictions = np.asarray(y, dtype=int), np.asarray(predictions, dtype=int)
    labels = list(range(classes))
    # scikit-learn clips float32 scores at float32's epsilon, and then adds up in float32, to 7 digits. The reference is its
    # value of the same scores, clipped as it does, added up in float64.
    epsilon = 0.0 if scores is None else float(np.finfo(scores.dtype).eps)
    scores = None if scores is None else scores.astype(float)
    e = {}
    if len(y):
        e["accuracy"] = e["exact_match"] = value(lambda: m.accuracy_score(y, predictions, sample_weight=w))
        e["balanced_accuracy"] = value(lambda: m.balanced_accuracy_score(y, predictions, sample_weight=w))
        e["matthews_corrcoef"] = value(lambda: m.matthews_corrcoef(y, predictions, sample_weight=w))
        e["cohen_kappa"] = value(lambda: m.cohen_kappa_score(y, predictions, sample_weight=w))
        for family in ["precision", "recall", "f1"]:
            of = getattr(m, family + "_score")
            for average in ["micro", "macro", "weighted"]:
                e[f"{family}_{average}"] = value(lambda: of(y, predictions, average=average, sample_weight=w))
            if classes == 2:
                e[family] = value(lambda: of(y, predictions, sample_weight=w))
    per_class, matrix = [], []
    if len(y):
        present = sorted(set(y) | set(predictions))
        p, r, f, s = m.precision_recall_fscore_support(y, predictions, labels=present, sample_weight=w)
        per_class = [None] * classes
        for i, label in enumerate(present):
            per_class[label] = [p[i], r[i], f[i], float(s[i])]
        matrix = m.confusion_matrix(y, predictions, labels=labels, sample_weight=w).astype(float).tolist()
    if scores is not None and len(y):
        e["log_loss"] = value(lambda: m.log_loss(y, np.clip(scores, epsilon, 1 - epsilon), labels=labels, sample_weight=w))
        e["brier"] = value(lambda: m.brier_score_loss(
            y, scores[:, 1] if classes == 2 else scores, labels=labels, sample_weight=w, **({"pos_label": 1} if classes == 2 else {})))
        e["calibration_error"] = calibration_error(y, predictions, scores.astype(float), w)
        for k in [1, 2, 3]:
            if k < classes:
                e[f"top_{k}_accuracy"] = value(lambda: m.top_k_accuracy_score(
                    y, scores[:, 1] if classes == 2 else scores, k=k, labels=labels, sample_weight=w))
        if classes == 2:
            e["roc_auc"] = value(lambda: m.roc_auc_score(y, scores[:, 1], sample_weight=w))
            e["average_precision"] = value(lambda: m.average_precision_score(y, scores[:, 1], sample_weight=w))
        else:
            for kind, suffix, average in [("ovr", "", "macro"), ("ovr", "_weighted", "weighted"), ("ovo", "", "macro"), ("ovo", "_weighted", "weighted")]:
                if kind == "ovo" and w is not None:
                    continue
                e[f"roc_auc_{kind}{suffix}"] = value(lambda: m.roc_auc_score(
                    y, scores, multi_class=kind, average=average, labels=labels, sample_weight=w))
            onehot = np.eye(classes, dtype=int)[y]
            for suffix, average in [("", "macro"), ("_micro", "micro"), ("_weighted", "weighted")]:
                e[f"average_precision{suffix}"] = value(lambda: m.average_precision_score(onehot, scores, average=average, sample_weight=w))
    print(json.dumps({
        "kind": "classification", "name": name, "classes": classes, "targets": y.tolist(), "predictions": predictions.tolist(),
        "scores": None if scores is None else scores.astype(float).tolist(),
        "epsilon": epsilon,
        "weights": None if w is None else w.tolist(), "expected": e, "per_class": per_class, "matrix": matrix,
    }))


def multilabel(name, y, predictions, scores):
    y, predictions = np.asarray(y, dtype=int), np.asarray(predictions, dtype=int)
    e = {"accuracy": value(lambda: m.accuracy_score(y, predictions)), "hamming_loss": value(lambda: m.hamming_loss(y, predictions))}
    e["exact_match"] = e["accuracy"]
    for average in ["micro", "macro", "weighted", "samples"]:
        for family in ["precision", "recall", "f1"]:
            e[f"{family}_{average}"] = value(lambda: getattr(m, family + "_score")(y, predictions, average=average))
        if average != "samples":
            e[f"roc_auc_{average}"] = value(lambda: m.roc_auc_score(y, scores, average=average))
            e[f"average_precision_{average}"] = value(lambda: m.average_precision_score(y, scores, average=average))
    print(json.dumps({"kind": "multilabel", "name": name, "targets": y.tolist(), "predictions": predictions.tolist(),
                      "scores": scores.tolist(), "expected": e}))


def regression(name, y, predictions, w=None):
    y, predictions = np.asarray(y, dtype=float), np.asarray(predictions, dtype=float)
    e = {}
    if len(y):
        e["mse"] = value(lambda: m.mean_squared_error(y, predictions, sample_weight=w))
        e["rmse"] = value(lambda: m.root_mean_squared_error(y, predictions, sample_weight=w))
        e["mae"] = value(lambda: m.mean_absolute_error(y, predictions, sample_weight=w))
        e["mape"] = value(lambda: m.mean_absolute_percentage_error(y, predictions, sample_weight=w))
        e["r2"] = value(lambda: m.r2_score(y, predictions, sample_weight=w))
        if w is None:
            e["max_error"] = value(lambda: m.max_error(y, predictions))
            e["pearson"] = value(lambda: stats.pearsonr(y, predictions).statistic)
            e["spearman"] = value(lambda: stats.spearmanr(y, predictions).statistic)
    print(json.dumps({"kind": "regression", "name": name, "targets": y.tolist(), "predictions": predictions.tolist(),
                      "weights": None if w is None else w.tolist(), "expected": e}))


def ranking(name, gains, scores):
    gains, scores = np.asarray(gains, dtype=float), np.asarray(scores, dtype=float)
    e = {"ndcg": value(lambda: m.ndcg_score([gains], [scores]))}
    for k in [1, 3, 10]:
        e[f"ndcg@{k}"] = value(lambda: m.ndcg_score([gains], [scores], k=k))
    order = np.argsort(-scores, kind="stable")
    found = gains[order] > 0
    for k in [1, 3, 10]:
        e[f"recall@{k}"] = float(found[:k].sum() / found.sum()) if found.any() else None
        e[f"hit@{k}"] = float(found[:k].any())
    e["mrr"] = float(1 / (np.argmax(found) + 1)) if found.any() else 0.0
    # scikit-learn's own reciprocal rank of one relevant document, where scores differ.
    if found.sum() == 1 and len(set(scores)) == len(scores):
        assert e["mrr"] == m.label_ranking_average_precision_score([gains > 0], [scores])
    print(json.dumps({"kind": "ranking", "name": name, "gains": gains.tolist(), "scores": scores.tolist(), "expected": e}))


# Real data, real models: all of it, and slices of it.
for set_name, load in [("digits", datasets.load_digits), ("iris", datasets.load_iris),
                       ("wine", datasets.load_wine), ("breast_cancer", datasets.load_breast_cancer)]:
    X, y = load(return_X_y=True)
    classes = len(set(y))
    train, test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0, stratify=y)
    for model_name, model in [("logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))),
                              ("neighbours", KNeighborsClassifier(3)),  # many equal scores
                              ("tree", DecisionTreeClassifier(max_depth=3, random_state=0))]:  # zeros and ones
        model.fit(train, y_train)
        scores, predictions = model.predict_proba(test), model.predict(test)
        name = f"{set_name}/{model_name}"
        classification(name, y_test, predictions, scores, classes)
        classification(name + "/float32", y_test, predictions, scores.astype(np.float32), classes)
        classification(name + "/weights", y_test, predictions, scores, classes, rng.uniform(0.1, 5, len(y_test)))
        classification(name + "/labels", y_test, predictions, None, classes)
        for part in range(2):
            inside = np.arange(len(y_test)) % 2 == part
            classification(f"{name}/slice {part}", y_test[inside], predictions[inside], scores[inside], classes)
X, y = datasets.load_diabetes(return_X_y=True)
train, test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
for alpha in [0.1, 50]:
    predictions = Ridge(alpha).fit(train, y_train).predict(test)
    regression(f"diabetes/ridge {alpha}", y_test, predictions)
    regression(f"diabetes/ridge {alpha}/weights", y_test, predictions, rng.uniform(0.1, 5, len(y_test)))
    regression(f"diabetes/ridge {alpha}/slice", y_test[::3], predictions[::3])
X, y = datasets.make_multilabel_classification(400, n_classes=6, random_state=0)
model = OneVsRestClassifier(LogisticRegression(max_iter=500)).fit(X[:200], y[:200])
scores = model.predict_proba(X[200:])
multilabel("made/logistic", y[200:], scores > 0.5, scores)
multilabel("made/slice", y[200::2], (scores > 0.5)[::2], scores[::2])

# Adversarial ones.
half = np.full((6, 2), 0.5)
classification("all scores equal", [0, 1, 0, 1, 1, 0], [0] * 6, half, 2)
classification("ties in blocks", [0, 0, 1, 1, 1, 0, 1, 0], [0, 0, 0, 1, 1, 1, 1, 1],
               np.array([[1 - p, p] for p in [.1, .4, .4, .8, .8, .8, .9, .9]]), 2)
classification("only the first class", [0, 0, 0], [0, 1, 0], np.array([[.9, .1], [.4, .6], [.7, .3]]), 2)
classification("only the second class", [1, 1, 1], [1, 1, 0], np.array([[.1, .9], [.4, .6], [.7, .3]]), 2)
classification("never predicted", [0, 1, 0, 1], [0, 0, 0, 0], np.array([[.9, .1], [.8, .2], [.7, .3], [.6, .4]]), 2)
classification("certain and wrong", [0, 1, 1], [1, 0, 1], np.array([[0., 1.], [1., 0.], [0., 1.]]), 2)
classification("one example", [1], [1], np.array([[.2, .8]]), 2)
three = np.array([[.2, .3, .5], [.5, .25, .25], [1 / 3, 1 / 3, 1 / 3], [.1, .8, .1], [.4, .4, .2]])
classification("one class of three is missing", [0, 0, 1, 1, 0], [2, 0, 0, 1, 0], three, 3)
classification("ties between classes", [2, 1, 0, 1, 1], [2, 0, 0, 1, 0], three, 3)
classification("empty", [], [], np.zeros((0, 3)), 3)
classification("empty, two classes", [], [], np.zeros((0, 2)), 2)
w = np.array([0., 1., 0., 2., 1e-9])
classification("weights of zero", [2, 1, 0, 1, 1], [2, 0, 0, 1, 0], three, 3, w)
many = rng.dirichlet(np.full(40, 0.3), 3000)
classification("forty classes", rng.integers(0, 40, 3000), many.argmax(1), many, 40)
y = rng.integers(0, 2, 5000)
s = np.round(np.clip(rng.normal(0.4 + 0.2 * y, 0.2), 0, 1), 2)  # heavy ties
classification("five thousand with ties", y, s > 0.5, np.stack([1 - s, s], 1), 2)
classification("five thousand with ties and weights", y, s > 0.5, np.stack([1 - s, s], 1), 2, rng.exponential(1, 5000))
regression("empty", [], [])
regression("one example", [3.0], [2.0])
regression("constant targets", [2.0, 2.0, 2.0], [1.0, 2.0, 3.0])
regression("constant targets, all met", [2.0, 2.0, 2.0], [2.0, 2.0, 2.0])
regression("constant predictions", [1.0, 2.0, 4.0], [2.0, 2.0, 2.0])
regression("targets of zero", [0.0, 1.0, -1.0, 0.0], [0.0, 0.5, -1.5, 1e-3])
regression("far from zero", 1e9 + rng.normal(0, 1, 500), 1e9 + rng.normal(0, 1, 500))
regression("ties", rng.integers(0, 5, 300), rng.integers(0, 5, 300))
regression("large and small", [1e-100, 1e100, 1.0], [1e-101, 1e99, 2.0])
multilabel("nothing predicted", [[1, 0, 1], [0, 1, 1]], np.zeros((2, 3)), np.full((2, 3), 0.25))
multilabel("no label at all", [[0, 0], [0, 0], [1, 0]], [[0, 0], [1, 0], [1, 1]], np.array([[.1, .2], [.7, .2], [.8, .9]]))
multilabel("labels never right", [[1, 0], [1, 0], [0, 1]], [[0, 1], [0, 1], [1, 0]], np.array([[.1, .9], [.2, .9], [.8, .1]]))
ranking("one relevant", [0, 0, 1, 0], [.1, .4, .3, .2])
ranking("graded", [3, 2, 3, 0, 1, 2], [.9, .8, .7, .6, .5, .4])
ranking("ties", [1, 0, 2, 0, 1], [.5, .5, .5, .2, .2])
ranking("all equal", [1, 0, 2, 0, 1], [.5] * 5)
ranking("nothing relevant", [0, 0, 0], [.3, .2, .1])
for i in range(20):
    n = int(rng.integers(2, 60))
    ranking(f"drawn {i}", rng.integers(0, 4, n), np.round(rng.normal(0, 1, n), int(rng.integers(0, 4))))
