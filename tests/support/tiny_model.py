"""A model folder made in milliseconds: real tokenizer, real ONNX graph, real manifest.

Each category has one keyword. The graph sums a [vocabulary, 9] table over a text's words, so its
answers can be worked out by hand: a known keyword is sure, an unknown word is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from schemas import active_taxonomy, all_categories, category_count
from stream.model.classifier import Classifier
from stream.model.folder import Manifest, SelfTest, write_manifest

KEYWORDS = (
    "чайник",
    "сапоги",
    "платье",
    "сковорода",
    "полотенце",
    "игрушка",
    "сумка",
    "наушники",
    "доставка",
)
"""Keyword of each category of the bundled taxonomy, by category id."""


def keywords() -> tuple[str, ...]:
    """Return the keyword of each category of the active taxonomy, by category id."""
    count = category_count()
    return KEYWORDS if count == len(KEYWORDS) else tuple(f"word{i}" for i in range(count))


# softmax(6, 0 x 8): the keyword's category gets a probability of 0.98, and as much of more categories.
SURE_LOGIT = 6.0
THRESHOLD = 0.9
UNKNOWN_ID = 1


def write_tiny_model(
    folder: Path,
    *,
    sure_logit: float = SURE_LOGIT,
    name: str = "tiny",
    mistakes: Mapping[int, int] | None = None,
) -> Manifest:
    """Write a loadable model folder and return its manifest.

    Args:
        folder: made if it is absent.
        sure_logit: of a keyword's category.
        name: of the model.
        mistakes: by category id, the id that its keyword is answered with instead.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {"[PAD]": 0, "[UNK]": UNKNOWN_ID} | {w: i + 2 for i, w in enumerate(keywords())}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    sure_logit += float(np.log(category_count() / len(KEYWORDS)))
    table = np.zeros((len(vocabulary), category_count()), dtype=np.float32)
    for i in range(category_count()):
        table[i + 2, (mistakes or {}).get(i, i)] = sure_logit
    onnx.save(_graph(table), folder / "model.onnx")
    (folder / "README.md").write_text("# Tiny model for tests\n", encoding="utf-8")
    manifest = Manifest(
        version="",
        name=name,
        max_length=64,
        taxonomy=active_taxonomy().digest,
        thresholds=dict.fromkeys(all_categories(), THRESHOLD),
        files={},
        self_test=(SelfTest(text=keywords()[2], logits=table[2 + 2].tolist()),),
    )
    return write_manifest(folder, manifest)


def tiny_classifier(folder: Path) -> Classifier:
    """Write a tiny model and load it."""
    write_tiny_model(folder)
    return Classifier.load(folder, device="cpu", threads=1)


def _graph(table: np.ndarray) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Mul", ["rows", "weights"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis"], ["logits"], keepdims=0),
    ]
    ids = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["rows", "length"])
        for n in ("input_ids", "attention_mask")
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", category_count()])
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([-1], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
    ]
    graph = helper.make_graph(nodes, "tiny", ids, [logits], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
