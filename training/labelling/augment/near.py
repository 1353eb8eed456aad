"""Near-duplicates by exact comparison over an inverted index of letter trigrams."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from stream.queue.similarity import shingles


class NearTexts:
    """Texts that a candidate must not be near to.

    Args:
        likeness: Jaccard similarity of trigrams from which two texts are the same thing said twice.
        texts: normalised.
    """

    def __init__(self, likeness: float, texts: Iterable[str] = ()) -> None:
        self._likeness = likeness
        self._sizes: list[int] = []
        self._holders: dict[str, list[int]] = defaultdict(list)
        for text in texts:
            self.add(text)

    def add(self, normalized: str) -> None:
        """Take a text in."""
        parts = shingles(normalized)
        for part in parts:
            self._holders[part].append(len(self._sizes))
        self._sizes.append(len(parts))

    def near(self, normalized: str) -> bool:
        """Tell whether a text is near to one of them.

        >>> seen = NearTexts(0.8, ["чайник шумит и течет"])
        >>> seen.near("Чайник, шумит и течет!".lower()), seen.near("чайник молчит")
        (True, False)
        """
        parts = shingles(normalized)
        shared = Counter(row for part in parts for row in self._holders.get(part, ()))
        return any(
            common >= self._likeness * (len(parts) + self._sizes[row] - common)
            for row, common in shared.items()
        )
