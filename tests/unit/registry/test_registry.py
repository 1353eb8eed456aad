"""The registry keeps versions as they were, and remembers every move of a name."""

import json
import multiprocessing
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Taxonomy, active_taxonomy, using
from stream.errors import ModelError
from stream.model.classifier import Classifier
from tests.support.tiny_model import write_tiny_model
from training.registry.errors import (
    NothingToRollBack,
    OtherTaxonomy,
    RefusedByGate,
    RegistryDamaged,
    UnknownVersion,
)
from training.registry.records import HistoryEntry, State, now
from training.registry.store import Registry


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "registry", user="anna")


@pytest.fixture
def model(tmp_path):
    def make(strength):
        folder = tmp_path / f"model-{strength}"
        write_tiny_model(folder, sure_logit=strength)
        return folder

    return make


def test_the_first_model_gets_number_one_and_the_next_number_two(registry, model):
    assert [registry.add(model(6.0)).number, registry.add(model(5.0)).number] == [1, 2]


def test_a_stored_model_can_be_served_after_its_source_is_gone(registry, model):
    source = model(6.0)
    record = registry.add(source)
    for path in source.iterdir():
        path.unlink()
    assert Classifier.load(registry.path(record)).version == record.version


def test_adding_a_model_twice_keeps_one(registry, model):
    first = registry.add(model(6.0))
    assert registry.add(model(6.0)) == first
    assert len(registry.state().versions) == 1


def test_a_stored_model_is_read_only(registry, model):
    record = registry.add(model(6.0))
    modes = {path.stat().st_mode & 0o222 for path in registry.path(record).iterdir()}
    assert modes == {0}


def test_a_damaged_folder_is_not_stored(registry, model):
    folder = model(6.0)
    (folder / "model.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match="damaged"):
        registry.add(folder)
    assert registry.state() == State()


def test_names_and_content_versions_find_a_version(registry, model):
    record = registry.add(model(6.0))
    registry.promote(1)
    found = [registry.resolve(key) for key in (1, "1", "champion", record.version)]
    assert found == [record] * 4


def test_an_unknown_version_says_how_to_list_them(registry):
    with pytest.raises(UnknownVersion, match="no version 7") as caught:
        registry.resolve("7")
    assert "reviews model list" in caught.value.remedy


def test_promotion_writes_down_who_when_why_and_instead_of_whom(registry, model):
    registry.add(model(6.0))
    registry.add(model(5.0))
    registry.promote(1)
    before = now()
    registry.promote(2, why="better on jackets")
    change = registry.state().history[-1]
    assert (change.by, change.number, change.previous) == ("anna", 2, 1)
    assert change.why == "better on jackets"
    assert before <= change.at <= now()


def test_a_promoted_challenger_is_a_challenger_no_more(registry, model):
    registry.add(model(6.0))
    registry.challenge(1)
    registry.promote(1)
    state = registry.state()
    assert (state.champion, state.challenger) == (1, None)


def test_a_refused_challenger_loses_its_name_and_stays(registry, model):
    registry.add(model(6.0))
    registry.challenge(1)
    registry.refuse(1, why="worse on shoes")
    state = registry.state()
    assert state.challenger is None
    assert state.history[-1].why == "worse on shoes"
    assert len(state.versions) == 1


def test_a_rollback_restores_the_former_champion(registry, model):
    for strength in (6.0, 5.0, 4.0):
        registry.promote(registry.add(model(strength)).number)
    assert registry.rollback().number == 2
    assert registry.state().champion == 2


def test_two_rollbacks_go_two_versions_back(registry, model):
    for strength in (6.0, 5.0, 4.0):
        registry.promote(registry.add(model(strength)).number)
    registry.rollback()
    assert registry.rollback().number == 1


def test_without_a_former_champion_there_is_nothing_to_roll_back(registry, model):
    registry.promote(registry.add(model(6.0)).number)
    with pytest.raises(NothingToRollBack):
        registry.rollback()


def test_a_stored_model_that_was_changed_is_not_promoted(registry, model):
    record = registry.add(model(6.0))
    graph = registry.path(record) / "model.onnx"
    graph.chmod(0o644)
    graph.write_bytes(graph.read_bytes() + b"x")
    with pytest.raises(RegistryDamaged, match="version 1 is damaged"):
        registry.promote(1)
    assert registry.state().champion is None


def test_a_former_champion_with_other_categories_is_not_called_damaged(registry, model):
    registry.promote(registry.add(model(6.0)).number)
    registry.promote(registry.add(model(5.0)).number)
    former = active_taxonomy().model_dump(by_alias=True) | {"none": None}
    with (
        using(Taxonomy.model_validate(former)),
        pytest.raises(OtherTaxonomy, match="version 1 has other categories"),
    ):
        registry.rollback()
    assert registry.state().champion == 2


def test_a_stored_model_that_was_exchanged_is_noticed(registry, model):
    record = registry.add(model(6.0))
    folder = registry.path(record)
    for path in folder.iterdir():
        path.chmod(0o644)
    write_tiny_model(folder, sure_logit=3.0)
    with pytest.raises(RegistryDamaged, match="not the model that was added"):
        registry.check(record)


def test_a_state_that_is_no_state_is_named(registry, model):
    registry.add(model(6.0))
    (registry.folder / "registry.json").write_text("{")
    with pytest.raises(RegistryDamaged, match=r"registry\.json"):
        registry.state()


def test_a_copy_cut_short_leaves_no_version(registry, model, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        registry.add(model(6.0))
    monkeypatch.undo()
    assert registry.state() == State()
    assert registry.add(model(6.0)).number == 1


def test_what_a_crash_left_behind_is_replaced(registry, model):
    leftover = registry.folder / "versions" / "000001"
    leftover.mkdir(parents=True)
    (leftover / "model.onnx").write_bytes(b"half")
    record = registry.add(model(6.0))
    assert registry.check(record).version == record.version


def _add(folder, source):
    Registry(folder, user="somebody").add(source)


def test_processes_that_add_at_once_get_numbers_of_their_own(registry, model):
    sources = [model(float(strength)) for strength in range(2, 6)]
    spawn = multiprocessing.get_context("fork")
    processes = [spawn.Process(target=_add, args=(registry.folder, s)) for s in sources]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert sorted(v.number for v in registry.state().versions) == [1, 2, 3, 4]


def test_a_newer_registrys_unknown_fields_are_ignored(registry, model):
    registry.add(model(6.0))
    path = registry.folder / "registry.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
    assert registry.state().versions[0].number == 1


@given(st.lists(st.one_of(st.integers(1, 5), st.none()), max_size=30))
def test_rolling_back_never_returns_to_what_was_taken_back(steps):
    """A number promotes that version; None rolls back where that is possible."""
    state = State()
    model: list[int] = []  # the line of champions, written another way
    for step in steps:
        former = state.former_champions()
        if step is None and not former:
            assert len(model) <= 1
            continue
        if step is None:
            model.pop()
            number, action = former[0], "rolled-back"
            assert number == model[-1]
        else:
            if step == state.champion:
                continue
            model = [n for n in model if n != step] + [step]
            number, action = step, "promoted"
        change = HistoryEntry(
            at=now(), by="", action=action, number=number, previous=state.champion
        )
        state = state.model_copy(update={"champion": number, "history": (*state.history, change)})
        assert state.former_champions() == model[-2::-1]


def test_what_the_gate_refused_is_promoted_for_a_reason_alone_and_the_reason_is_kept(
    registry, model
):
    registry.promote(registry.add(model(6.0)).number)
    registry.add(model(5.0))
    registry.refuse(2, why="worse on shoes")
    for reason in ("", "  "):
        with pytest.raises(RefusedByGate, match="worse on shoes") as caught:
            registry.promote(2, despite_gate=reason)
        assert "--despite-gate" in caught.value.remedy
    assert registry.state().champion == 1
    registry.promote(2, despite_gate="shoes are not sold any more")
    last = registry.state().history[-1]
    assert (last.number, last.previous) == (2, 1)
    assert last.despite_gate == "shoes are not sold any more"


def test_a_later_verdict_counts_and_moves_of_names_leave_it(registry, model):
    registry.add(model(6.0))
    assert registry.state().verdict(1) is None
    registry.refuse(1, why="worse on shoes")
    registry.approve(1, why="better after all")
    registry.promote(1, despite_gate="not needed")
    assert registry.state().verdict(1).why == "better after all"
    assert not registry.state().history[-1].despite_gate
