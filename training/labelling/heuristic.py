"""The heuristic labeller: lemma rules with weights, negations and the codebook's precedence.

The words are in ``rules.toml``; here is only what the codebook says about which evidence wins.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from schemas import Category, active_taxonomy, category_count
from training.labelling.lexicon import Hit, Hits, Lexicon
from training.labelling.votes import Votes
from training.words.rules import Tier, load_rules

_INDIRECT: Final[tuple[Tier, ...]] = ("part", "worn", "cloth")
_GARMENT_TIERS: Final[frozenset[Tier]] = frozenset({"product", "part", "worn", "cloth"})

# Each further hit of a rule says less than the first; after three it says nothing new.
_REPEAT: Final = 0.3
_REPEATS: Final = 3
# The first product named wins a tie (codebook rule 1).
_FIRST_NAMED: Final = 1.0
# Size, fit and cloth are also said of hats, shoes and bed linen: next to another named product
# they barely speak for a garment.
_BESIDE_NAMED: Final = 0.2
# Said to be for a child wins over the product named (rule 2): barely if it is said once, since "it
# fits a child" is a common complaint about size, surely if it is said again.
_CHILD_ONCE: Final = 0.7
_CHILD_WEIGHT: Final = 6.0
_CHILD_AGAIN: Final = 0.8
_NOTHING_SAID: Final = 2.0
_GENERAL_WORD: Final = 0.25
_GENERAL_MOST: Final = 2.0
# A noun that no rule knows may be the product.
_UNEXPLAINED: Final = 0.8
_UNEXPLAINED_MOST: Final = 3
# No word at all: codebook rule 6.
_EMPTY: Final = 2.0
_SHOWN: Final = 4


@dataclass(slots=True)
class _Evidence:
    """Weights of one text by category and tier, and the words behind them."""

    weights: dict[tuple[int, Tier], float] = field(default_factory=lambda: defaultdict(float))
    words: dict[tuple[int, Tier], list[str]] = field(default_factory=lambda: defaultdict(list))
    first_named: int | None = None
    general: int = 0
    unexplained: int = 0
    empty: bool = False

    def of_tier(self, tier: Tier) -> float:
        return sum(weight for (_, of), weight in self.weights.items() if of == tier)

    def get(self, category: int, *tiers: Tier) -> float:
        return sum(self.weights.get((category, tier), 0.0) for tier in tiers)


class HeuristicLabeller:
    """Votes by rules; abstains where no rule speaks and an unknown noun may be the product."""

    name = "heuristic"

    def __init__(self, lexicon: Lexicon, indirect: Category | None = None) -> None:
        """Keep compiled rules.

        Args:
            lexicon: the rules.
            indirect: the category that parts, size and fit, and material speak for.
        """
        self._lexicon = lexicon
        self._indirect = indirect

    @classmethod
    def load(cls, path: Path | None = None) -> HeuristicLabeller:
        """Read and compile a rule file, the active taxonomy's unless another is named.

        Raises:
            LabellerUnavailable: the taxonomy has no rules.
            RulesError: the file is absent or a rule in it is wrong.
        """
        book = load_rules(path)
        return cls(Lexicon(book), book.indirect)

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts."""
        scores = np.zeros((len(texts), category_count()), dtype=np.float64)
        silent = np.zeros(len(texts), dtype=np.bool_)
        none = active_taxonomy().none_id
        reasons = []
        for row, text in enumerate(texts):
            evidence = _weigh(self._lexicon.find(text), self._indirect)
            scores[row] = _scores(evidence, self._indirect)
            silent[row] = not evidence.weights and (
                none is None or bool(evidence.unexplained and not evidence.general)
            )
            reasons.append(_reason(evidence, int(scores[row].argmax())))
        scores -= scores.max(axis=1, keepdims=True)
        probabilities = np.exp(scores)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        probabilities[silent] = 0
        return Votes(probabilities.astype(np.float32), tuple(reasons))

    def spoken_of(self, text: str) -> frozenset[int]:
        """Return the numbers of the categories that any rule finds in a normalised text."""
        evidence = _weigh(self._lexicon.find(text), self._indirect)
        return frozenset(
            category for (category, _), weight in evidence.weights.items() if weight > 0
        )


def _weigh(found: Hits, indirect: Category | None) -> _Evidence:
    """Add up the hits of one text."""
    evidence = _Evidence(unexplained=found.unexplained, empty=not found.words)
    hits = _without_false_friends(found.hits, indirect)
    repeats = Counter[str]()
    seen: set[tuple[str, int]] = set()
    first = None
    for hit in hits:
        rule = hit.rule
        if rule.category is None or (rule.id, hit.start) in seen:
            continue
        seen.add((rule.id, hit.start))
        if rule.tier == "general":
            evidence.general += rule.weight > 0
            continue
        key = (rule.category.id, rule.tier)
        share = 1.0 if not repeats[rule.id] else _REPEAT
        if repeats[rule.id] <= _REPEATS:
            evidence.weights[key] += rule.weight * share
            evidence.words[key].append(hit.text)
        repeats[rule.id] += 1
        if rule.tier == "product" and (first is None or hit.start < first.start):
            first = hit
    if first is not None and first.rule.category is not None:
        evidence.first_named = first.rule.category.id
    return evidence


def _without_false_friends(hits: Sequence[Hit], indirect: Category | None) -> list[Hit]:
    """Drop weak hits where what is spoken of indirectly speaks elsewhere in the text."""
    if not any(hit.rule.weak for hit in hits):
        return list(hits)
    weak = [(hit.start, hit.end) for hit in hits if hit.rule.weak]

    def speaks(tiers: Iterable[Tier]) -> bool:
        return any(
            hit.rule.category == indirect
            and hit.rule.tier in tiers
            and not any(start <= hit.start < end for start, end in weak)
            for hit in hits
        )

    void = {"named": speaks(("product", "part")), "garment": speaks(_GARMENT_TIERS)}
    return [hit for hit in hits if not (hit.rule.weak and void[hit.rule.weak])]


def _scores(evidence: _Evidence, indirect: Category | None) -> list[float]:
    """Return the log-scale score of each category, by the codebook's precedence."""
    none = active_taxonomy().none_id
    scores = [evidence.get(c, "product", "hint") for c in range(category_count())]
    if evidence.first_named is not None:
        scores[evidence.first_named] += _FIRST_NAMED
    if indirect is not None:
        scores[indirect.id] += _indirectly(evidence, indirect.id)
    for claiming in {category for category, tier in evidence.weights if tier == "child"}:
        child = evidence.get(claiming, "child")
        again = _CHILD_AGAIN * (child - _CHILD_WEIGHT)
        scores[claiming] = max(scores) + _CHILD_ONCE + again - evidence.of_tier("adult")
    if none is not None:
        # What belongs to no other category can be named as well.
        scores[none] = max(scores[none], _nothing_said(evidence))
    return scores


def _indirectly(evidence: _Evidence, category: int) -> float:
    """Return what parts, size, fit and material say for the category that they speak for."""
    others = (c for c in range(category_count()) if c != category)
    rival = max((evidence.get(c, "product") for c in others), default=0.0)
    named = evidence.get(category, "product")
    return evidence.get(category, *_INDIRECT) * (
        _BESIDE_NAMED if rival and not named else 0.5 if named else 1.0
    )


def _nothing_said(evidence: _Evidence) -> float:
    """Return the score of "no product": what remains when no word speaks of one."""
    score = _NOTHING_SAID
    if not evidence.weights:
        score += min(_GENERAL_MOST, _GENERAL_WORD * evidence.general)
        score += _EMPTY if evidence.empty else 0.0
    return score - _UNEXPLAINED * min(evidence.unexplained, _UNEXPLAINED_MOST)


def _reason(evidence: _Evidence, choice: int) -> str:
    """Say in one line which words decided."""
    parts = [
        f"{tier}: {', '.join(dict.fromkeys(words[:_SHOWN]))}"
        for (category, tier), words in evidence.words.items()
        if category == choice
    ]
    if parts:
        return "; ".join(parts)
    if choice == active_taxonomy().none_id and evidence.general:
        return f"no product named; {evidence.general} words of delivery or praise"
    return "nothing that a rule knows"
