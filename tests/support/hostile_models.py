"""Models that no worker should serve: each writes a folder whose digests are right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from schemas import ModelAnnouncement, all_categories
from stream.model.folder import CPU_GRAPH, MANIFEST, file_digest, write_manifest
from tests.support.tiny_model import write_tiny_model

# The version of a model is that of its content: those here must not pass for a good one.
OTHER_THAN_GOOD = 7.0


def announcement_of(folder: Path, **changes: Any) -> ModelAnnouncement:
    """Return an unsigned announcement of what a folder holds."""
    data = (folder / MANIFEST).read_bytes()
    try:
        version = json.loads(data)["version"]
    except (ValueError, RecursionError, TypeError):
        version = "unreadable"
    fields = {
        "version": version,
        "location": str(folder.resolve()),
        "manifest_digest": hashlib.sha256(data).hexdigest(),
    }
    return ModelAnnouncement(**(fields | changes))


def endless_loop(folder: Path, *, from_length: int = 0) -> None:
    """Write a graph whose Loop node never ends, for rows of at least so many word pieces."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["going_on"]),
            helper.make_node("Identity", ["value"], ["value_on"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("going_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("value_on", TensorProto.FLOAT, None),
        ],
    )

    def add_loop(graph: Any) -> None:
        graph.node[-1].output[0] = "sums"
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.array(1), "one"),
                numpy_helper.from_array(np.array(from_length), "least"),
            ]
        )
        graph.node.extend(
            [
                helper.make_node("Shape", ["input_ids"], ["shape"]),
                helper.make_node("Gather", ["shape", "one"], ["length"]),
                helper.make_node("GreaterOrEqual", ["length", "least"], ["for_ever"]),
                helper.make_node("Loop", ["", "for_ever", "sums"], ["logits"], body=body),
            ]
        )

    _with_graph(folder, add_loop)


def without_self_test(folder: Path) -> None:
    """Write a model that says nothing of what it should compute."""
    manifest = write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    write_manifest(folder, manifest.model_copy(update={"self_test": ()}))


def other_inputs(folder: Path) -> None:
    """Write a graph that asks for another input: ONNX Runtime raises a ValueError."""

    def rename(graph: Any) -> None:
        graph.input[0].name = "words"
        graph.node[0].input[1] = "words"

    _with_graph(folder, rename)


def maps_for_logits(folder: Path) -> None:
    """Write a graph that answers with a list of dictionaries: NumPy raises a TypeError."""

    def to_maps(graph: Any) -> None:
        graph.node[-1].output[0] = "sums"
        names = [category.slug for category in all_categories()]
        node = helper.make_node(
            "ZipMap", ["sums"], ["logits"], domain="ai.onnx.ml", classlabels_strings=names
        )
        graph.node.append(node)
        value = helper.make_tensor_type_proto(TensorProto.FLOAT, [])
        maps = helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.STRING, value)
        )
        graph.output[0].CopyFrom(helper.make_value_info("logits", maps))

    _with_graph(folder, to_maps)


def memory_eater(folder: Path) -> None:
    """Write a graph that wants 1 GB for its first answer."""

    def eat(graph: Any) -> None:
        graph.node[-1].output[0] = "sums"
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.array([1 << 28], dtype=np.int64), "size"),
                numpy_helper.from_array(np.array([1], dtype=np.int64), "some"),
            ]
        )
        graph.node.extend(
            [
                helper.make_node("Shape", ["input_ids"], ["shape"]),
                helper.make_node("ReduceMax", ["shape"], ["longest"], keepdims=0),
                # Not a constant: it would be computed when the graph is opened.
                helper.make_node("Min", ["longest", "some"], ["at_most_one"]),
                helper.make_node("Mul", ["size", "at_most_one"], ["wanted"]),
                helper.make_node("ConstantOfShape", ["wanted"], ["zeros"]),
                helper.make_node("ReduceSum", ["zeros"], ["nothing"], keepdims=0),
                helper.make_node("Add", ["sums", "nothing"], ["logits"]),
            ]
        )

    _with_graph(folder, eat)


def immense_padding(folder: Path) -> None:
    """Write a manifest with a number that no array holds: NumPy raises an OverflowError."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    _edit(folder, pad_id=1 << 70)


def deep_manifest(folder: Path) -> None:
    """Write a manifest nested so deeply that a recursive parser gives up."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    (folder / MANIFEST).write_text('{"metrics":' + "[" * 200_000)


def manifest_of_another_shape(folder: Path) -> None:
    """Write a manifest that is JSON, but a list."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    (folder / MANIFEST).write_text("[[], 1, null]")


def huge_manifest(folder: Path) -> None:
    """Write a manifest of 3 MB, right in every other way."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    _edit(folder, name="x" * 3_000_000)


def huge_file(folder: Path) -> None:
    """Write a file of 4 GB beside the model, which takes no space on disk."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(4 << 30)


def linked_graph(folder: Path) -> None:
    """Write a model whose graph is a link to the same bytes elsewhere."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    elsewhere = folder.parent / f"{folder.name}-elsewhere.onnx"
    (folder / CPU_GRAPH).rename(elsewhere)
    (folder / CPU_GRAPH).symlink_to(elsewhere)


def pipe(folder: Path) -> None:
    """Write a model with a pipe in it: who opens one waits for a writer."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    import os  # noqa: PLC0415 - here alone

    os.mkfifo(folder / "pipe")
    _edit(folder, files=json.loads((folder / MANIFEST).read_text())["files"] | {"pipe": "0" * 64})


def file_outside(folder: Path) -> None:
    """Write a manifest that lists a file beside the folder."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    outside = folder.parent / "outside.txt"
    outside.write_text("not yours")
    files = json.loads((folder / MANIFEST).read_text())["files"]
    _edit(folder, files=files | {"../outside.txt": file_digest(outside)})


def damaged_graph(folder: Path) -> None:
    """Write a model whose graph lost its end after the manifest was written."""
    write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    graph = folder / CPU_GRAPH
    graph.write_bytes(graph.read_bytes()[:-10])


def no_graph_at_all(folder: Path) -> None:
    """Write bytes in a graph's place, with their right digest."""
    manifest = write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    (folder / CPU_GRAPH).write_bytes(b"\x08\xff" * 5000)
    write_manifest(folder, manifest)


def broken_tokenizer(folder: Path) -> None:
    """Write a tokenizer that is none, with its right digest."""
    manifest = write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    (folder / "tokenizer.json").write_text('{"version": "1.0", "model": {"type": "' + "[" * 5000)
    write_manifest(folder, manifest)


def _with_graph(folder: Path, change: Callable[[Any], None]) -> None:
    manifest = write_tiny_model(folder, sure_logit=OTHER_THAN_GOOD)
    model = onnx.load(folder / CPU_GRAPH)
    change(model.graph)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    onnx.save(model, folder / CPU_GRAPH)
    write_manifest(folder, manifest)


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
