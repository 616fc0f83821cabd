"""Makes everything binary in this directory from the digits that scikit-learn ships.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python make.py

The same packages give the same bytes. The files are committed, so nobody needs Python to use them.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
VARIANTS = HERE / "variants"


def train(X, y):
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X, y)


def export(model, width):
    """Outputs `label` int64 [N] and `probabilities` float [N, classes]."""
    example = np.zeros((1, width), np.float32)
    options = {id(model): {"zipmap": False}}
    onnx = to_onnx(model, example, name="digits", target_opset=21, options=options)
    return onnx.SerializeToString()


def careless(X, y, rows=500, wrong=0.02):
    """A retraining as it goes wrong in life: half of the rows got lost on the way, and two labels
    in a hundred of those that arrived belong to another row."""
    random = np.random.default_rng(0)
    X, y = X[:rows], y[:rows].copy()
    mixed = random.choice(rows, int(rows * wrong), replace=False)
    y[mixed] = random.permutation(y[mixed])
    return train(X, y)


def smaller(model):
    """The same decision function in half of the bytes: the scaler folded into the weights, and
    the weights stored in half precision (they are cast back when the model is loaded)."""
    scaler, regression = model.steps[0][1], model.steps[1][1]
    weights = (regression.coef_ / scaler.scale_).T
    bias = regression.intercept_ - scaler.mean_ @ weights
    tensors = [
        numpy_helper.from_array(weights.astype(np.float16), "w16"),
        numpy_helper.from_array(bias.astype(np.float32), "b"),
    ]
    nodes = [
        helper.make_node("Cast", ["w16"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["X", "w"], ["xw"]),
        helper.make_node("Add", ["xw", "b"], ["logits"]),
        helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, weights.shape[0]])]
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, weights.shape[1]]),
    ]
    graph = helper.make_graph(nodes, "digits", inputs, outputs, tensors)
    onnx = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    checker.check_model(onnx, full_check=True)
    return onnx.SerializeToString()


def main():
    digits = load_digits()
    ids = np.arange(len(digits.target))
    X_train, X_held, y_train, y_held, _, id_held = train_test_split(
        digits.data, digits.target, ids, test_size=0.5, random_state=0, stratify=digits.target
    )
    good, regressed = train(X_train, y_train), careless(X_train, y_train)
    width = X_train.shape[1]

    VARIANTS.mkdir(exist_ok=True)
    (HERE / "model.onnx").write_bytes(export(good, width))
    (VARIANTS / "regressed.onnx").write_bytes(export(regressed, width))
    (VARIANTS / "smaller.onnx").write_bytes(smaller(good))
    # Pixels are whole numbers from 0 to 16; `id` is the row in scikit-learn's data set.
    np.savez_compressed(
        HERE / "heldout.npz", X=X_held.astype(np.uint8), target=y_held.astype(np.int64), id=id_held.astype(np.int64)
    )
    for name, model in [("good", good), ("regressed", regressed)]:
        print(f"{name}: accuracy {accuracy_score(y_held, model.predict(X_held)):.4f} on {len(y_held)} rows")


if __name__ == "__main__":
    main()
