"""The LLM labeller: several votes a review, a budget, and everything answered once kept for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx
import numpy as np

from schemas import all_categories, category_count
from stream.settings import LabelSettings
from training.errors import BudgetSpent
from training.labelling.llm.answers import AnswerCache, Completion, answer_key
from training.labelling.llm.endpoint import ChatEndpoint, Sleep, Unanswered
from training.labelling.llm.prompt import ANSWER_TOKENS, estimated_tokens, messages, prompt_version
from training.labelling.votes import NOT_ASKED, Distribution, Votes

# Shares of few votes are shrunk as if half a vote had gone astray: three of three is not certainty.
_STRAY: Final = 0.5


@dataclass(slots=True)
class Usage:
    """What a labeller has spent so far; answers from the cache cost nothing."""

    calls: int = 0
    cached: int = 0
    malformed: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    reserved: int = field(default=0, repr=False)

    @property
    def tokens(self) -> int:
        """Tokens that count against the budget, requests in flight included."""
        return self.prompt_tokens + self.answer_tokens + self.reserved

    def money(self, settings: LabelSettings) -> float:
        """Return the cost at the configured prices per million tokens."""
        prompt = self.prompt_tokens * settings.llm_price_prompt
        return (prompt + self.answer_tokens * settings.llm_price_answer) / 1e6


class LlmLabeller:
    """Votes by asking an endpoint; malformed answers and failures are abstentions."""

    def __init__(
        self,
        settings: LabelSettings,
        cache: AnswerCache,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._cache = cache
        self._sleep = sleep
        self._temperature = settings.llm_temperature if settings.llm_samples > 1 else 0.0
        self.usage = Usage()

    @property
    def name(self) -> str:
        """The model's name."""
        return self._settings.llm_model

    def label(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts. Ctrl-C loses nothing: what was answered is in the cache.

        Raises:
            LabellerUnavailable: the endpoint refuses us altogether.
        """
        return asyncio.run(self.label_async(texts))

    def known(self, texts: Sequence[str]) -> Votes:
        """Return votes from the answers on disk alone."""
        probabilities = np.zeros((len(texts), category_count()), dtype=np.float32)
        reasons = []
        for row, text in enumerate(texts):
            keys = (self._key(text, sample) for sample in range(self._settings.llm_samples))
            answers = [answer for key in keys if (answer := self._cache.get(key)) is not None]
            vote, reason = self._summary(answers) if answers else (None, NOT_ASKED)
            if vote is not None:
                probabilities[row] = vote
            reasons.append(reason)
        return Votes(probabilities, tuple(reasons))

    async def label_async(self, texts: Sequence[str]) -> Votes:
        """Vote on normalised texts inside a running event loop; see :meth:`label`."""
        limit = asyncio.Semaphore(self._settings.llm_concurrency)
        timeout = httpx.Timeout(self._settings.llm_timeout, connect=10.0)
        async with httpx.AsyncClient(timeout=timeout) as client:
            endpoint = ChatEndpoint(self._settings, client, self._sleep)

            async def one(text: str) -> tuple[Distribution | None, str]:
                async with limit:
                    return await self._vote(endpoint, text)

            try:
                async with asyncio.TaskGroup() as group:
                    tasks = {text: group.create_task(one(text)) for text in dict.fromkeys(texts)}
            except ExceptionGroup as failures:  # the first refusal cancelled all the others
                raise failures.exceptions[0] from None
        probabilities = np.zeros((len(texts), category_count()), dtype=np.float32)
        reasons = []
        for row, text in enumerate(texts):
            vote, reason = tasks[text].result()
            if vote is not None:
                probabilities[row] = vote
            reasons.append(reason)
        return Votes(probabilities, tuple(reasons))

    async def _vote(self, endpoint: ChatEndpoint, text: str) -> tuple[Distribution | None, str]:
        answers: list[Completion] = []
        for sample in range(self._settings.llm_samples):
            try:
                answers.append(await self._answer(endpoint, text, sample))
            except Unanswered as error:
                self.usage.failed += 1
                return None, f"{self.name} did not answer: {error}"
            except BudgetSpent as error:
                return None, error.message
            if _is_settled(answers, self._settings.llm_samples):
                break
        return self._summary(answers)

    async def _answer(self, endpoint: ChatEndpoint, text: str, sample: int) -> Completion:
        key = self._key(text, sample)
        if (cached := self._cache.get(key)) is not None:
            self.usage.cached += 1
            return cached
        reserve = estimated_tokens(messages(text)) + ANSWER_TOKENS
        if self.usage.tokens + reserve > self._settings.llm_max_tokens:
            raise BudgetSpent(
                f"the budget of {self._settings.llm_max_tokens:,} tokens is spent",
                "raise REVIEWS_LABEL__LLM_MAX_TOKENS and run again: answers so far are kept",
            )
        self.usage.reserved += reserve
        try:
            answer = await endpoint.ask(text, sample, self._temperature)
        finally:
            self.usage.reserved -= reserve
        self.usage.calls += 1
        self.usage.malformed += answer.category is None
        self.usage.prompt_tokens += answer.prompt_tokens or estimated_tokens(messages(text))
        self.usage.answer_tokens += answer.answer_tokens or ANSWER_TOKENS
        self._cache.put(key, answer)
        return answer

    def _key(self, text: str, sample: int) -> str:
        return answer_key(self.name, prompt_version(), self._temperature, sample, text)

    def _summary(self, answers: Sequence[Completion]) -> tuple[Distribution | None, str]:
        valid = [answer for answer in answers if answer.category is not None]
        if not valid:
            return None, f"{self.name} gave no well-formed answer"
        counts = Counter(answer.category for answer in valid)
        best, votes = counts.most_common(1)[0]
        name = all_categories()[best or 0].info.name("en")
        return distribution(valid), f"{self.name}: {votes} of {len(answers)} votes for {name}"


def distribution(answers: Sequence[Completion]) -> Distribution:
    """Return the confidence in several well-formed answers, float32 [categories].

    The mean of the tokens' probabilities where the endpoint gives them, else the shares of votes;
    never a number that the model says about itself.
    """
    rows = []
    for answer in answers:
        if answer.likelihood is not None:
            rows.append(np.array(answer.likelihood))
        else:
            rows.append(np.eye(category_count())[answer.category or 0])
    stray = _STRAY if any(answer.likelihood is None for answer in answers) else 0.0
    shares = np.sum(rows, axis=0) + stray / category_count()
    return np.asarray(shares / shares.sum(), dtype=np.float32)


def _is_settled(answers: Sequence[Completion], samples: int) -> bool:
    """Tell whether the votes still to come cannot change who is first."""
    counts = Counter(a.category for a in answers if a.category is not None).most_common(2)
    if not counts:
        return False
    second = counts[1][1] if len(counts) > 1 else 0
    return counts[0][1] - second > samples - len(answers)
