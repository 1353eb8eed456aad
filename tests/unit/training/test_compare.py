"""A comparison is fair, can be repeated, and goes on where it was interrupted."""

import dataclasses

import numpy as np
import pytest
import torch

from training.comparison.candidates import (
    ablation_candidates,
    curve_candidates,
    family_candidates,
    imbalance_candidates,
)
from training.comparison.categories import category_lines
from training.comparison.compare import (
    OUT_OF_FOLD,
    Run,
    compare,
    compare_out_of_fold,
    part_of,
    trusted_and,
)
from training.comparison.markdown import markdown
from training.comparison.report import mistakes, write_report
from training.comparison.table import lines
from training.data.dataset import join, labelled
from training.data.origins import Origin
from training.encoders.encoder import Shape, load_encoder, new_encoder
from training.errors import DataError
from training.fit.config import Tricks
from training.models.family import UnknownFamily
from training.train import fit_family

pytestmark = pytest.mark.slow


@pytest.fixture
def tests_of_two_kinds(reviews):
    one = labelled([f"какой {word}" for word in ("чайник", "сапоги")], [0, 1], "person")
    return {"all": reviews.take(np.arange(0, len(reviews), 6)), "two": one}


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr("training.comparison.table.RESAMPLES", 20)


@pytest.fixture
def compared(reviews, quick, tests_of_two_kinds, tmp_path):
    config = quick.model_copy(update={"epochs": 2})
    candidates = family_candidates(["majority", "ngrams", "lstm"], config)
    runs = compare(candidates, reviews, tests_of_two_kinds, [0, 1], tmp_path / "work")
    return candidates, runs


def test_the_same_seed_gives_the_same_logits(reviews, quick, tests_of_two_kinds, tmp_path):
    candidates = family_candidates(["bert"], quick.model_copy(update={"epochs": 1}))
    first = compare(candidates, reviews, tests_of_two_kinds, [3], tmp_path / "a")
    again = compare(candidates, reviews, tests_of_two_kinds, [3], tmp_path / "b")
    np.testing.assert_array_equal(first[0].logits["all"], again[0].logits["all"])


def test_a_finished_run_is_taken_up_and_not_trained_again(
    compared, reviews, tests_of_two_kinds, tmp_path, monkeypatch
):
    candidates, runs = compared
    assert len(runs) == 6

    def refuse(*_):
        pytest.fail("a finished run was trained again")

    monkeypatch.setattr("training.comparison.compare._train", refuse)
    again = compare(candidates, reviews, tests_of_two_kinds, [0, 1], tmp_path / "work")
    for run, former in zip(again, runs, strict=True):
        np.testing.assert_array_equal(run.logits["two"], former.logits["two"])
        assert run.losses == former.losses


def test_a_run_on_other_data_is_not_taken_up(compared, reviews, tests_of_two_kinds, tmp_path):
    candidates, _ = compared
    fewer = reviews.take(np.arange(0, len(reviews), 2))
    compare(candidates[:1], fewer, tests_of_two_kinds, [0], tmp_path / "work")
    assert len(list((tmp_path / "work").iterdir())) == 7


def test_a_run_of_other_code_is_not_taken_up(
    compared, reviews, tests_of_two_kinds, tmp_path, monkeypatch
):
    candidates, _ = compared
    monkeypatch.setattr("training.fit.lineage.code_digest", lambda: "of other code")
    compare(candidates[:1], reviews, tests_of_two_kinds, [0], tmp_path / "work")
    assert len(list((tmp_path / "work").iterdir())) == 7


def test_a_frozen_encoders_run_is_not_taken_up_with_another_encoder(reviews, quick, tmp_path):
    """It is not served, and was taken for one that starts from no base."""
    tests, bases = {"few": reviews.take(np.arange(0, len(reviews), 9))}, tmp_path / "bases"
    for seed in (0, 1):
        torch.manual_seed(seed)
        tokenizer = load_encoder(quick.encoder).tokenizer
        new_encoder(tokenizer, Shape(1, 16, 2, 32, 32)).save(bases / str(seed))
        config = quick.model_copy(update={"encoder": bases / str(seed)})
        compare(family_candidates(["embeddings"], config), reviews, tests, [0], tmp_path / "work")
    assert len(list((tmp_path / "work").iterdir())) == 2


def test_texts_of_the_test_sets_are_not_trained_on(reviews, quick, tmp_path):
    said = compare(
        family_candidates(["majority"], quick),
        labelled(["а", "б", "б"], [0, 1, 1], "person"),
        {"all": labelled(["Б"], [1], "person")},
        [0],
        tmp_path,
    )
    assert said[0].logits["all"].argmax() == 0


def test_the_best_candidate_comes_first_and_is_not_behind_itself(compared, tests_of_two_kinds):
    table = lines(compared[1], tests_of_two_kinds)
    assert table[-1].name == "majority"
    assert table[0].scores["all"].gap.value == 0
    assert table[-1].scores["all"].gap.high < 0


def test_the_others_are_measured_against_the_reference(compared, tests_of_two_kinds):
    table = {line.name: line for line in lines(compared[1], tests_of_two_kinds, "majority")}
    assert table["majority"].scores["all"].gap.value == 0
    assert table["ngrams"].scores["all"].gap.low > 0
    assert table["ngrams"].scores["all"].macro_gap.low > 0


def test_a_gain_that_hangs_on_one_seed_is_none():
    """Two seeds, the first of which gains much: the interval holds zero."""
    rows = labelled(["а"] * 100, [0] * 50 + [8] * 50, "person")
    half, right = np.zeros((100, 9), np.float32), np.eye(9, dtype=np.float32)[rows.categories]
    half[:, 0] = 1
    plain = [Run("plain", seed, {"all": half}, (), 0.0, 0, 0.0, 0.0) for seed in (0, 1)]
    trick = [Run("trick", s, {"all": right if s else half}, (), 0.0, 0, 0.0, 0.0) for s in (0, 1)]
    table = {line.name: line for line in lines([*plain, *trick], {"all": rows}, "plain")}
    gap = table["trick"].scores["all"].gap
    assert gap.value > 0.2
    assert gap.low <= 0


def test_the_report_has_page_table_pictures_and_record(
    compared, reviews, tests_of_two_kinds, tmp_path
):
    write_report(tmp_path / "report", *compared, reviews, tests_of_two_kinds)
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert {"index.html", "table.md", "comparison.json", "f1.png", "losses.png"} <= names
    assert {"confusion-1.png", "calibration-2.png"} <= names
    table = (tmp_path / "report" / "table.md").read_text(encoding="utf-8")
    assert table.count("| lstm |") == 3


def test_the_table_says_what_gaps_are_to_and_has_no_column_of_nothing(compared, tests_of_two_kinds):
    runs = [dataclasses.replace(run, per_second=0.0, megabytes=0.0) for run in compared[1]]
    head = markdown(lines(runs, tests_of_two_kinds, "ngrams"), "ngrams").splitlines()[0]
    assert head.count("less ngrams") == 4
    assert "texts/s" not in head
    timed = markdown(lines(compared[1], tests_of_two_kinds), "lstm").splitlines()[0]
    assert "texts/s" in timed


def test_each_category_is_scored_with_its_spread_over_the_rows():
    rows = labelled(["а"] * 10, [0] * 6 + [8] * 4, "person")
    logits = np.zeros((10, 9), dtype=np.float32)
    logits[:8, 0], logits[8:, 8] = 1, 1
    run = Run("one", 0, {"all": logits}, (), 0.0, 0, 0.0, 0.0)
    first, last = category_lines([run], "all", rows, resamples=50)
    assert (first.category, first.support, first.recall.low) == ("household-appliances", 6, 1.0)
    assert first.precision.value == pytest.approx(6 / 8)
    assert (last.precision.value, last.recall.value) == (1.0, 0.5)
    assert last.recall.low < 0.5 < last.recall.high


def test_a_text_cannot_break_out_of_the_report(compared, reviews, tests_of_two_kinds, tmp_path):
    hostile = labelled(["<script>alert(1)</script> чайник"], [8], "person")
    candidates, _ = compared
    tests = {"hostile": hostile}
    runs = compare(candidates[1:2], reviews, tests, [0], tmp_path / "work")
    write_report(tmp_path / "report", candidates[1:2], runs, reviews, tests)
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_mistakes_come_with_the_surest_first():
    rows = labelled(["а", "б", "в"], [0, 1, 2], "person")
    said = np.full((3, 9), 0.01)
    said[0, 5], said[1, 1], said[2, 7] = 0.6, 0.9, 0.9
    assert [(m.text, m.predicted) for m in mistakes(rows, said)] == [
        ("в", "electronics"),
        ("а", "kids"),
    ]


def test_every_way_against_imbalance_and_every_trick_is_one_change(quick):
    for candidates in (imbalance_candidates("bert", quick), ablation_candidates("bert", quick)):
        assert len({c.config.model_dump_json() for c in candidates}) == len(candidates)
        assert candidates[0].config == quick


def test_every_way_against_imbalance_trains(reviews, quick, tests_of_two_kinds, tmp_path):
    config = quick.model_copy(update={"epochs": 1, "batch_size": 27})
    candidates = imbalance_candidates("lstm", config)
    runs = compare(candidates, reviews, tests_of_two_kinds, [0], tmp_path)
    assert all(np.isfinite(run.logits["all"]).all() for run in runs)


def test_all_tricks_together_train(reviews, quick):
    tricks = Tricks(
        label_smoothing=0.1,
        r_drop=1.0,
        adversarial=0.5,
        layer_decay=0.9,
        reinit_layers=1,
        averaging=0.9,
        augmentation=0.5,
    )
    config = quick.model_copy(update={"epochs": 2, "tricks": tricks})
    assert np.isfinite(fit_family("bert", reviews, config).logits(["чайник"])).all()


def test_out_of_fold_each_row_is_scored_by_a_model_that_never_saw_it(quick, tmp_path):
    texts = [f"чайник номер {number}" for number in range(11)]
    texts += [f"серьги номер {number}" for number in range(4)] + ["доставка"]
    data = labelled(texts, [0] * 11 + [6] * 4 + [8], "person")
    runs, rows = compare_out_of_fold(family_candidates(["ngrams"], quick), data, [0], tmp_path)
    said = dict(zip(rows.texts, runs[0].logits[OUT_OF_FOLD].argmax(axis=1), strict=True))
    # Only a model that had been trained on this row could know its category.
    assert said["доставка"] != 8
    assert said["серьги номер 1"] == 6


def test_a_finished_comparison_out_of_fold_is_taken_up(reviews, quick, tmp_path, monkeypatch):
    candidates = family_candidates(["majority"], quick)
    runs, _ = compare_out_of_fold(candidates, reviews, [0, 1], tmp_path)
    monkeypatch.setattr("training.comparison.compare.out_of_fold", None)
    again, rows = compare_out_of_fold(candidates, reviews, [0, 1], tmp_path)
    assert len(rows) == len(reviews)
    np.testing.assert_array_equal(again[1].logits[OUT_OF_FOLD], runs[1].logits[OUT_OF_FOLD])


@pytest.mark.parametrize("file", ["run.json", "logits.npz"])
@pytest.mark.parametrize("kept", [0, 50])
def test_a_finished_run_that_is_damaged_is_made_again(reviews, quick, tmp_path, file, kept):
    candidates = family_candidates(["majority"], quick)
    runs, _ = compare_out_of_fold(candidates, reviews, [0], tmp_path)
    (damaged,) = tmp_path.rglob(file)
    damaged.write_bytes(damaged.read_bytes()[:kept])
    again, _ = compare_out_of_fold(candidates, reviews, [0], tmp_path)
    np.testing.assert_array_equal(again[0].logits[OUT_OF_FOLD], runs[0].logits[OUT_OF_FOLD])


def test_a_cheaper_dataset_keeps_every_trusted_row():
    trusted = labelled([f"прочитано {n}" for n in range(200)], [2] * 200, "person")
    guessed = labelled([f"угадано {n}" for n in range(50)], [8] * 50, "pool")
    assert trusted_and(join(trusted, guessed), 7).origins() == {"person": 200, "pool": 7}


def test_the_learning_curve_trains_on_growing_shares_of_the_rows(reviews, quick):
    shares = [candidate.share for candidate in curve_candidates("bert", quick)]
    sizes = [len(part_of(reviews, share, 0)) for share in shares]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(reviews)
    assert len({*part_of(reviews, shares[0], 1).texts}) == sizes[0]


def test_what_low_rank_updates_trained_is_counted_before_they_are_merged(
    reviews, quick, tests_of_two_kinds, tmp_path
):
    config = quick.model_copy(update={"epochs": 1, "lora_rank": 2})
    counts = {
        run.candidate: run.parameters
        for run in compare(
            family_candidates(["lora", "mlp"], config), reviews, tests_of_two_kinds, [0], tmp_path
        )
    }
    head = 2 * 32 * 9 + 9
    # Two layers, query, key and value of each, and two thin matrices for each of these.
    assert counts["lora"] == head + 2 * 3 * 2 * (2 * 32)


def test_a_comparison_without_a_text_to_train_on_is_refused(reviews, quick, tmp_path):
    with pytest.raises(DataError, match="all of them are in the test sets"):
        compare(family_candidates(["majority"], quick), reviews, {"all": reviews}, [0], tmp_path)


@pytest.mark.parametrize("vary", [imbalance_candidates, ablation_candidates])
@pytest.mark.parametrize("name", ["ngrams", "static", "embeddings"])
def test_what_is_not_trained_by_gradients_has_no_ways_to_compare(name, vary, quick):
    with pytest.raises(UnknownFamily, match="one way only"):
        vary(name, quick)


@pytest.mark.parametrize("name", ["bert", "ngrams"])
def test_texts_of_one_category_teach_nothing(name, reviews, quick):
    with pytest.raises(DataError, match="of one category"):
        fit_family(name, reviews.take(reviews.categories == 2), quick)


def test_guessed_labels_alone_are_nothing_to_score_on(reviews, quick, tmp_path):
    guessed = dataclasses.replace(
        reviews,
        probabilities=np.full((len(reviews), 9), 1 / 9, np.float32),
        origin=[Origin.POOL] * 54,
    )
    with pytest.raises(DataError, match="programs guessed them"):
        compare_out_of_fold(family_candidates(["majority"], quick), guessed, [0], tmp_path)
