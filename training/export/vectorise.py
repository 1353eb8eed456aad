"""A graph's normalisation and activation, written so that ONNX Runtime vectorises them on a CPU.

ONNX Runtime's fused layer normalisation adds up each row one number after another: on AVX-512, with
rows of 256, it takes five times as long as the same arithmetic in separate nodes, and took a third of
the 3-layer model's time. Its ``InstanceNormalization``, with every token as a channel of its own, is
the same arithmetic vectorised. The bias that a fused node adds goes into the matrix product before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.export.nodes import replace_nodes

# Of ONNX Runtime's own operators.
_DOMAIN: Final = "com.microsoft"


def vectorise(path: Path) -> None:
    """Rewrite a graph for the CPU in place; it computes the same, within rounding.

    Nodes that it does not know are left as they are.

    Args:
        path: of the graph, fused and quantised.
    """
    model = onnx.load(str(path))
    _Rewriting(model.graph).run()
    onnx.save(model, str(path))


class _Rewriting:
    """The nodes of one graph on their way into others."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes: list[Any] = []
        self._shared: set[str] = set()

    def run(self) -> None:
        # By kind: what writes it anew, and how many of its outputs that gives; training reads more.
        rewrite = {
            "SkipLayerNormalization": (self._skip_norm, 1),
            "BiasGelu": (self._gelu, 1),
            "QEmbedLayerNormalization": (self._embedding, 2),
        }
        for number, node in enumerate(self._graph.node):
            write, outputs = rewrite.get(node.op_type, (None, 0))
            if write is None or any(node.output[outputs:]) or not self._plain(node):
                self._nodes.append(node)
            else:
                write(node, f"vectorised_{number}")
        replace_nodes(self._graph, self._nodes, self._tensors.values())

    def _plain(self, node: Any) -> bool:
        """Whether a node leaves none of its inputs out, and has its weights stored as they are."""
        weights = node.input[2:5] if node.op_type == "SkipLayerNormalization" else node.input[2:7]
        return all(node.input) and all(name in self._tensors for name in weights)

    def _skip_norm(self, node: Any, name: str) -> None:
        product, skip, gain, shift, *bias = node.input
        if bias:
            product = self._add("Add", [product, bias[0]], f"{name}_biased")
        total = self._add("Add", [product, skip], f"{name}_sum")
        self._norm(total, gain, shift, node)

    def _gelu(self, node: Any, name: str) -> None:
        biased = self._add("Add", list(node.input), f"{name}_biased")
        self._add("Gelu", [biased], node.output[0], domain=_DOMAIN)

    def _embedding(self, node: Any, name: str) -> None:
        """All segments are the first one, as the exported module has it."""
        ids, _, *tables, mask = node.input[:8]
        scales, zeros = node.input[8:13], node.input[13:18]
        quantised = zip(tables, scales, zeros, strict=True)
        words, positions, segments, gain, shift = quantised
        places = self._floats(*positions) + self._floats(*segments)[0]
        picked = self._add("Gather", [words[0], ids], f"{name}_picked")
        word = self._add("DequantizeLinear", [picked, *words[1:]], f"{name}_word")
        length = self._add("Shape", [ids], f"{name}_length", start=1, end=2)
        zero = self._constant("vectorised_zero", np.array([0]))
        all_places = self._constant(f"{name}_places", places)
        place = self._add("Slice", [all_places, zero, length, zero], f"{name}_place")
        total = self._add("Add", [word, place], f"{name}_sum")
        gains = self._constant(f"{name}_gain", self._floats(*gain))
        shifts = self._constant(f"{name}_shift", self._floats(*shift))
        self._norm(total, gains, shifts, node)
        if len(node.output) > 1 and node.output[1]:
            one = self._constant("vectorised_one", np.array([1]))
            self._add("ReduceSum", [mask, one], node.output[1], keepdims=0)

    def _norm(self, total: str, gain: str, shift: str, node: Any) -> None:
        """Normalise [rows, length, width] over the width into the node's first output."""
        name = f"{node.output[0]}_norm"
        width = self._tensors[gain].dims[0]
        rows = self._constant(f"vectorised_rows_{width}", np.array([1, -1, width]))
        tokens = self._add("Reshape", [total, rows], f"{name}_tokens")
        ones, zeros, shape = self._units(total, tokens)
        epsilon = next(a.f for a in node.attribute if a.name == "epsilon")
        unit = self._add(
            "InstanceNormalization", [tokens, ones, zeros], f"{name}_unit", epsilon=epsilon
        )
        scaled = self._add("Mul", [unit, gain], f"{name}_scaled")
        shifted = self._add("Add", [scaled, shift], f"{name}_shifted")
        self._add("Reshape", [shifted, shape], node.output[0])

    def _units(self, total: str, tokens: str) -> tuple[str, str, str]:
        """Return a one and a zero for every token, and [rows, length, width]: all norms share them."""
        ones, zeros, shape = "vectorised_ones", "vectorised_zeros", "vectorised_shape"
        if ones not in self._shared:
            self._shared.add(ones)
            count = self._add("Shape", [tokens], "vectorised_tokens", start=1, end=2)
            for name, value in ((ones, 1.0), (zeros, 0.0)):
                filled = helper.make_tensor("value", TensorProto.FLOAT, [1], [value])
                self._add("ConstantOfShape", [count], name, value=filled)
            self._add("Shape", [total], shape)
        return ones, zeros, shape

    def _add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        if name not in self._tensors:
            tensor = numpy_helper.from_array(np.ascontiguousarray(values), name)
            self._tensors[name] = tensor
        return name

    def _floats(self, table: str, scale: str, zero: str) -> NDArray[np.float32]:
        values, factor, offset = (
            numpy_helper.to_array(self._tensors[name]).astype(np.float32)
            for name in (table, scale, zero)
        )
        return np.asarray((values - offset) * factor, dtype=np.float32)
