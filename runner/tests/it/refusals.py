"""Models and data sets with something wrong, for refusals.rs, in the directory that is the argument."""
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

out = Path(sys.argv[1])


def graph(name, nodes, inputs, outputs, weights=None, opset=21):
    made = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs],
                             [helper.make_tensor_value_info(*o) for o in outputs],
                             [numpy_helper.from_array(w, n) for n, w in (weights or {}).items()])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    (out / name).write_bytes(model.SerializeToString())


W = np.eye(4, 3, dtype=np.float32)
take = [("X", TensorProto.FLOAT, ["N", 4])]
give = [("logits", TensorProto.FLOAT, ["N", 3])]
gemm = [helper.make_node("Gemm", ["X", "W"], ["logits"])]
graph("good.onnx", gemm, take, give, {"W": W})
graph("future.onnx", gemm, take, give, {"W": W}, opset=999)
graph("unknown.onnx", [helper.make_node("Gemmm", ["X", "W"], ["logits"])], take, give, {"W": W})
# 0/0 where a row is all zeros.
graph("nan.onnx", [helper.make_node("ReduceSum", ["X", "axes"], ["s"], keepdims=1), helper.make_node("Div", ["X", "s"], ["n"]),
                   helper.make_node("Gemm", ["n", "W"], ["logits"])], take, give, {"W": W, "axes": np.array([1])})
graph("image.onnx", [helper.make_node("Flatten", ["X"], ["flat"]), helper.make_node("Gemm", ["flat", "W"], ["logits"])],
      [("X", TensorProto.FLOAT, ["N", 1, 2, 2])], give, {"W": W})
graph("whole.onnx", [helper.make_node("Cast", ["X"], ["f"], to=1), helper.make_node("Gemm", ["f", "W"], ["logits"])],
      [("X", TensorProto.INT64, ["N", 4])], give, {"W": W})
(out / "cut.onnx").write_bytes((out / "good.onnx").read_bytes()[:-20])

X = np.arange(24, dtype=np.float32).reshape(6, 4)
y = np.arange(6) % 3
np.savez(out / "good.npz", X=X, target=y)
np.savez(out / "deep.npz", X=X.reshape(6, 2, 2), target=y)
np.savez(out / "wide.npz", X=np.ones((6, 5), np.float32), target=y)
np.savez(out / "texts.npz", X=np.array([["a", "b", "c", "d"]] * 6), target=y)
np.savez(out / "halves.npz", X=X + np.float32(0.5), target=y)
np.savez(out / "classes.npz", X=X, target=np.array([0, 1, 2, 0, 7, 1]))
np.savez(out / "negative.npz", X=X, target=np.array([0, 1, 2, -1, 0, 1]))
np.savez(out / "twice.npz", X=X, target=y, id=np.array(["a", "b", "c", "b", "e", "f"]))
np.savez(out / "shorter.npz", X=X, target=y[:5])
zeros = X.copy()
zeros[4] = 0
np.savez(out / "zeros.npz", X=zeros, target=y)
lines = [json.dumps({"X": x.tolist(), "target": int(t)}) for x, t in zip(X, y)]
(out / "broken.jsonl").write_text("\n".join([*lines[:3], lines[3][:-4], *lines[4:]]) + "\n")
(out / "lists.jsonl").write_text("\n".join([*lines[:2], json.dumps({"X": [1, 2, 3], "target": 0})]) + "\n")
(out / "lacking.jsonl").write_text("\n".join([*lines[:2], json.dumps({"X": [1, 2, 3, 4]})]) + "\n")
(out / "ragged.csv").write_text("a,b,c,d,target\n1,2,3,4,0\n1,2,3,4,1\n1,2,3,0\n")
table = pa.table({"X": pa.array(list(X), pa.list_(pa.float32())), "target": y})
pq.write_table(table, out / "whole.parquet", compression="none", use_dictionary=False)
whole = (out / "whole.parquet").read_bytes()
(out / "cut.parquet").write_bytes(whole[:-30])
(out / "text.parquet").write_text("this is no parquet")
pq.write_table(pa.table({"X": pa.array(list(X), pa.list_(pa.float32())), "target": pa.array([0, 1, None, 0, 1, 2])}), out / "null.parquet")
(out / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"0" * 40)
(out / "b.jpg").write_text("this is no image")
(out / "pictures.csv").write_text("image,target\nb.jpg,0\n")
(out / "damaged.csv").write_text("image,target\na.png,0\n")
(out / "nowhere.csv").write_text("image,target\nc.png,0\n")
