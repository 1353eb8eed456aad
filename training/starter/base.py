"""The starter's base encoder: vocabulary, word vectors, masked-language pretraining."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch

from schemas import active_taxonomy
from stream.text import normalize
from training.encoders.encoder import Encoder, Shape, load_encoder, new_encoder
from training.encoders.vocabulary import learn_tokenizer, product_forms
from training.encoders.word_vectors import WordVectors, piece_vectors
from training.fit.config import Progress, silent
from training.pretraining.checkpoint import is_made_of, pretrain_to
from training.pretraining.mlm import PretrainConfig
from training.words.morphology import analyse, forms
from training.words.rules import RULES
from training.words.templates import TEMPLATES, bundled_templates

STARTER_SHAPE: Final = Shape(layers=3, width=256, heads=4, inner=1024, positions=128)
_WORD_LETTERS: Final = 3
_RUSSIAN: Final = "ru"


def starter_encoder(
    texts: Sequence[str],
    folder: Path,
    config: PretrainConfig,
    progress: Progress = silent,
    shape: Shape = STARTER_SHAPE,
) -> Encoder:
    """Make the base encoder, or load the one that an earlier call finished.

    An interrupted call goes on where it was. An encoder that was made of other texts, in another way
    or by other code is made anew.

    Args:
        texts: normalised, to learn vocabulary and language from.
        folder: gets the checkpoint, see :func:`training.pretraining.checkpoint.pretrain_to`.
        config: of the pretraining; its ``checkpoints`` are set here.
        progress: is told how far it is.
        shape: of a new encoder.
    """
    progress("vocabulary and word vectors", 0, 1)
    encoder = blank_encoder(texts, shape, config.seed)
    progress("vocabulary and word vectors", 1, 1)
    if is_made_of(folder, encoder, texts, config):
        return load_encoder(folder)
    pretrain_to(folder, encoder, texts, config, progress)
    return encoder


def blank_encoder(texts: Sequence[str], shape: Shape, seed: int) -> Encoder:
    """Make an encoder whose layers are random.

    Where the taxonomy's texts are Russian, word pieces start from word vectors, and the forms of words
    that name products are pieces of their own; in other languages the texts alone teach the vocabulary.
    """
    vectors = WordVectors.navec() if _RUSSIAN in active_taxonomy().languages else None
    known = set(vectors.words) if vectors else set()
    tokenizer = learn_tokenizer(texts, _named(known), known)
    torch.manual_seed(seed)
    encoder = new_encoder(tokenizer, shape)
    if vectors:
        table = encoder.model.get_input_embeddings().weight
        start = piece_vectors(tokenizer, vectors, shape.width)
        has_vector = np.abs(start).sum(axis=1) > 0
        with torch.no_grad():
            table[has_vector] = torch.from_numpy(start[has_vector])
    return encoder


def _named(known: Collection[str]) -> set[str]:
    """Return forms of the words by which the taxonomy's rules and templates name products, if it has any."""
    taxonomy = active_taxonomy()
    if not known:
        return set()
    by_rules = product_forms(known) if taxonomy.part(RULES) else set()
    return by_rules | (named_forms(known) if taxonomy.part(TEMPLATES) else set())


def named_forms(known: Collection[str]) -> set[str]:
    """Return the inflected forms of the words in the templates' product names.

    Args:
        known: other forms are left out.
    """
    names = (name for names in bundled_templates().names.values() for name in names)
    words = {word for name in names for word in normalize(name.rstrip("+")).split(" ")}
    found: set[str] = set()
    for word in words:
        if not word.isalpha() or len(word) < _WORD_LETTERS:
            continue
        found.add(word)
        found.update(form for form in _all_forms(word) if form in known)
    return found


def _all_forms(word: str) -> frozenset[str]:
    """Return the forms of a word that may be a plural or an adjective itself."""
    return frozenset(form for lemma in analyse(word).lemmas[:1] for form in forms(lemma))
