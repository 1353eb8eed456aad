"""Static quantisation: scales of activations that training texts decide, once and for all.

A dynamically quantised graph measures what goes into its products anew in each batch, so that a
review's logits move with its company. Here they do not, and the passes that measure are saved.

ONNX Runtime's ``quantize_static`` was tried and is slower than dynamic quantisation: it leaves fused
attention in single precision, or wants it taken apart, and adds each bias in a pass of its own
(figures in ``deploy/docs/measurements/eight-bits.md``). So the graph is that of dynamic quantisation with its scales
fixed; its calibration is ONNX Runtime's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    create_calibrator,
)

from training.export.nodes import replace_nodes
from training.export.quantise import PRODUCTS, quiet, typed
from training.fit.batches import pad

_BATCH: Final = 32
_LEVELS: Final = 255  # of an unsigned byte, above its zero

Range = tuple[float, float]


class CalibrationTexts(CalibrationDataReader):  # type: ignore[misc] # its package has no types
    """Texts as the calibrator reads them: those of similar length together, padded as served.

    Args:
        ids: word pieces of the texts.
        pad_id: of the tokenizer.
    """

    def __init__(self, ids: Sequence[Sequence[int]], pad_id: int) -> None:
        rows = sorted(ids, key=len)
        self._batches = iter([rows[i : i + _BATCH] for i in range(0, len(rows), _BATCH)])
        self._pad_id = pad_id

    def get_next(self) -> dict[str, NDArray[np.int64]] | None:
        """Return the next batch as the graph's inputs; None after the last."""
        batch = next(self._batches, None)
        if batch is None:
            return None
        inputs, mask = pad(batch, self._pad_id)
        return {"input_ids": inputs, "attention_mask": mask}


def activation_ranges(full: Path, ids: Sequence[Sequence[int]], pad_id: int) -> Mapping[str, Range]:
    """Return the least and the greatest value of whatever goes into and comes out of products.

    The extremes, because nothing was gained by cutting them off: percentiles and entropy gave logits
    as far from the module's, within noise.

    Args:
        full: the graph in single precision.
        ids: word pieces of texts that nothing is measured on.
        pad_id: of the tokenizer.
    """
    with tempfile.TemporaryDirectory() as temporary, quiet():
        graph = typed(full)
        if not any(node.op_type in PRODUCTS for node in graph.graph.node):
            return {}  # a model of tables alone has none
        source = Path(temporary) / "typed.onnx"
        onnx.save(graph, str(source))
        calibrator = create_calibrator(
            source,
            list(PRODUCTS),
            augmented_model_path=str(Path(temporary) / "augmented.onnx"),
            calibrate_method=CalibrationMethod.MinMax,
        )
        calibrator.collect_data(CalibrationTexts(ids, pad_id))
        found = calibrator.compute_data().data
    return {
        name: (float(np.min(tensor.lowest)), float(np.max(tensor.highest)))
        for name, tensor in found.items()
    }


def fix_scales(path: Path, ranges: Mapping[str, Range]) -> None:
    """Give a dynamically quantised graph fixed scales, in place.

    An LSTM's own products stay as they are: ONNX Runtime has no other quantised form of it.

    Args:
        path: of the graph.
        ranges: of the values that its products read; what has none stays dynamic.
    """
    model = onnx.load(str(path))
    _Fixing(model.graph, ranges).run()
    onnx.save(model, str(path))


class _Fixing:
    """The nodes of one graph on their way into others."""

    def __init__(self, graph: Any, ranges: Mapping[str, Range]) -> None:
        self._graph = graph
        self._ranges = ranges
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._makers = {output: node for node in graph.node for output in node.output}
        self._readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._fixed: set[str] = set()

    def run(self) -> None:
        nodes = []
        # What a product's new node writes, by the old node that wrote it: only one may.
        replaced: set[str] = set()
        for node in self._graph.node:
            if node.op_type == "DynamicQuantizeLinear" and node.input[0] in self._ranges:
                nodes.append(self._quantise(node))
                continue
            product = self._product(node) if node.op_type == "MatMulInteger" else None
            if product is not None:
                replaced.update(product.output)
                nodes.append(product)
            elif not replaced.intersection(node.output):
                nodes.append(node)
        replace_nodes(self._graph, nodes, self._tensors.values())

    def _quantise(self, node: Any) -> Any:
        """Write a range as scale and zero point; it holds zero, which padding needs exactly."""
        lowest, highest = self._ranges[node.input[0]]
        lowest, highest = min(lowest, 0.0), max(highest, 0.0)
        step = np.float32((highest - lowest) / _LEVELS or 1.0)
        quantised, scale, zero = node.output
        self._store(scale, np.array(step, dtype=np.float32))
        self._store(zero, np.array(round(-lowest / float(step)), dtype=np.uint8))
        self._fixed.add(scale)
        return helper.make_node("QuantizeLinear", [node.input[0], scale, zero], [quantised])

    def _product(self, node: Any) -> Any | None:
        """Put a product, its conversion, its scales and its bias into one node, if they are so.

        ONNX Runtime does that only while scales are unknown.
        """
        cast = self._only_reader(node.output[0], "Cast")
        scaled = None if cast is None else self._only_reader(cast.output[0], "Mul")
        if cast is None or scaled is None:
            return None
        factor = self._makers.get(_other(scaled, cast.output[0]))
        if factor is None or factor.op_type != "Mul" or factor.input[0] not in self._fixed:
            return None
        left, right, *zeros = node.input
        inputs, output = [left, right, *factor.input, *zeros], scaled.output[0]
        biased = self._only_reader(output, "Add")
        bias = None if biased is None else self._tensors.get(_other(biased, output))
        if biased is not None and bias is not None and len(bias.dims) == 1:
            inputs.append(bias.name)
            output = biased.output[0]
        return helper.make_node("MatMulIntegerToFloat", inputs, [output], domain="com.microsoft")

    def _only_reader(self, name: str, kind: str) -> Any | None:
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and readers[0].op_type == kind else None

    def _store(self, name: str, values: NDArray[Any]) -> None:
        self._tensors[name] = numpy_helper.from_array(values, name)


def _other(node: Any, name: str) -> str:
    """Return the input of a node with two that is not the named one."""
    return str(next(one for one in node.input if one != name))
