"""A base checkpoint: a BERT-like encoder and its tokenizer, in a folder that transformers can read.

The folder holds ``config.json``, ``model.safetensors`` and ``tokenizer.json``. A model folder of
ours holds them too (in half precision), so that the serving model is a base for its successor.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from tokenizers import Tokenizer
from torch import nn
from transformers.utils import logging as _transformers_logging

from training.encoders.checkpoints import CheckpointError, local_checkpoint

PAD, UNKNOWN, FIRST, LAST, MASK = SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WEIGHTS: Final = "model.safetensors"
_UNUSED: Final = "pooler."
# Longer than any text that we take.
_UNBOUNDED: Final = 1 << 16

# The library has types for half of its calls: taken as it is, it is one honest Any.
hf: Any = transformers
_logging: Any = _transformers_logging
# Progress bars and advice of the library belong to nobody who runs our commands.
_logging.set_verbosity_error()
_logging.disable_progress_bar()
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")


@dataclass(slots=True)
class Encoder:
    """An encoder and its tokenizer. ``model`` maps ids and mask to hidden states."""

    model: Any
    tokenizer: Tokenizer

    @property
    def width(self) -> int:
        """Size of a hidden state."""
        return int(self.model.config.hidden_size)

    @property
    def positions(self) -> int:
        """Longest text that it can read, in word pieces; a large number where nothing bounds it."""
        config = self.model.config
        places = getattr(config, "max_position_embeddings", None) or _UNBOUNDED
        # RoBERTa and its kin count places from the one after the padding's.
        return int(places) - (int(config.pad_token_id) + 1 if _counts_from_padding(config) else 0)

    @property
    def pad_id(self) -> int:
        """Id of the padding piece."""
        return self._id(PAD, "<pad>")

    @property
    def unknown_id(self) -> int:
        """Id of the piece for what is not in the vocabulary."""
        return self._id(UNKNOWN, "<unk>")

    @property
    def layers(self) -> list[nn.Module]:
        """Its layers, from the input upwards.

        Raises:
            CheckpointError: it has none that are told apart.
        """
        # Whatever the kind of base calls them, they are the one list of modules in it.
        for part in self.model.modules():
            if isinstance(part, nn.ModuleList):
                return list(part)
        raise CheckpointError("the base has no list of layers", "name a base of BERT's kind")

    def freeze(self, layers: int) -> None:
        """Keep the lowest layers, and the embeddings, as they are in every training.

        Args:
            layers: how many; 0 freezes nothing, the embeddings neither.

        Raises:
            CheckpointError: it has fewer.
        """
        if not layers:
            return
        if layers > len(self.layers):
            raise CheckpointError(
                f"{layers} layers cannot be frozen: the base has {len(self.layers)}",
                "freeze fewer (frozen_layers)",
            )
        last = list(self.layers[layers - 1].parameters())[-1]
        # They come in the order in which a text passes them.
        for weight in self.model.parameters():
            weight.requires_grad_(False)
            if weight is last:
                break

    def tokenize(self, normalized: Sequence[str], max_length: int) -> list[list[int]]:
        """Return word pieces of normalised texts, specials included."""
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length)
        return [row.ids for row in self.tokenizer.encode_batch_fast(list(normalized))]

    def save(self, folder: Path, *, half: bool = False) -> None:
        """Write the three files.

        Args:
            folder: is made if it is absent.
            half: store the weights in half precision.
        """
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().cpu() for name, value in self.model.state_dict().items()}
        if half:
            weights = {n: v.half() if v.is_floating_point() else v for n, v in weights.items()}
        self.model.save_pretrained(folder, state_dict=weights, safe_serialization=True)
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.tokenizer.save(str(folder / "tokenizer.json"))

    def _id(self, *names: str) -> int:
        for name in names:
            found = self.tokenizer.token_to_id(name)
            if found is not None:
                return int(found)
        raise CheckpointError(f"the tokenizer has none of {', '.join(names)}")


def load_encoder(name: Path | str) -> Encoder:
    """Load a base checkpoint in single precision.

    Args:
        name: a folder, or a name in the hub's local cache.

    Raises:
        CheckpointError: it is no encoder with a fast tokenizer.
        LabellerUnavailable: it is not on this machine.
    """
    folder = local_checkpoint(str(name))
    tokenizer_file = folder / "tokenizer.json"
    if not tokenizer_file.is_file():
        raise CheckpointError(
            f"{folder} has no tokenizer.json", "convert it with transformers' AutoTokenizer"
        )
    try:
        config = hf.AutoConfig.from_pretrained(folder)
        model, found = hf.AutoModel.from_pretrained(
            folder, config=config, dtype=torch.float32, output_loading_info=True, **_options(config)
        )
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    # The libraries fail in every way there is: with errors of their own, and with bare ones.
    except Exception as error:  # noqa: BLE001 - see above
        why = " ".join(str(error).split()) or type(error).__name__
        if "ignore_mismatched_sizes" in why:  # an option of the library's, not of ours
            why = "its weights have other sizes than its config.json tells of"
        raise CheckpointError(f"{folder} cannot be loaded: {why}", "name another base") from None
    _check(folder, model, found["missing_keys"], tokenizer)
    return Encoder(model, tokenizer)


def _check(folder: Path, model: Any, missing: Iterable[str], tokenizer: Tokenizer) -> None:
    """Refuse what would train, and come to nothing or fail in the middle.

    Raises:
        CheckpointError: weights are absent, word pieces have no vector, or it is no encoder.
    """
    if model.config.is_encoder_decoder:
        raise CheckpointError(
            f"{folder} is an encoder with a decoder ({model.config.model_type})",
            "name a base that is only an encoder, such as a BERT",
        )
    # A layer over the first state is never asked; the library starts it afresh if it is absent.
    absent = sorted(name for name in missing if not name.startswith(_UNUSED))
    if absent:
        raise CheckpointError(
            f"{folder} lacks {len(absent)} of the weights that its config.json tells of, "
            f"{absent[0]} among them",
            "put the weights and the config.json of one checkpoint together",
        )
    vectors = model.get_input_embeddings().weight.shape[0]
    pieces = max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1
    if pieces > vectors:
        raise CheckpointError(
            f"{folder}: the tokenizer has {pieces} word pieces, the model vectors for {vectors}",
            "put the tokenizer and the weights of one checkpoint together",
        )


def _counts_from_padding(config: Any) -> bool:
    return config.model_type in {"roberta", "xlm-roberta", "camembert"}


def _options(config: Any) -> dict[str, object]:
    """Leave out the pooling layer that BERT has and that no family of ours uses."""
    options: dict[str, object] = {}
    if _knows_fused_attention(config):
        options["attn_implementation"] = "sdpa"
    if config.model_type == "bert":
        options["add_pooling_layer"] = False
    return options


def _knows_fused_attention(config: Any) -> bool:
    kind = hf.models.auto.modeling_auto.MODEL_MAPPING.get(type(config), None)
    return bool(getattr(kind, "_supports_sdpa", False))


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of our own BERT. The default is chosen for 2,000 reviews/s in int8 on two cores."""

    layers: int = 3
    width: int = 256
    heads: int = 4
    inner: int = 1024
    positions: int = 128


def new_encoder(tokenizer: Tokenizer, shape: Shape) -> Encoder:
    """Make a BERT with random weights (from torch's generator) for a tokenizer."""
    config = hf.BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=shape.positions,
        type_vocab_size=1,
        pad_token_id=tokenizer.token_to_id(PAD),
        attn_implementation="sdpa",
    )
    return Encoder(hf.BertModel(config, add_pooling_layer=False), tokenizer)
