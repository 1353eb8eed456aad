"""Records of annotation tools as plain ones: Label Studio, doccano, Prodigy, Argilla.

Each wraps a text and what people said of it in its own way. Here the text's own fields come out, with
what was decided in the field :data:`LABEL`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

LABEL: Final = "label"
_NONE: Final[tuple[str, ...]] = ()


def plain_record(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without a tool's wrapping; any other record as it is."""
    if isinstance(record.get("data"), dict) and (
        "annotations" in record or "completions" in record
    ):
        return _of_label_studio(record)
    if isinstance(record.get("fields"), dict) and ("responses" in record or "status" in record):
        return _of_argilla(record)
    if "annotation" in record and "prediction" in record and "text" in record:
        return {**record, LABEL: record["annotation"]}  # Argilla before 2.0
    if "_task_hash" in record or "_input_hash" in record:
        return _of_prodigy(record)
    return record


def said_labels(value: object) -> tuple[str, ...]:
    """Return the labels that a value holds: a text, a number, a list, or Label Studio's choices.

    >>> said_labels('{"choices": ["обувь"]}'), said_labels(["clothing"]), said_labels(None)
    (('обувь',), ('clothing',), ())
    """
    if isinstance(value, str):
        text = value.strip()
        if text[:1] in {"{", "["}:
            try:
                return said_labels(json.loads(text))
            except (ValueError, RecursionError):
                return (text,)
        return (text,) if text else _NONE
    if isinstance(value, Mapping):
        return said_labels(value.get("choices") or value.get("value") or value.get("label"))
    if isinstance(value, Sequence):
        return tuple(label for each in value for label in said_labels(each))
    return _NONE if value is None or isinstance(value, bool) else (str(value),)


def latest_choice(task: Mapping[str, Any]) -> tuple[object, Mapping[str, Any]]:
    """Return what the latest annotation of a task of Label Studio chose, and the annotation."""
    annotations = _dicts(task.get("annotations") or task.get("completions"))
    valid = [each for each in annotations if not each.get("was_cancelled")]
    for annotation in sorted(valid, key=_created_at, reverse=True):
        for result in _dicts(annotation.get("result")):
            value = result.get("value")
            if isinstance(value, dict) and value.get("choices"):
                return value["choices"], annotation
    return None, {}


def _of_label_studio(task: dict[str, Any]) -> dict[str, Any]:
    chosen, annotation = latest_choice(task)
    own = {name: value for name, value in task.items() if name in {"id", "inner_id"}}
    data: dict[str, Any] = task["data"]
    # The task's number is no name of the review where the review has one.
    rest = {} if {"id", "review_id"} & data.keys() else own
    return {**rest, **data, LABEL: chosen, "lead_time": annotation.get("lead_time")}


def _of_argilla(record: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in record.items() if name in {"id", "external_id"}}
    return {**rest, **record["fields"], LABEL: _answers(record.get("responses"))}


def _answers(responses: object) -> list[Any]:
    """Return what people submitted: by question, or by person and question."""
    if isinstance(responses, dict):
        given = [each for answers in responses.values() for each in _dicts(answers)]
    else:
        given = [
            {**answer, "status": each.get("status")}
            for each in _dicts(responses)
            for answer in _dicts(list((each.get("values") or {}).values()))
        ]
    said = [each.get("value") for each in given if each.get("status") in {None, "submitted"}]
    return list(dict.fromkeys(each for each in said if isinstance(each, str)))


def _of_prodigy(task: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in task.items() if not name.startswith("_")}
    if task.get("answer") not in {None, "accept"}:
        return {**rest, LABEL: None}
    return {**rest, LABEL: task["accept"]} if "accept" in task else rest


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _created_at(annotation: Mapping[str, Any]) -> str:
    found = annotation.get("created_at")
    return found if isinstance(found, str) else ""
