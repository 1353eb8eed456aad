"""Word pieces of words that were met before: cutting a word again and again costs more than a model of tables.

A stream uses the same few thousand words all the time. Where a tokenizer never looks past a space, what a
text is cut into is what its words are cut into, one after another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import Final, NamedTuple

from tokenizers import Tokenizer

# Of all words that are kept, together: about 70 thousand words, 20 MB with their pieces.
MOST_LETTERS: Final = 1 << 19
# BERT's own pre-tokenizer cuts at white space first; its normalizer changes one character at a time.
_PRE_TOKENIZER: Final = "BertPreTokenizer"
_NORMALIZERS: Final = frozenset({None, "BertNormalizer"})
_MODEL: Final = "WordPiece"


def cuts_word_by_word(tokenizer: Tokenizer) -> bool:
    """Tell whether a tokenizer surely cuts each word as if it stood alone: those of BERT do."""
    parts = json.loads(tokenizer.to_str())
    kind = {
        name: (parts[name] or {}).get("type") for name in ("normalizer", "pre_tokenizer", "model")
    }
    return (
        kind["model"] == _MODEL
        and kind["pre_tokenizer"] == _PRE_TOKENIZER
        and kind["normalizer"] in _NORMALIZERS
        and not any(set(token["content"]) & set(" \t\r\n") for token in parts["added_tokens"])
    )


class KnownWords:
    """Cuts texts as a tokenizer does, and each word once. Thread-safe.

    Args:
        tokenizer: one that :func:`cuts_word_by_word`, without padding or truncation.
        max_length: most word pieces of a text, specials included; what is behind them is left out.
        most_letters: of the words that are kept; behind them all are forgotten, and those in use are
            back within a few texts.
    """

    def __init__(
        self, tokenizer: Tokenizer, max_length: int, most_letters: int = MOST_LETTERS
    ) -> None:
        self._tokenizer = tokenizer
        self._most_letters = most_letters
        example = tokenizer.encode("a")
        own = example.special_tokens_mask.index(0)
        specials = sum(example.special_tokens_mask)
        self._before = example.ids[:own]
        self._after = example.ids[len(example.ids) - specials + own :]
        self._longest = max_length - len(self._after)
        self._kept = _Words({}, 0)

    def cut(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the word pieces of each text, specials included."""
        words = [text.split(" ") for text in texts]
        pieces = self._all_known(set(chain.from_iterable(words))).__getitem__
        rows = []
        for row in words:
            ids = self._before.copy()
            ids.extend(chain.from_iterable(map(pieces, row)))
            del ids[self._longest :]
            ids += self._after
            rows.append(ids)
        return rows

    def _all_known(self, words: set[str]) -> dict[str, tuple[int, ...]]:
        """Return the pieces of at least these words.

        What is full is replaced, never emptied: another thread may be reading it.
        """
        kept = self._kept
        new = words.difference(kept.pieces)
        if not new:
            return kept.pieces
        letters = kept.letters + sum(map(len, new))
        if letters > self._most_letters:
            kept, new, letters = _Words({}, 0), words, sum(map(len, words))
        cut = self._tokenizer.encode_batch_fast(list(new), add_special_tokens=False)
        kept.pieces.update(zip(new, (tuple(word.ids) for word in cut), strict=True))
        self._kept = (
            _Words(kept.pieces, letters) if letters <= self._most_letters else _Words({}, 0)
        )
        return kept.pieces


class _Words(NamedTuple):
    pieces: dict[str, tuple[int, ...]]
    letters: int
    """Of all words together; a little too few where threads learn at the same time."""
