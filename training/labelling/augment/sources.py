"""Who writes candidates: templates that a person edits, or the configured LLM."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import numpy as np

from schemas import Category, active_taxonomy, all_categories
from stream.settings import LabelSettings
from training.errors import BudgetSpent
from training.labelling.llm.endpoint import ChatEndpoint, Unanswered, response_format
from training.labelling.llm.prompt import codebook, estimated_tokens
from training.labelling.llm.voter import Usage
from training.words.templates import Templates, bundled_templates, sentences

_FIELD: Final = "reviews"
_SYSTEM: Final = """You write made-up examples to train a classifier that sorts {task}.

{codebook}
Write as the people do whose texts are sorted: short, mostly without a full stop, some with slips, some \
content, some cross, each about another thing. Every text must belong to the category that the user names, by these \
rules.
Answer with JSON only: {{"{field}": ["...", "..."]}}."""
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {_FIELD: {"type": "array", "items": {"type": "string"}}},
    "required": [_FIELD],
    "additionalProperties": False,
}
# A review is rarely longer; an answer that runs on is cut and then malformed, which costs one call.
_TOKENS_A_REVIEW: Final = 80
# Above what classifying wants: sameness is what makes generated reviews useless.
_TEMPERATURE: Final = 1.0
_MOST_CHARS: Final = 600


class CandidateSource(Protocol):
    """Anything that writes candidates."""

    @property
    def name(self) -> str:
        """Said of every review that it wrote."""

    @property
    def batch(self) -> int:
        """How many it is best asked for at a time."""

    def write(self, category: Category, count: int, turn: int) -> list[str]:
        """Write about ``count`` candidates for a category.

        Args:
            category: that they should belong to.
            count: how many.
            turn: number of the request; another one gives others.

        Raises:
            BudgetSpent: it may spend no more.
            LabellerUnavailable: it refuses us altogether.
        """


class TemplateSource:
    """Sentences from ``products.toml`` and ``templates.toml``, the bundled ones or one's own."""

    name = "templates"
    batch = 64

    def __init__(self, folder: Path | None = None, seed: int = 0) -> None:
        """Read the templates.

        Raises:
            RulesError: a file is absent or wrong.
        """
        self._templates = bundled_templates() if folder is None else Templates.load(folder)
        self._seed = seed

    def write(self, category: Category, count: int, turn: int) -> list[str]:
        """Compose sentences."""
        rng = np.random.default_rng((self._seed, category.id, turn))
        return sentences(category, count, rng, self._templates)


class LlmSource:
    """Asks the endpoint that the settings name. A malformed answer is no candidates."""

    batch = 20

    def __init__(self, settings: LabelSettings) -> None:
        self._settings = settings
        self.usage = Usage()

    @property
    def name(self) -> str:
        """The model's name."""
        return self._settings.llm_model

    def write(self, category: Category, count: int, turn: int) -> list[str]:
        """Ask for reviews; see :meth:`CandidateSource.write`."""
        if self.usage.tokens + count * _TOKENS_A_REVIEW > self._settings.llm_max_tokens:
            raise BudgetSpent(
                f"the budget of {self._settings.llm_max_tokens:,} tokens is spent",
                "raise REVIEWS_LABEL__LLM_MAX_TOKENS and run again: what is kept is kept",
            )
        return asyncio.run(self._ask(self.request(category, count, turn)))

    def cost(self, requests: int) -> tuple[int, int, float]:
        """Estimate prompt tokens, most answer tokens, and money for so many whole batches."""
        messages = self.request(all_categories()[0], self.batch, 0)["messages"]
        prompt = requests * estimated_tokens(messages)
        answer = requests * self.batch * _TOKENS_A_REVIEW
        prices = self._settings.llm_price_prompt, self._settings.llm_price_answer
        return prompt, answer, (prompt * prices[0] + answer * prices[1]) / 1e6

    def request(self, category: Category, count: int, turn: int) -> dict[str, Any]:
        """Return the body of the request, without the model."""
        wish = {"category": category.id, "name": category.info.name("en"), "count": count}
        return {
            "messages": [
                {
                    "role": "system",
                    "content": _SYSTEM.format(
                        task=active_taxonomy().task, codebook=codebook(), field=_FIELD
                    ),
                },
                {"role": "user", "content": json.dumps(wish)},
            ],
            "max_tokens": count * _TOKENS_A_REVIEW,
            "temperature": _TEMPERATURE,
            "seed": turn,
            **response_format(self._settings, _FIELD, _SCHEMA),
        }

    async def _ask(self, body: dict[str, Any]) -> list[str]:
        timeout = httpx.Timeout(self._settings.llm_timeout, connect=10.0)
        async with httpx.AsyncClient(timeout=timeout) as client:
            try:
                reply = await ChatEndpoint(self._settings, client).complete(body)
            except Unanswered:
                self.usage.failed += 1
                return []
        self.usage.calls += 1
        # Whoever does not count is taken to have said all that it might.
        self.usage.prompt_tokens += reply.prompt_tokens or estimated_tokens(body["messages"])
        self.usage.answer_tokens += reply.answer_tokens or int(body["max_tokens"])
        reviews = parse_reviews(reply.content)
        self.usage.malformed += not reviews
        return reviews


def parse_reviews(content: str) -> list[str]:
    """Return the reviews in an answer; none unless it has the form that was asked for.

    >>> parse_reviews('{"reviews": ["чайник потек", 7, ""]}')
    ['чайник потек']
    >>> parse_reviews("Here you are: чайник потек")
    []
    """
    try:
        answer = json.loads(content)
    except json.JSONDecodeError:
        return []
    if not isinstance(answer, dict) or not isinstance(answer.get(_FIELD), list):
        return []
    texts = [text.strip() for text in answer[_FIELD] if isinstance(text, str)]
    return [text for text in texts if 0 < len(text) <= _MOST_CHARS]
