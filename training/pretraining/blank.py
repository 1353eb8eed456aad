"""A new encoder before it is pretrained: vocabulary, and word vectors where there are any."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
import torch

from schemas import active_taxonomy
from stream.text import normalize
from training.encoders.encoder import Encoder, Shape, new_encoder
from training.encoders.vocabulary import learn_tokenizer, product_forms
from training.encoders.word_vectors import WordVectors, piece_vectors
from training.words.morphology import analyse, forms
from training.words.rules import RULES
from training.words.templates import TEMPLATES, bundled_templates

_WORD_LETTERS: Final = 3
_RUSSIAN: Final = "ru"


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
