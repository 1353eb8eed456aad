"""The word-piece vocabulary: words of the reviews, words that name products, stems and endings.

Learned by counting rather than by merging pairs: the trainer in ``tokenizers`` breaks ties by the order
of a hash table and gives another vocabulary at every run.

A stream that holds hardly any kettles teaches no vocabulary in which "чайник" is one piece. The
labelling rules know such words: their inflected forms that occur in Russian news (Navec) become
pieces of their own, so that a word vector can be laid under each. What is no word of the vocabulary is
cut greedily into a stem and endings that many words share.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from training.encoders.encoder import FIRST, LAST, SPECIALS, UNKNOWN
from training.words.morphology import forms
from training.words.rules import RuleBook, load_rules

_MAX_LETTERS: Final = 60
_LONGER_WORD: Final = 5
# Letters a piece: a word is spelled where it has no more.
_SPELLED: Final = 2
_UNKNOWN: Final = frozenset({UNKNOWN, "<unk>"})
# Words met this often get a piece of their own; a word met once or twice teaches it nothing.
_LEAST_WORD: Final = 3
# A letter or mark met this often is no accident; rarer ones (emoji, hieroglyphs) are unknown.
_LEAST_LETTER: Final = 3
_STEM_LETTERS: Final = range(3, 9)
_ENDING_LETTERS: Final = range(2, 7)
# In text that is already normalised, BERT's pre-tokenizer cuts exactly here.
_WORD: Final = re.compile(r"\w+|[^\w\s]")


def learn_tokenizer(
    texts: Sequence[str],
    whole_words: Collection[str] = (),
    other_words: Collection[str] = (),
    parts: int = 3000,
) -> Tokenizer:
    """Learn a vocabulary from normalised texts. The same texts give the same vocabulary.

    Args:
        texts: normalised.
        whole_words: words that become one piece each, however rare they are.
        other_words: further words of the language; stems and endings are counted over them too.
        parts: stems and endings to learn, together.
    """
    counts = Counter(word for text in texts for word in _WORD.findall(text))
    words = {word for word, count in counts.items() if count >= _LEAST_WORD} | set(whole_words)
    letters = Counter(letter for word, count in counts.items() for letter in word * min(count, 9))
    alphabet = {letter for letter, count in letters.items() if count >= _LEAST_LETTER}
    alphabet.update(letter for word in whole_words for letter in word)
    every_word = {word for word in {*counts, *other_words} if word.isalpha()}
    stems = _frequent(every_word, lambda w: (w[:n] for n in _STEM_LETTERS if n < len(w)))
    endings = _frequent(
        every_word, lambda w: ("##" + w[-n:] for n in _ENDING_LETTERS if n < len(w))
    )
    pieces = words | alphabet | {"##" + letter for letter in alphabet if letter.isalnum()}
    pieces.update(stems[: parts // 2], endings[: parts // 2])
    return assemble([*SPECIALS, *sorted(pieces)])


def _frequent(words: Iterable[str], parts_of: Callable[[str], Iterable[str]]) -> list[str]:
    """Return parts of words, those that spare most letters first."""
    counts = Counter(part for word in words for part in parts_of(word))
    return sorted(counts, key=lambda part: (-counts[part] * (len(part.strip("#")) - 1), part))


def assemble(pieces: Sequence[str]) -> Tokenizer:
    """Make a tokenizer of word pieces; a piece's id is its place. Texts get first and last marks."""
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    model = WordPiece(vocabulary, unk_token=UNKNOWN, max_input_chars_per_word=_MAX_LETTERS)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single=f"{FIRST} $A {LAST}",
        special_tokens=[(name, vocabulary[name]) for name in (FIRST, LAST)],
    )
    tokenizer.add_special_tokens(list(SPECIALS))
    return tokenizer


def spelled_share(tokenizer: Tokenizer, normalized: Sequence[str]) -> float:
    """Return how many of the longer words a vocabulary has no use for: it spells them, or knows none of it.

    In the language that it was made for that is one in a hundred; in another one it is most of them.

    Args:
        tokenizer: of any kind.
        normalized: texts.
    """
    tokenizer.no_truncation()
    texts = list(normalized)
    longer = spelled = 0
    for text, encoding in zip(
        texts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True
    ):
        # A piece may begin with the space before its word.
        begins, ends = zip(*encoding.offsets, strict=True) if encoding.offsets else ((), ())
        for word in re.finditer(rf"\w{{{_LONGER_WORD},}}", text):
            first, last = bisect_right(ends, word.start()), bisect_left(begins, word.end())
            # Marks of a word's beginning are pieces of some vocabularies.
            pieces = [p for p in encoding.tokens[first:last] if p.strip("#\u2581")]
            longer += 1
            known = 0 < len(pieces) * _SPELLED < len(word.group())
            spelled += not known or pieces[0] in _UNKNOWN
    return spelled / max(longer, 1)


def product_forms(known: Collection[str], book: RuleBook | None = None) -> set[str]:
    """Return inflected forms of all words that name a product in the labelling rules.

    Args:
        known: forms outside it are left out: no text is likely to hold them.
        book: the rules; the bundled ones if None.
    """
    found: set[str] = set()
    for rule in (book or load_rules()).rule:
        if rule.tier != "product":
            continue
        for entry in rule.words:
            if entry.endswith("*"):
                continue
            word = entry.rstrip("!")
            found.add(word)
            found.update(form for form in forms(word) if form in known)
    return found
