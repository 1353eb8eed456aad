"""What this machine can do at most: large matrix products in ONNX Runtime, fp32 and int8."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import onnxruntime as ort

from stream.errors import ReviewsError
from stream.model.inference import session_options

# Large enough to be bound by arithmetic, small enough to take milliseconds.
SIDE: Final = 1024
_REPEATS: Final = 8


def matmul_flops(*, int8: bool, threads: int) -> Callable[[], float]:
    """Return a measurement of one large square product, in operations a second.

    Args:
        int8: uint8 x int8 with int32 accumulation (MatMulInteger), else fp32.
        threads: intra-op threads; 0 for all cores.

    Raises:
        ReviewsError: the package ``onnx``, which writes the graph, is absent.
    """
    session = ort.InferenceSession(_graph(int8=int8), session_options(threads))
    rng = np.random.default_rng(0)
    if int8:
        feed: dict[str, Any] = {
            "a": rng.integers(0, 255, (SIDE, SIDE), dtype=np.uint8),
        }
    else:
        feed = {"a": rng.standard_normal((SIDE, SIDE), dtype=np.float32)}
    session.run(None, feed)

    def measure() -> float:
        started = time.perf_counter()
        for _ in range(_REPEATS):
            session.run(None, feed)
        return 2.0 * SIDE**3 * _REPEATS / (time.perf_counter() - started)

    return measure


def _graph(*, int8: bool) -> bytes:
    try:
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - not a serving package
    except ImportError:
        raise ReviewsError(
            "the roofline needs the package onnx", "pip install 'reviews-stream[train]'"
        ) from None
    rng = np.random.default_rng(1)
    kind = TensorProto.UINT8 if int8 else TensorProto.FLOAT
    out = TensorProto.INT32 if int8 else TensorProto.FLOAT
    weight = (
        rng.integers(-127, 127, (SIDE, SIDE), dtype=np.int8)
        if int8
        else rng.standard_normal((SIDE, SIDE), dtype=np.float32)
    )
    node = helper.make_node("MatMulInteger" if int8 else "MatMul", ["a", "b"], ["product"])
    graph = helper.make_graph(
        [node],
        "roofline",
        [helper.make_tensor_value_info("a", kind, [SIDE, SIDE])],
        [helper.make_tensor_value_info("product", out, [SIDE, SIDE])],
        [numpy_helper.from_array(weight, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def operations_per_token(graph_path: str) -> float:
    """Return multiply-adds x 2 that a graph's weight products cost per token.

    Counts every constant matrix that a product uses, [inner, outer] -> 2 x inner x outer. What
    attention computes between activations is left out: under 5% at our lengths.
    """
    import onnx  # noqa: PLC0415 - not a serving package
    from onnx import numpy_helper  # noqa: PLC0415 - likewise

    model = onnx.load(graph_path)
    shapes = {t.name: numpy_helper.to_array(t).shape for t in model.graph.initializer}
    products = {
        "MatMul",
        "Gemm",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
        "QLinearMatMul",
        "Attention",
        "QAttention",
        "FusedMatMul",
    }
    total = 0.0
    for node in model.graph.node:
        if node.op_type in products:
            matrices = [shapes[name] for name in node.input if len(shapes.get(name, ())) == 2]  # noqa: PLR2004
            total += sum(2.0 * rows * columns for rows, columns in matrices)
    return total
