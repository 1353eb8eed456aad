"""A model of the starter's shape with random weights: as fast as a trained one, made in seconds.

``python -m tests.bench.starter_shape FOLDER`` writes a model folder, and beside it in ``FOLDER/torch``
the same weights as a transformers checkpoint for the peers that run torch.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from schemas import all_categories, category_count
from stream.model.classifier import Classifier
from stream.model.folder import Manifest, write_manifest
from training.export.quantise import quantise_dynamic
from training.export.vectorise import vectorise

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "deploy" / "taxonomies" / "marketplace"
_VOCABULARY: Final = 16_000
_MAX_LENGTH: Final = 128


@dataclass(frozen=True, slots=True)
class BertShape:
    """What of a BERT decides its speed.

    Attributes:
        layers: how many.
        width: of a token's state.
        heads: of the attention.
        inner: width between a layer's two large products.
    """

    layers: int
    width: int
    heads: int
    inner: int


STARTER: Final = BertShape(layers=3, width=256, heads=4, inner=1024)


class _Logits(torch.nn.Module):
    """Ids and mask in, logits out: what the exporter wants to see."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids, attention_mask).logits
        return logits


def write_starter_shape(folder: Path, seed: int = 7) -> None:
    """Write the model folder (int8 graph, tokenizer, manifest) and the torch checkpoint.

    Args:
        folder: is made.
        seed: of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    model = random_bert(STARTER, tokenizer.get_vocab_size(), seed)
    export_fused(model, folder / "fp32.onnx")
    quantise_dynamic(folder / "fp32.onnx", folder / "model.onnx", seven_bits=False)
    vectorise(folder / "model.onnx")
    # Not a part of the served folder: its manifest must not name it.
    (folder / "fp32.onnx").rename(folder.parent / f"{folder.name}.fp32.onnx")
    (folder / "README.md").write_text("# Random weights, for speed only\n", encoding="utf-8")
    manifest = Manifest(
        version="",
        name="starter-shape",
        max_length=_MAX_LENGTH,
        thresholds=dict.fromkeys(all_categories(), 0.0),
        files={},
    )
    write_manifest(folder, manifest)
    Classifier.load(folder)
    checkpoint = folder / "torch"
    library: Any = transformers  # its classes have no usable types
    model.save_pretrained(checkpoint)
    library.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", model_max_length=_MAX_LENGTH
    ).save_pretrained(checkpoint)


def random_bert(shape: BertShape, vocabulary: int, seed: int = 7) -> Any:
    """Return an untrained classifier over the nine categories.

    Args:
        shape: of the encoder.
        vocabulary: word pieces.
        seed: of the weights.
    """
    torch.manual_seed(seed)
    library: Any = transformers  # its classes have no usable types
    model = library.BertForSequenceClassification(
        library.BertConfig(
            vocab_size=vocabulary,
            hidden_size=shape.width,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner,
            max_position_embeddings=_MAX_LENGTH,
            num_labels=category_count(),
            attn_implementation="eager",
        )
    ).eval()
    for name, values in model.named_parameters():
        if "LayerNorm" in name:
            # Equal ones would be stored once, and the graph would be another one than a trained model's.
            torch.nn.init.normal_(values, mean=float("weight" in name), std=0.1)
    return model


def export_fused(model: Any, path: Path) -> None:
    """Write a classifier's graph in single precision, its attention and normalisation fused."""
    ids = torch.tensor([[5, 6, 7, 8], [5, 6, 0, 0]])
    torch.onnx.export(
        _Logits(model),
        (ids, (ids > 0).long()),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={
            "input_ids": {0: "rows", 1: "length"},
            "attention_mask": {0: "rows", 1: "length"},
            "logits": {0: "rows"},
        },
        opset_version=17,
        dynamo=False,
    )
    fused = optimizer.optimize_model(
        str(path),
        model_type="bert",
        num_heads=model.config.num_attention_heads,
        hidden_size=model.config.hidden_size,
        optimization_options=FusionOptions("bert"),
        opt_level=0,
    )
    fused.save_model_to_file(str(path))


def _tokenizer() -> Any:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=_VOCABULARY, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _texts() -> list[str]:
    return [
        str(json.loads(line)["text"])
        for path in sorted(EXAMPLES.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "text" in line
    ]


if __name__ == "__main__":
    write_starter_shape(Path(sys.argv[1]))
