"""One request to an OpenAI-compatible chat endpoint (vLLM, Ollama, llama.cpp, and hosted ones)."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from schemas import category_count
from stream.settings import LabelSettings
from training.errors import LabellerUnavailable
from training.labelling.llm.answers import Completion
from training.labelling.llm.prompt import ANSWER_TOKENS, answer_schema, messages, parse_answer

# Worth another try: time-outs, rate limits, and a server that stumbles. All else stays as it is.
_RETRIED: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_REFUSED: Final = {
    401: "set REVIEWS_LABEL__LLM_API_KEY",
    403: "set REVIEWS_LABEL__LLM_API_KEY to a key that may use this model",
    404: "check REVIEWS_LABEL__LLM_URL (up to /v1) and REVIEWS_LABEL__LLM_MODEL",
}
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
# What endpoints give at most.
_MOST_ALTERNATIVES: Final = 20
_ONE_DIGIT: Final = 10
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

Sleep = Callable[[float], Awaitable[None]]


class Unanswered(Exception):
    """A request that got no usable reply, after all attempts; the next review may do better."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A chat completion: what was said, the whole choice, and the tokens as billed."""

    content: str
    choice: dict[str, Any]
    prompt_tokens: int
    answer_tokens: int


class ChatEndpoint:
    """Asks about one review at a time, with retries. Use it inside one event loop."""

    def __init__(
        self, settings: LabelSettings, client: httpx.AsyncClient, sleep: Sleep = asyncio.sleep
    ) -> None:
        if settings.llm_url is None:
            raise LabellerUnavailable(
                "no LLM endpoint is set",
                "set REVIEWS_LABEL__LLM_URL, e.g. http://127.0.0.1:8000/v1",
            )
        self._url = settings.llm_url.rstrip("/") + "/chat/completions"
        self._settings = settings
        self._client = client
        self._sleep = sleep
        self._headers = _authorization(settings)

    async def ask(self, text: str, sample: int, temperature: float) -> Completion:
        """Ask for the category of one normalised review.

        Args:
            text: the review.
            sample: number of the vote; it seeds the sampling.
            temperature: of the sampling.

        Raises:
            Unanswered: the endpoint failed on this review, also when asked again.
            LabellerUnavailable: it refuses us altogether.
        """
        reply = await self.complete(self._body(text, sample, temperature))
        return Completion(
            parse_answer(reply.content),
            _likelihood(reply.choice),
            reply.prompt_tokens,
            reply.answer_tokens,
        )

    async def complete(self, body: dict[str, Any]) -> Reply:
        """Post a chat request, again where that may help.

        Args:
            body: of the request, without the model.

        Raises:
            Unanswered: it failed, also when asked again.
            LabellerUnavailable: the endpoint refuses us altogether.
        """
        body = {"model": self._settings.llm_model, **body}
        for attempt in range(1, self._settings.llm_attempts + 1):
            last = attempt == self._settings.llm_attempts
            try:
                response = await self._client.post(self._url, json=body, headers=self._headers)
            except httpx.TransportError as error:
                if last:
                    raise Unanswered(f"{type(error).__name__} {error}".strip()) from None
                await self._sleep(_pause(attempt, None))
                continue
            if response.status_code not in _RETRIED:
                return self._read(response)
            if last:
                raise Unanswered(f"HTTP {response.status_code}")
            await self._sleep(_pause(attempt, response.headers.get("retry-after")))
        raise Unanswered("no attempt was allowed")

    def _body(self, text: str, sample: int, temperature: float) -> dict[str, Any]:
        body: dict[str, Any] = {
            "messages": messages(text),
            "max_tokens": ANSWER_TOKENS,
            "temperature": temperature,
            "seed": sample,
            "logprobs": True,
            "top_logprobs": min(category_count(), _MOST_ALTERNATIVES),
        }
        return body | response_format(self._settings, "category", answer_schema())

    def _read(self, response: httpx.Response) -> Reply:
        if response.status_code in _REFUSED:
            raise LabellerUnavailable(
                f"the LLM endpoint answers HTTP {response.status_code}",
                _REFUSED[response.status_code],
            )
        if not response.is_success:
            raise Unanswered(f"HTTP {response.status_code}: {response.text[:200]}")
        try:
            reply = response.json()
            choice = reply["choices"][0]
            content = choice["message"]["content"] or ""
            usage = reply.get("usage") or {}
            tokens = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise Unanswered("the reply is not a chat completion") from None
        return Reply(str(content), choice, *tokens)


def response_format(
    settings: LabelSettings, name: str, schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what makes an endpoint answer with JSON, in the way that the settings say."""
    if settings.llm_structured == "off":
        return {}
    if settings.llm_structured == "json_object":
        return {"response_format": {"type": "json_object"}}
    named = {"name": name, "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _authorization(settings: LabelSettings) -> dict[str, str]:
    if settings.llm_api_key is None:
        return {}
    url = urlsplit(settings.llm_url or "")
    if url.scheme != "https" and url.hostname not in _LOOPBACK:
        raise LabellerUnavailable(
            "an API key is not sent over plain http", "give REVIEWS_LABEL__LLM_URL as https://"
        )
    return {"Authorization": f"Bearer {settings.llm_api_key.get_secret_value()}"}


def _pause(attempt: int, retry_after: str | None) -> float:
    """Return seconds to wait: what the server asks for, else doubling, with jitter."""
    if retry_after is not None and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_PAUSE)
    longest = min(_FIRST_PAUSE * 2 ** (attempt - 1), _LONGEST_PAUSE)
    return random.uniform(longest / 2, longest)  # noqa: S311 - spreads retries, guards nothing


def _likelihood(choice: dict[str, Any]) -> tuple[float, ...] | None:
    """Return the probabilities of the ids at the token that holds the answer's digit.

    None where ids have more digits: one token does not tell them apart.
    """
    if category_count() > _ONE_DIGIT:
        return None
    try:
        for token in choice["logprobs"]["content"]:
            if _id_of(token) is not None:
                return _at_token(token["top_logprobs"])
    except (KeyError, TypeError, AttributeError):
        return None
    return None


def _id_of(token: dict[str, Any]) -> int | None:
    digit = str(token["token"]).strip(' ":}')
    known = len(digit) == 1 and digit in "0123456789" and int(digit) < category_count()
    return int(digit) if known else None


def _at_token(alternatives: list[dict[str, Any]]) -> tuple[float, ...] | None:
    weights = [0.0] * category_count()
    for alternative in alternatives:
        if (found := _id_of(alternative)) is not None:
            weights[found] += math.exp(float(alternative["logprob"]))
    total = sum(weights)
    return tuple(weight / total for weight in weights) if total > 0 else None
