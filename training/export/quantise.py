"""Smaller and quicker graphs: eight-bit weights for the CPU, half precision for a GPU.

Dynamic quantisation needs no sample and measures each batch as it comes; it moves a review's logits a
little with its company.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

# Nodes of ONNX Runtime's own domain have no declared types; everything between them is float.
_OPTIONS: Final = {"DefaultTensorType": onnx.TensorProto.FLOAT}


def quantise_dynamic(source: Path, target: Path, *, seven_bits: bool) -> None:
    """Write the graph with eight-bit weights, one scale a column.

    Args:
        source: the graph in single precision.
        target: gets the other.
        seven_bits: leave one bit of the weights unused. Processors without VNNI add pairs of products
            in 16 bits and overflow otherwise.
    """
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises a step of shape inference that fused graphs lack
    try:
        quantize_dynamic(
            source,
            target,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=seven_bits,
            extra_options=dict(_OPTIONS),
        )
    finally:
        logging.disable(level)


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
