"""A trained module as an ONNX graph: ids and mask in, logits out, any number of rows and any length."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import onnx
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from training.export.quantise import quiet
from training.fit.loop import NeuralModel
from training.models.lora import merge_lora

# The newest operator set that both the exporter writes and the attention fusion knows.
_OPSET: Final = 17
_INPUTS: Final = ("input_ids", "attention_mask")
_AXES: Final = {name: {0: "rows", 1: "length"} for name in _INPUTS} | {"logits": {0: "rows"}}


def export_graph(model: NeuralModel, path: Path) -> None:
    """Write a model in single precision, attention and normalisation fused where there are any.

    Low-rank updates are merged into the weights. The module itself is changed only in that.

    Args:
        model: trained.
        path: of the graph.
    """
    module = merge_lora(model.module).cpu().eval()
    encoder = getattr(module, "encoder", None)
    if encoder is not None:
        # The fusion knows this form of attention; the other one would stay some forty small nodes.
        encoder.set_attn_implementation("eager")
    with _quiet():
        torch.onnx.export(
            module,
            _example(model),
            str(path),
            input_names=list(_INPUTS),
            output_names=["logits"],
            dynamic_axes=_AXES,
            opset_version=_OPSET,
            # The exporter that follows the graph of calls cannot write packed sequences.
            dynamo=False,
        )
        if encoder is not None:
            _fuse(path, encoder.config)
    onnx.checker.check_model(str(path))


def _example(model: NeuralModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of different lengths, right-padded, as the classifier pads them."""
    pad_id = model.encoder.pad_id
    ids = torch.tensor([[pad_id + 1] * 6, [pad_id + 1] * 4 + [pad_id] * 2])
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    return ids, mask


def _fuse(path: Path, config: Any) -> None:
    """Fuse attention, embeddings and normalisation into ONNX Runtime's own nodes."""
    if config.model_type != "bert":
        return
    fused = optimizer.optimize_model(
        str(path),
        model_type="bert",
        num_heads=int(config.num_attention_heads),
        hidden_size=int(config.hidden_size),
        optimization_options=FusionOptions("bert"),
        opt_level=0,
    )
    fused.save_model_to_file(str(path))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's advice to its own developers from our users."""
    with quiet(logging.ERROR), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
