"""Rules compiled for speed: from a text to the hits of all rules.

Every inflected form of every lemma is laid out in one dictionary, so that a word costs one look-up
and morphology is asked only about words never seen before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from training.words.morphology import (
    RUSSIAN,
    analyse,
    forms,
    keys_of,
    language,
    one_edit_away,
    word_pattern,
)
from training.words.rules import EvidenceRule, RuleBook

# In shorter words one other letter makes another word: "шорты" and "торты".
_FUZZY_LENGTH: Final = 6
# Distinct words kept; a stream of typos must not fill the memory.
_CACHED_WORDS: Final = 200_000
_NEGATIONS: Final = {
    RUSSIAN: frozenset({"не", "ни", "без", "нет"}),
    "en": frozenset({"not", "no", "without", "never", "isn", "don", "doesn", "didn", "nor"}),
}
_COMPARISONS: Final = {
    RUSSIAN: frozenset({"как", "будто", "словно", "типа", "вроде", "вместо", "похоже"}),
    "en": frozenset({"like", "than", "instead"}),
}
_NOTHING: Final[frozenset[str]] = frozenset()
# "так как", "после того как": no comparison.
_BEFORE_CONJUNCTION: Final = frozenset({"так", "того", "тем", "после"})


class Hit(NamedTuple):
    """An entry of a rule found in a text."""

    rule: EvidenceRule
    text: str
    start: int
    end: int


class _Word(NamedTuple):
    rules: tuple[int, ...]
    slots: frozenset[int]
    openings: tuple[int, ...]
    """Those of its slots that a phrase begins with."""
    unexplained_thing: bool


@dataclass(frozen=True, slots=True)
class Hits:
    """All that the rules found in one text."""

    hits: tuple[Hit, ...]
    unexplained: int
    """Words that may name a thing and that no rule knows."""
    words: int


@dataclass(slots=True)
class _Tables:
    rules_of: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    rules_of_prefix: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    slots_of: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    slots_of_prefix: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    phrases_at: dict[tuple[int, int], list[tuple[tuple[int, ...], int]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By the first two slots of a phrase: what must follow, and whose rule it is."""
    opening: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    """By the first slot of a phrase: the second ones."""


class Lexicon:
    """A compiled rule book. Not thread-safe: its word cache is shared."""

    def __init__(self, book: RuleBook) -> None:
        self._tables = _Tables()
        self._slots: dict[str, int] = {}
        self._cache: dict[str, _Word] = {}
        self._rules = book.rule
        self._negatable = [rule.negatable for rule in book.rule]
        # By the pattern: several rules may share one, and it is tried once.
        self._patterns: dict[re.Pattern[str], list[int]] = {}
        self._numbers: dict[re.Pattern[str], list[int]] = {}
        for index, rule in enumerate(book.rule):
            self._add(index, rule)
        tables = self._tables
        self._forms = set(tables.rules_of) | set(tables.slots_of)
        lengths = {len(p) for p in (*tables.rules_of_prefix, *tables.slots_of_prefix)}
        self._prefix_lengths = sorted(lengths)

    def find(self, normalized: str) -> Hits:
        """Return the hits in a normalised text; shielded and negated ones are left out."""
        tokens = [(m.group(), m.start(), m.end()) for m in word_pattern().finditer(normalized)]
        words = [self._look_up(token) for token, _, _ in tokens]
        hits: list[Hit] = []
        for i, (_, start, end) in enumerate(tokens):
            found = [(rule, end) for rule in words[i].rules]
            if words[i].openings:
                found += [(rule, tokens[i + n - 1][2]) for n, rule in self._phrases(words, i)]
            if not found:
                continue
            denied = _is_denied(tokens, i)
            hits += [
                Hit(self._rules[rule], normalized[start:last], start, last)
                for rule, last in found
                if not (denied and self._negatable[rule])
            ]
        hits.extend(self._pattern_hits(normalized))
        return Hits(_outside_shields(hits), sum(w.unexplained_thing for w in words), len(words))

    def _add(self, index: int, rule: EvidenceRule) -> None:
        tables = self._tables
        for entry in rule.words:
            if entry.endswith("*"):
                tables.rules_of_prefix[entry[:-1]].add(index)
            else:
                for form in _forms(entry):
                    tables.rules_of[form].add(index)
        for phrase in rule.phrases:
            first, second, *rest = (self._slot(entry) for entry in phrase.split())
            tables.opening[first].add(second)
            tables.phrases_at[first, second].append((tuple(rest), index))
        for table, patterns in ((self._patterns, rule.patterns), (self._numbers, rule.numbers)):
            for pattern in patterns:
                table.setdefault(re.compile(pattern), []).append(index)

    def _slot(self, entry: str) -> int:
        if entry not in self._slots:
            slot = self._slots[entry] = len(self._slots)
            if entry.endswith("*"):
                self._tables.slots_of_prefix[entry[:-1]].add(slot)
            else:
                for form in _forms(entry):
                    self._tables.slots_of[form].add(slot)
        return self._slots[entry]

    def _phrases(self, words: list[_Word], i: int) -> Iterator[tuple[int, int]]:
        if i + 1 == len(words):
            return
        for first in words[i].openings:
            for second in self._tables.opening[first] & words[i + 1].slots:
                for rest, rule in self._tables.phrases_at[first, second]:
                    following = words[i + 2 : i + 2 + len(rest)]
                    if len(following) == len(rest) and all(
                        slot in word.slots for slot, word in zip(rest, following, strict=True)
                    ):
                        yield len(rest) + 2, rule

    def _pattern_hits(self, normalized: str) -> Iterator[Hit]:
        tables = [self._patterns]
        if any(map(str.isdigit, normalized)):
            tables.append(self._numbers)
        for table in tables:
            for pattern, rules in table.items():
                for match in pattern.finditer(normalized):
                    for rule in rules:
                        yield Hit(self._rules[rule], match.group(), match.start(), match.end())

    def _look_up(self, token: str) -> _Word:
        word = self._cache.get(token)
        if word is None:
            if len(self._cache) >= _CACHED_WORDS:
                self._cache.clear()
            word = self._cache[token] = self._analyse(token)
        return word

    def _analyse(self, token: str) -> _Word:
        word = self._entries(token)
        if word.rules or word.slots or token.isdigit() or len(token) < 3:  # noqa: PLR2004 - particles
            return word
        analysis = analyse(token)
        if not analysis.known:
            if len(token) >= _FUZZY_LENGTH and language() == RUSSIAN:
                for candidate in one_edit_away(token):
                    if candidate in self._forms:
                        return self._entries(candidate)
            for lemma in analysis.lemmas:
                if lemma in self._forms:
                    return self._entries(lemma)
        return _Word((), frozenset(), (), analysis.may_name_a_thing)

    def _entries(self, form: str) -> _Word:
        tables = self._tables
        rules: set[int] = set()
        slots: set[int] = set()
        for key in keys_of(form):
            rules |= tables.rules_of.get(key, set())
            slots |= tables.slots_of.get(key, set())
        for length in self._prefix_lengths:
            if length > len(form):
                break
            rules |= tables.rules_of_prefix.get(form[:length], set())
            slots |= tables.slots_of_prefix.get(form[:length], set())
        openings = tuple(sorted(slots & tables.opening.keys()))
        return _Word(tuple(sorted(rules)), frozenset(slots), openings, unexplained_thing=False)


def _is_denied(tokens: list[tuple[str, int, int]], i: int) -> bool:
    """Tell whether the word is negated, or only what the product is compared with."""
    if i and tokens[i - 1][0] in _NEGATIONS.get(language(), _NOTHING):
        return True
    comparisons = _COMPARISONS.get(language(), _NOTHING)
    for j in range(max(0, i - 2), i):
        compared = tokens[j][0] in comparisons
        if compared and not (j and tokens[j - 1][0] in _BEFORE_CONJUNCTION):
            return True
    return False


def _forms(entry: str) -> frozenset[str]:
    return frozenset({entry[:-1].replace("ё", "е")}) if entry.endswith("!") else forms(entry)


def _outside_shields(hits: list[Hit]) -> tuple[Hit, ...]:
    shields = [hit for hit in hits if hit.rule.tier == "shield"]
    if not shields:
        return tuple(hits)
    return tuple(
        hit
        for hit in hits
        if hit.rule.tier != "shield" and not any(s.start <= hit.start < s.end for s in shields)
    )
