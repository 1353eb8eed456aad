"""A run over reviews, with labellers made for the test."""

import numpy as np
import pytest

from schemas import Category, all_categories, category_count
from training.data.files import LabelledItem, UnlabelledReview
from training.labelling.label_model import UNKNOWN
from training.labelling.output import label_rows, left_to_people, write_rows
from training.labelling.parallel import spread
from training.labelling.prior import Fate
from training.labelling.run import Panel, run_labelling
from training.labelling.votes import Votes

CLOTHING, NO_PRODUCT = Category("clothing").id, Category("no-product").id


class WordLabeller:
    """Votes for a category where the text holds its word."""

    def __init__(self, name, words, sure=0.97):
        self.name = name
        self.words = words
        self.sure = sure
        self.asked = []

    def label(self, texts):
        self.asked += texts
        rows = np.zeros((len(texts), category_count()), dtype=np.float32)
        for row, text in enumerate(texts):
            for word, category in self.words.items():
                if word in text:
                    rows[row] = (1 - self.sure) / (category_count() - 1)
                    rows[row, category] = self.sure
        return Votes(rows, tuple(f"saw {text[:5]}" for text in texts))

    def known(self, texts):
        return self.label([text for text in texts if text in self.asked] and texts)


class Interrupted(WordLabeller):
    """Ctrl-C while it is asked the second time."""

    def label(self, texts):
        if self.asked:
            raise KeyboardInterrupt
        return super().label(texts)


# Of the last two the cheap labeller is silent, and its silence does not tell which of them it is.
KINDS = {
    "платье": Category("clothing"),
    "доставка": Category("no-product"),
    "туманное": Category("clothing"),
    "мутное": Category("no-product"),
}
HAZY = ("туманное", "мутное")


def items(count):
    kinds = list(KINDS)
    return [UnlabelledReview(f"r{i}", f"{kinds[i % 4]} номер {i}") for i in range(count)]


def validated(count=120):
    return [
        LabelledItem(UnlabelledReview(f"v{i}", f"{kind} образец {i}"), KINDS[kind])
        for i, kind in enumerate(list(KINDS) * (count // 4))
    ]


def cheap():
    return WordLabeller("cheap", {"платье": CLOTHING, "доставка": NO_PRODUCT})


def expensive():
    return WordLabeller("llm", {kind: category.id for kind, category in KINDS.items()})


def test_the_llm_is_asked_about_the_open_and_the_validated_ones_only():
    llm = expensive()
    run = run_labelling(items(30), validated(), Panel((cheap(),), llm))
    asked = [text for text in llm.asked if "номер" in text]
    assert asked
    assert all(text.startswith(HAZY) for text in asked)
    assert not run.decisions.open[:30].any()
    assert set(run.decisions.decided_by[:30]) == {"cheap", "llm"}


def test_every_text_is_asked_about_once_however_often_it_occurs():
    labeller = cheap()
    run = run_labelling(
        [UnlabelledReview(str(i), "Платье!") for i in range(50)], [], Panel((labeller,))
    )
    assert labeller.asked == ["платье!"]
    assert len(run.decisions.category) == 50


def test_an_interrupted_llm_keeps_what_it_answered():
    many = items(600)
    llm = Interrupted("llm", {"мутное": NO_PRODUCT})
    llm.known = lambda texts: WordLabeller("llm", {"мутное": NO_PRODUCT}).label(texts)
    run = run_labelling(many, validated(), Panel((cheap(),), llm))
    assert run.interrupted
    assert len(run.decisions.category) >= 600


def test_an_interrupted_cheap_labeller_abstains_on_the_rest():
    many = items(600)
    run = run_labelling(many, validated(), Panel((Interrupted("cheap", {"платье": CLOTHING}),)))
    assert run.interrupted
    assert run.votes["cheap"].reasons[599] == "interrupted before it was asked"
    assert run.decisions.open[599]
    dresses = [row for row, item in enumerate(run.items) if item.text.startswith("платье образец")]
    assert (run.votes["cheap"].choices[dresses] == CLOTHING).all()


def test_after_an_interruption_nobody_else_is_asked():
    second = cheap()
    run_labelling(items(600), [], Panel((Interrupted("first", {"платье": CLOTHING}), second)))
    assert second.asked == []


def test_processes_change_nothing_but_the_time():
    chunks = [[f"платье {i}", f"доставка {i}"] for i in range(20)]
    with spread([cheap()], 2) as (labeller,):
        votes = list(labeller.label_chunks(chunks))
    assert [vote.choices.tolist() for vote in votes] == [[CLOTHING, NO_PRODUCT]] * 20


def test_one_process_spreads_nothing():
    labeller = cheap()
    with spread([labeller], 1) as same:
        assert same == [labeller]


def test_what_nobody_decided_is_written_without_a_category_but_with_a_guess():
    run = run_labelling(items(3), validated(), Panel((cheap(),)))
    rows = list(label_rows(run))
    assert rows[2]["text"] == "туманное номер 2"
    assert [row["category"] for row in rows] == ["clothing", "no-product", None]
    assert rows[2]["decided_by"] == "people"
    assert rows[2]["guess"] in {category.slug for category in all_categories()}
    assert rows[0]["reasons"] == {"cheap": "saw плать"}


def test_a_validated_review_keeps_the_category_that_a_person_gave_it():
    truth = LabelledItem(UnlabelledReview("x", "платье номер 0"), Category("no-product"))
    run = run_labelling(items(3), [*validated(), truth], Panel((cheap(),)))
    first = next(label_rows(run))
    assert (first["category"], first["decided_by"]) == ("no-product", "validated")


def test_a_validated_text_that_occurs_twice_is_counted_once_and_labelled_twice():
    truth = LabelledItem(UnlabelledReview("x", "платье номер 0"), Category("no-product"))
    twice = [*items(3), UnlabelledReview("again", "Платье номер 0")]
    run = run_labelling(twice, [*validated(), truth], Panel((cheap(),)))
    rows = list(label_rows(run))
    assert (run.known != UNKNOWN).sum() == 121
    assert [rows[i]["category"] for i in (0, 3)] == ["no-product"] * 2


def test_what_is_left_to_people_is_counted_as_the_file_has_it():
    """The third is one that no labeller can tell; a person had told it beforehand."""
    truth = LabelledItem(UnlabelledReview("x", "туманное номер 2"), Category("no-product"))
    for given, left in (((), 1), ((truth,), 0)):
        run = run_labelling(items(3), [*validated(), *given], Panel((cheap(),)))
        assert left_to_people(run) == left
        assert sum(row["category"] is None for row in label_rows(run)) == left


def test_a_vote_for_another_category_than_the_given_one_says_so_in_its_reason():
    """The labeller's word for it was "kids"; no validated review is, and its votes mean clothes."""
    kids = WordLabeller("cheap", {"платье": Category("kids").id, "доставка": NO_PRODUCT})
    run = run_labelling(items(4), validated(), Panel((kids,)))
    assert run.cascade.prior.fates[Category("kids").id].fate is Fate.PEOPLE
    run = run_labelling(
        items(4), validated(), Panel((kids,)), fates={Category("kids"): Fate.DROPPED}
    )
    dress, delivery, *_ = label_rows(run)
    assert dress["category"] == "clothing"
    assert dress["reasons"]["cheap"] == "for kids, which is dropped by order: saw плать"
    assert delivery["reasons"]["cheap"] == "saw доста"


def test_labels_appear_complete_or_not_at_all(tmp_path):
    def rows():
        yield {"id": 1}
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_rows(tmp_path / "labels.jsonl", rows())
    assert list(tmp_path.iterdir()) == []
