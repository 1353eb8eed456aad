"""One answer of an LLM, and the file that keeps every answer so that a run can be resumed."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from training.errors import DataError

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model said to one request.

    Attributes:
        category: id, None if the answer was not what was asked for.
        likelihood: the model's probability of each id 0 to 8 at the place where it wrote the id,
            from the tokens' log-probabilities; None where the endpoint gives none.
        prompt_tokens: as billed.
        answer_tokens: as billed.
    """

    category: int | None
    likelihood: tuple[float, ...] | None = None
    prompt_tokens: int = 0
    answer_tokens: int = 0


class AnswerCache:
    """Answers on disk, by everything that they depend on. Safe to kill at any time."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise DataError(
                f"the answers in {path} cannot be opened: {error}",
                "move the file away, or set REVIEWS_LABEL__LLM_CACHE",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, key: str) -> Completion | None:
        """Return the answer under this key."""
        found = self._database.execute(
            "SELECT answer FROM answers WHERE key = ?", (key,)
        ).fetchone()
        if found is None:
            return None
        fields = json.loads(found[0])
        likelihood = fields.pop("likelihood")
        return Completion(**fields, likelihood=tuple(likelihood) if likelihood else None)

    def put(self, key: str, answer: Completion) -> None:
        """Keep an answer at once: the next line of the run may be a power cut."""
        row = (key, json.dumps(asdict(answer)))
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", row)

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def answer_key(*parts: object) -> str:
    """Return the key of an answer: a digest of all that it depends on."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()
