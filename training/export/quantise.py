"""Smaller and quicker graphs: eight-bit weights for the CPU, half precision for a GPU.

Dynamic quantisation needs no sample and measures each batch as it comes; it moves a review's logits a
little with its company. :mod:`training.export.static` ends that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import onnx
from onnx import helper
from onnxruntime.quantization import QuantType, quantize_dynamic

# Nodes of ONNX Runtime's own domain have no declared types; everything between them is float.
_OPTIONS: Final = {"DefaultTensorType": onnx.TensorProto.FLOAT}
PRODUCTS: Final = ("MatMul", "Gemm", "Attention", "LSTM")
"""Kinds of nodes whose weights become eight-bit, beside tables of embeddings."""


def quantise_dynamic(source: Path, target: Path, *, seven_bits: bool) -> None:
    """Write the graph with eight-bit weights, one scale a column.

    Args:
        source: the graph in single precision.
        target: gets the other.
        seven_bits: leave one bit of the weights unused. Processors without VNNI add pairs of products
            in 16 bits and overflow otherwise.
    """
    with quiet():
        quantize_dynamic(
            typed(source),
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=seven_bits,
            extra_options=dict(_OPTIONS),
        )


def halve(source: Path, target: Path) -> None:
    """Write the graph in half precision; inputs and outputs keep their types.

    Args:
        source: the graph in single precision.
        target: gets the other.
    """
    from onnxruntime.transformers.float16 import (  # noqa: PLC0415 - only for a GPU's graph
        convert_float_to_float16,
    )

    half: Any = convert_float_to_float16(
        onnx.load(str(source)), keep_io_types=True, disable_shape_infer=True
    )
    onnx.save(half, str(target))


def typed(path: Path) -> Any:
    """Return a graph that says of each product's input that it is float.

    ONNX knows no types behind a fused node, and ONNX Runtime's tools leave alone what has none: an
    LSTM behind BERT stayed in single precision, and calibration saw one tensor of all.

    Args:
        path: of a graph in single precision.
    """
    model = onnx.load(str(path))
    known = {value.name for value in (*model.graph.value_info, *model.graph.input)}
    for node in model.graph.node:
        if node.op_type in PRODUCTS and node.input[0] not in known:
            known.add(node.input[0])
            kind = helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None)
            model.graph.value_info.append(kind)
    return model


@contextmanager
def quiet(highest: int = logging.WARNING) -> Iterator[None]:
    """Keep the tools' advice from our users, such as a step of shape inference that fused graphs lack.

    Args:
        highest: level of logging that is not told.
    """
    level = logging.root.manager.disable
    logging.disable(highest)
    try:
        yield
    finally:
        logging.disable(level)
