"""Today's events against the schemas that were last released: old readers and old events go on.

A release copies ``schemas/generated`` to ``schemas/released/vN`` (see deploy/docs/upgrades.md);
those copies are never edited.
"""

import copy
import json
from pathlib import Path

import pytest

from schemas.events import EVENTS
from schemas.generate import json_schema

RELEASED = Path(__file__).parents[3] / "schemas" / "released"
VERSIONS = sorted(folder.name for folder in RELEASED.iterdir())
# An event that a version did not have yet has nothing to be compatible with.
PAIRS = [
    pytest.param(json.loads(file.read_text("utf-8")), event, id=f"{version}-{event.__name__}")
    for version in VERSIONS
    for event in EVENTS
    for file in (RELEASED / version).glob(f"{event.__name__}.v*.json")
]
_LIMITS = {"minimum": 1, "minLength": 1, "minItems": 1, "maximum": -1, "maxLength": -1}


def breaks(old, new):
    """Return every way in which new breaks what was valid, or was promised, under old."""
    return list(_breaks(old, new, old, new, "$"))


def _breaks(old, new, old_root, new_root, where):
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if (old_types := _types(old, old_root)) != (new_types := _types(new, new_root)):
        yield f"{where}: {sorted(old_types)} became {sorted(new_types)}"
        return
    yield from (f"{where}: {name} is newly required" for name in _newly_required(old, new))
    gone = set(old.get("properties", {})) - set(new.get("properties", {}))
    yield from (f"{where}: {name} is gone" for name in sorted(gone))
    yield from (f"{where}: {x} is no longer taken" for x in _values(old) - _values(new))
    if added := _values(new) - _values(old):
        yield f"{where}: old readers do not know {sorted(map(str, added))}"
    for name, sign in _LIMITS.items():
        if name in new and (name not in old or sign * new[name] > sign * old[name]):
            yield f"{where}: {name} is narrower"
    if new.get("pattern") != old.get("pattern"):
        yield f"{where}: the pattern changed"
    for name in set(old.get("properties", {})) & set(new.get("properties", {})):
        inner = (old["properties"][name], new["properties"][name])
        yield from _breaks(*inner, old_root, new_root, f"{where}.{name}")
    if "items" in old and "items" in new:
        yield from _breaks(old["items"], new["items"], old_root, new_root, f"{where}[]")


def _resolved(schema, root):
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    options = [o for o in schema.get("anyOf", []) if o.get("type") != "null"]
    return _resolved(options[0], root) if len(options) == 1 else schema


def _types(schema, root):
    if "anyOf" in schema:
        return set().union(*(_types(_resolved(o, root), root) for o in schema["anyOf"]))
    return {schema.get("type", "any")}


def _newly_required(old, new):
    return sorted(set(new.get("required", [])) - set(old.get("required", [])))


def _values(schema):
    return set(schema.get("enum", [schema["const"]] if "const" in schema else []))


def test_every_event_of_the_contract_was_compared():
    assert {p.id.partition("-")[2] for p in PAIRS} >= {"Review", "CategorizedReview", "Label"}


@pytest.mark.parametrize(("released", "event"), PAIRS)
def test_an_event_is_compatible_with_every_released_version(released, event):
    assert breaks(released, json_schema(event)) == []


def _released(name):
    return json.loads((RELEASED / "v1" / f"{name}.v1.json").read_text("utf-8"))


def _changed(change):
    schema = copy.deepcopy(_released("CategorizedReview"))
    change(schema)
    return schema


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s["properties"].pop("confidence"), "confidence is gone"),
        (lambda s: s["required"].append("source"), "source is newly required"),
        (lambda s: s["properties"]["confidence"].update(type="string"), "number"),
        (lambda s: s["properties"]["confidence"].update(maximum=0.9), "narrower"),
        (lambda s: s["properties"]["decided_by"]["enum"].append("oracle"), "oracle"),
        (lambda s: s["properties"]["decided_by"]["enum"].remove("llm"), "llm"),
    ],
)
def test_a_breaking_change_is_found(change, words):
    (found,) = breaks(_released("CategorizedReview"), _changed(change))
    assert words in found


def test_a_new_optional_field_breaks_nothing():
    new = _changed(lambda s: s["properties"].update(seller={"type": "string"}))
    assert breaks(_released("CategorizedReview"), new) == []
