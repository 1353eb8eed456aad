"""BERT encoders of any shape with random weights: for measuring, where no such model was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from stream.errors import ReviewsError

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

Precision = Literal["fp32", "fp16"]
_TYPES: Final[dict[Precision, Any]] = {"fp32": np.float32, "fp16": np.float16}
# BERT's own. Much wider, and twelve random layers would end in infinities of half precision.
_SPREAD: Final = 0.02
_EPSILON: Final = 1e-5
# The first operator set with Gelu. LayerNormalization is older; attention is ONNX Runtime's own.
_OPSET: Final = 20
_IR_VERSION: Final = 10


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """How large an encoder is."""

    name: str
    layers: int
    width: int
    heads: int
    inner: int

    def operations(self, length: float) -> float:
        """Return multiply-adds x 2 that one row of ``length`` word pieces costs, attention included."""
        products = 4 * self.width**2 + 2 * self.width * self.inner
        return 2.0 * self.layers * length * (products + 2 * length * self.width)


BUNDLED: Final = EncoderShape("3 x 256", 3, 256, 4, 1024)
SMALL: Final = EncoderShape("6 x 384", 6, 384, 12, 1536)
BASE: Final = EncoderShape("BERT-base, 12 x 768", 12, 768, 12, 3072)


def write_encoder(
    path: Path,
    shape: EncoderShape,
    precision: Precision,
    *,
    vocabulary: int,
    positions: int,
    categories: int,
) -> None:
    """Write a classifier's graph with the inputs and the output of a model folder's graph.

    Its attention is ONNX Runtime's fused operator, as in the graphs that a training exports.

    Args:
        path: of the graph.
        shape: of its encoder.
        precision: of weights and activations; logits are single precision either way.
        vocabulary: word pieces.
        positions: most word pieces of a row.
        categories: logits of a row.

    Raises:
        ReviewsError: the package ``onnx``, which writes the graph, is absent.
    """
    try:
        import onnx  # noqa: PLC0415 - not a serving package
        from onnx import TensorProto, helper  # noqa: PLC0415 - likewise
    except ImportError:
        raise ReviewsError(
            "made-up encoders need the package onnx", "pip install 'reviews-stream[train]'"
        ) from None
    draft = _Draft(shape, precision)
    hidden = draft.embeddings(vocabulary, positions)
    for _ in range(shape.layers):
        hidden = draft.layer(hidden)
    draft.head(hidden, categories)
    ids, mask = (
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "length"])
        for name in ("input_ids", "attention_mask")
    )
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", categories])
    graph = helper.make_graph(draft.nodes, "encoder", [ids, mask], [logits], draft.weights)
    domains = [helper.make_opsetid("", _OPSET), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=_IR_VERSION), str(path))


class _Draft:
    """Nodes and weights of one graph, in the making."""

    def __init__(self, shape: EncoderShape, precision: Precision) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self._shape = shape
        self._type = _TYPES[precision]
        self._random = np.random.default_rng(0)
        self._names = 0

    def embeddings(self, vocabulary: int, positions: int) -> str:
        """Word pieces and their places, normalised: [rows, length, width]."""
        width = self._shape.width
        words = self._node("Gather", [self._drawn(vocabulary, width), "input_ids"])
        shape = self._node("Shape", ["attention_mask"])
        length = self._node("Gather", [shape, self._kept(np.array([1], dtype=np.int64))])
        begin = self._kept(np.array([0], dtype=np.int64))
        places = self._node("Slice", [self._drawn(positions, width), begin, length])
        int32 = 6  # TensorProto.INT32: what the operator for attention takes as a mask
        self._mask = self._node("Cast", ["attention_mask"], to=int32)
        return self._normalized(self._node("Add", [words, places]))

    def layer(self, hidden: str) -> str:
        """Attention and feed-forward, each added to what came in, and normalised."""
        width, inner = self._shape.width, self._shape.inner
        attended = self._node(
            "Attention",
            [hidden, self._drawn(width, 3 * width), self._zeros(3 * width), self._mask],
            domain="com.microsoft",
            num_heads=self._shape.heads,
        )
        hidden = self._normalized(self._node("Add", [self._dense(attended, width, width), hidden]))
        wide = self._node("Gelu", [self._dense(hidden, width, inner)])
        return self._normalized(self._node("Add", [self._dense(wide, inner, width), hidden]))

    def head(self, hidden: str, categories: int) -> None:
        """Logits from the first word piece."""
        first = self._kept(np.array(0, dtype=np.int64))
        pooled = self._node("Gather", [hidden, first], axis=1)
        scores = self._dense(pooled, self._shape.width, categories)
        single = 1  # TensorProto.FLOAT
        self._node("Cast", [scores], outputs=["logits"], to=single)

    def _dense(self, source: str, inner: int, outer: int) -> str:
        product = self._node("MatMul", [source, self._drawn(inner, outer)])
        return self._node("Add", [product, self._zeros(outer)])

    def _normalized(self, source: str) -> str:
        ones = self._kept(np.ones(self._shape.width, dtype=self._type))
        zeros = self._zeros(self._shape.width)
        return self._node("LayerNormalization", [source, ones, zeros], axis=-1, epsilon=_EPSILON)

    def _drawn(self, rows: int, columns: int) -> str:
        values = self._random.standard_normal((rows, columns), dtype=np.float32) * _SPREAD
        return self._kept(values.astype(self._type))

    def _zeros(self, size: int) -> str:
        return self._kept(np.zeros(size, dtype=self._type))

    def _kept(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper  # noqa: PLC0415 - not a serving package

        name = self._name()
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def _node(
        self,
        operator: str,
        inputs: Sequence[str],
        *,
        outputs: Sequence[str] = (),
        domain: str = "",
        **attributes: Any,
    ) -> str:
        from onnx import helper  # noqa: PLC0415 - not a serving package

        named = list(outputs) or [self._name()]
        node = helper.make_node(operator, list(inputs), named, domain=domain, **attributes)
        self.nodes.append(node)
        return named[0]

    def _name(self) -> str:
        self._names += 1
        return f"v{self._names}"
