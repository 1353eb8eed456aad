"""A property-based tester of HTTP interfaces: whatever is sent, the answer is one that is described.

Schemathesis makes requests that fit an OpenAPI document and requests that nearly do. Beside them go
bodies that JSON can hold and nobody expects: numbers without measure, NaN, halves of characters.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Self

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

_CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_SECONDS: Final = 60.0
"""For one answer. It only bounds a failure."""
_ODD: Final = st.sampled_from(
    [
        10**400,
        -(10**400),
        1e308,
        float("nan"),
        float("inf"),
        "\ud800",
        "\0",
        "a" * 5000,
        "\u202e",
        "",
    ]
)
_VALUES: Final = st.recursive(
    _ODD | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@dataclass
class Findings:
    """What a run asked, what it was answered, and what was wrong with that."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By operation and status."""
    faults: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.answers.values())

    def __iadd__(self, other: Findings) -> Self:
        """Take another run's findings in."""
        self.answers += other.answers
        self.faults += other.faults
        return self


def document_of(url: str) -> Mapping[str, Any]:
    """Return the document that an interface publishes beside its paths."""
    document: Mapping[str, Any] = requests.get(f"{url}/openapi.json", timeout=_SECONDS).json()
    return document


def examine(
    document: Mapping[str, Any],
    url: str,
    examples: int,
    headers: Mapping[str, str] | None = None,
    *,
    only: Callable[[str], bool] = lambda _: True,
) -> Findings:
    """Ask every operation of a document, and hold the answers against it.

    Args:
        document: OpenAPI.
        url: where its paths begin.
        examples: of each kind of request for each operation.
        headers: sent with every request, a token for example.
        only: which operations, by ``METHOD /path``.
    """
    schema = schemathesis.openapi.from_dict(dict(document))
    findings = Findings()
    with requests.Session() as session:
        asking = _Asking(session, url, dict(headers or {}), examples, findings)
        for found in schema.get_all_operations():
            operation = found.ok()
            if not only(operation.label):
                continue
            for mode in GenerationMode:
                asking.cases(operation, mode)
            if "application/json" in _bodies(document, operation):
                asking.odd_bodies(operation, document)
    return findings


@dataclass
class _Asking:
    session: requests.Session
    url: str
    headers: dict[str, str]
    examples: int
    findings: Findings

    def cases(self, operation: Any, mode: GenerationMode) -> None:
        @self._many
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            # One operation's answer must not be another's session.
            self.session.cookies.clear()
            answer = case.call(
                base_url=self.url, session=self.session, headers=self.headers, timeout=_SECONDS
            )
            self.findings.answers[operation.label, answer.status_code] += 1
            try:
                case.validate_response(answer, checks=_CHECKS)
            except (Failure, FailureGroup) as failure:
                self._fault(operation.label, failure, case.as_curl_command())

        # Where any text will do, nothing can be wrong.
        with suppress(Unsatisfiable):
            ask()

    def odd_bodies(self, operation: Any, document: Mapping[str, Any]) -> None:
        names = st.sampled_from(sorted(_names(document)))
        described = {int(status) for status in operation.definition.raw["responses"]}

        @self._many
        @given(body=_VALUES | st.dictionaries(names, _VALUES, max_size=5))
        def ask(body: Any) -> None:
            content = json.dumps(body)
            answer = self.session.request(
                operation.method,
                self.url + operation.path,
                data=content,
                headers={**self.headers, "Content-Type": "application/json"},
                timeout=_SECONDS,
            )
            self.findings.answers[operation.label, answer.status_code] += 1
            if answer.status_code >= 500 or answer.status_code not in described:
                self._fault(operation.label, f"answered {answer.status_code}", content)

        ask()

    def _many(self, test: Callable[[], None]) -> Callable[[], None]:
        return settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(test)

    def _fault(self, label: str, what: object, how: str) -> None:
        self.findings.faults.append(f"{label}: {what}\n{how[:500]}")


def _bodies(document: Mapping[str, Any], operation: Any) -> Mapping[str, Any]:
    described = document["paths"][operation.path][operation.method]
    content: Mapping[str, Any] = described.get("requestBody", {}).get("content", {})
    return content


def _names(described: Any) -> Iterator[str]:
    """Yield the names of all fields that a document's schemas know."""
    if isinstance(described, Mapping):
        for key, value in described.items():
            if key == "properties":
                yield from value
            yield from _names(value)
    elif isinstance(described, list):
        for value in described:
            yield from _names(value)
