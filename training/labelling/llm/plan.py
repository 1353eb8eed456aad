"""What asking would cost: the table and the prompt that `--dry-run` shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from stream.settings import LabelSettings
from training.labelling.llm.prompt import ANSWER_TOKENS, estimated_tokens, messages

# A 7B model on one consumer GPU answers such a prompt in about this time; only for the estimate.
_SECONDS_A_CALL: Final = 0.6


@dataclass(frozen=True, slots=True)
class CostPlan:
    """An upper estimate of what a run spends on the LLM."""

    reviews: int
    calls: int
    prompt_tokens: int
    answer_tokens: int
    money: float
    seconds: float
    within_budget: bool


def plan_cost(texts: Sequence[str], settings: LabelSettings) -> CostPlan:
    """Estimate calls, tokens, money and time, every vote cast and none in the cache."""
    distinct = list(dict.fromkeys(texts))
    calls = len(distinct) * settings.llm_samples
    prompt = sum(estimated_tokens(messages(text)) for text in distinct) * settings.llm_samples
    answer = calls * ANSWER_TOKENS
    money = (prompt * settings.llm_price_prompt + answer * settings.llm_price_answer) / 1e6
    seconds = calls * _SECONDS_A_CALL / settings.llm_concurrency
    fits = prompt + answer <= settings.llm_max_tokens
    return CostPlan(len(texts), calls, prompt, answer, money, seconds, fits)
