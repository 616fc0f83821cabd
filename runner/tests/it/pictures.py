"""Pictures, and for each way to prepare them a model that gives the largest and the mean difference from what Pillow makes of them,
in levels of 0 to 255: for pictures.rs, in the directory that is the argument. Prints a JSON list."""
import io
import json
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_sample_images

out = Path(sys.argv[1])
china, flower = [Image.fromarray(picture) for picture in load_sample_images().images]
china.save(out / "lossless.png")
flower.convert("L").save(out / "grey.png")
flower.save(out / "whole.jpg", quality=90, subsampling=0)
china.save(out / "halved.jpg", quality=85, subsampling=2)
china.save(out / "progressive.jpg", quality=85, subsampling=0, progressive=True)
B = Image.Resampling


def shorter(image, side, filter):
    w, h = image.size
    return image.resize((side, side * h // w) if w <= h else (side * w // h, side), filter)


def middle(image, side):
    w, h = image.size
    x, y = round((w - side) / 2), round((h - side) / 2)
    return image.crop((x, y, x + side, y + side))


entries = []


def entry(name, file, make, preprocess, largest, mean, layout="nchw", normal=None):
    picture = make(Image.open(out / file))
    reference = np.asarray(picture, np.float32)
    reference = reference[:, :, None] if reference.ndim == 2 else reference
    # The model undoes scaling and normalising, so that differences are levels.
    m, s = (np.array(v, np.float32) for v in (normal or ([0], [1])))
    axis = (lambda a: a.reshape(1, -1, 1, 1)) if layout == "nchw" else (lambda a: a.reshape(1, 1, 1, -1))
    reference = (reference.transpose(2, 0, 1) if layout == "nchw" else reference)[None]
    nodes = [helper.make_node("Mul", ["X", "s"], ["a"]), helper.make_node("Add", ["a", "m"], ["b"]), helper.make_node("Mul", ["b", "255"], ["c"]),
             helper.make_node("Sub", ["c", "reference"], ["d"]), helper.make_node("Abs", ["d"], ["e"])]
    weights = {"s": axis(s), "m": axis(m), "255": np.array([255], np.float32), "reference": reference, "axes": np.array([1, 2, 3])}
    for kind, bound in [("ReduceMax", largest), ("ReduceMean", mean)]:
        made = helper.make_graph([*nodes, helper.make_node(kind, ["e", "axes"], ["difference"], keepdims=0)], "g",
                                 [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", *reference.shape[1:]])],
                                 [helper.make_tensor_value_info("difference", TensorProto.FLOAT, ["N"])],
                                 [numpy_helper.from_array(w, n) for n, w in weights.items()])
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        path = out / f"{len(entries)}.onnx"
        path.write_bytes(model.SerializeToString())
        data = out / f"{len(entries)}.csv"
        data.write_text(f"image,target\n{file},0\n")
        entries.append({"name": f"{name}: {kind}", "model": str(path), "dataset": str(data), "preprocess": preprocess, "bound": bound})


size = china.size
whole = f"resize={size[0]}x{size[1]}"
imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
words = "mean=0.485 0.456 0.406,std=0.229 0.224 0.225"
entry("PNG as it is", "lossless.png", lambda i: i, whole, 0.01, 0.001)
entry("grey PNG as it is", "grey.png", lambda i: i, f"resize={flower.size[0]}x{flower.size[1]}", 0.01, 0.001)
entry("to grey", "lossless.png", lambda i: i.convert("L"), f"{whole},colour=grey", 0.01, 0.001)
# Pillow rounds to bytes, and cuts off what overshoots, after each of the two passes; Assay once, at the end. The largest differences
# are at hard edges, as measured; the mean is what tells a wrong filter.
for filter, name, smaller, larger in [(B.BILINEAR, "bilinear", 1.01, 2.01), (B.BICUBIC, "bicubic", 1.01, 9.01), (B.LANCZOS, "lanczos", 2.01, 17.01)]:
    entry(f"{name}, smaller", "lossless.png", lambda i: i.resize((96, 64), filter), f"resize=96x64,filter={name}", smaller, 0.3)
    entry(f"{name}, larger", "lossless.png", lambda i: i.resize((900, 600), filter), f"resize=900x600,filter={name}", larger, 0.3)
entry("shorter side and crop, normalised", "lossless.png", lambda i: middle(shorter(i, 256, B.BILINEAR), 224), f"resize=256,crop=224,{words}", 1.01, 0.3, normal=imagenet)
entry("the same, channels last", "lossless.png", lambda i: middle(shorter(i, 256, B.BILINEAR), 224), f"resize=256,crop=224,layout=nhwc,{words}", 1.01, 0.3, layout="nhwc", normal=imagenet)
entry("JPEG", "whole.jpg", lambda i: i, f"resize={flower.size[0]}x{flower.size[1]}", 4.01, 0.5)
entry("JPEG with half the colours", "halved.jpg", lambda i: i, whole, 12.01, 0.8)
entry("progressive JPEG", "progressive.jpg", lambda i: i, whole, 4.01, 0.5)
entry("JPEG, resized, cropped, normalised", "halved.jpg", lambda i: middle(shorter(i, 256, B.BILINEAR), 224), f"resize=256,crop=224,{words}", 4.01, 0.5, normal=imagenet)
print(json.dumps(entries))
