"""What this machine can do at most: large matrix products in ONNX Runtime, on its cores or its GPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from stream.errors import ReviewsError
from stream.model.inference import gpu_session, session_options

# Large enough to be bound by arithmetic, small enough to take milliseconds.
SIDE: Final = 1024
# A GPU does a product of that side in microseconds: the call would be most of what is measured.
GPU_SIDE: Final = 8192
_REPEATS: Final = 8

Number = Literal["int8", "fp16", "fp32"]


def matmul_flops(*, int8: bool, threads: int) -> Callable[[], float]:
    """Return a measurement of one large square product, in operations a second.

    Args:
        int8: uint8 x int8 with int32 accumulation (MatMulInteger), else fp32.
        threads: intra-op threads; 0 for all cores.

    Raises:
        ReviewsError: the package ``onnx``, which writes the graph, is absent.
    """
    graph = _graph("int8" if int8 else "fp32", SIDE)
    session = ort.InferenceSession(graph, session_options(threads))
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


def gpu_matmul_flops(
    folder: Path, number: Literal["fp16", "fp32"], device: str = "cuda"
) -> Callable[[], float]:
    """Return a measurement of one large square product on the GPU, in operations a second.

    Factors and product stay in the memory of the device.

    Args:
        folder: for the graph.
        number: of factors and product.
        device: whose memory, as ONNX Runtime calls it.

    Raises:
        ModelError: no GPU can be used.
        ReviewsError: the package ``onnx``, which writes the graph, is absent.
    """
    path = folder / f"product.{number}.onnx"
    path.write_bytes(_graph(number, GPU_SIDE))
    session = gpu_session(path)
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((GPU_SIDE, GPU_SIDE), dtype=np.float32)
    if number == "fp16":
        factor = factor.astype(np.float16)
    binding = session.io_binding()
    binding.bind_ortvalue_input("a", ort.OrtValue.ortvalue_from_numpy(factor, device, 0))
    binding.bind_output("product", device)
    session.run_with_iobinding(binding)

    def measure() -> float:
        started = time.perf_counter()
        for _ in range(_REPEATS):
            session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return 2.0 * GPU_SIDE**3 * _REPEATS / (time.perf_counter() - started)

    return measure


def _graph(number: Number, side: int) -> bytes:
    try:
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - not a serving package
    except ImportError:
        raise ReviewsError(
            "the roofline needs the package onnx", "pip install 'reviews-stream[train]'"
        ) from None
    rng = np.random.default_rng(1)
    kinds = {"int8": TensorProto.UINT8, "fp16": TensorProto.FLOAT16, "fp32": TensorProto.FLOAT}
    kind = kinds[number]
    weight: NDArray[Any]
    if number == "int8":
        weight = rng.integers(-127, 127, (side, side), dtype=np.int8)
    else:
        weight = rng.standard_normal((side, side), dtype=np.float32)
        weight = weight.astype(np.float16) if number == "fp16" else weight
    node = helper.make_node(
        "MatMulInteger" if number == "int8" else "MatMul", ["a", "b"], ["product"]
    )
    out = TensorProto.INT32 if number == "int8" else kind
    graph = helper.make_graph(
        [node],
        "roofline",
        [helper.make_tensor_value_info("a", kind, [side, side])],
        [helper.make_tensor_value_info("product", out, [side, side])],
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
