"""A retraining says beforehand what it has to learn from."""

import pytest

from schemas import Category, Label
from stream.queue.label_topic import ReadLabels
from stream.settings import Settings
from training.cli.retrain import _say_what_is_to_come
from training.data.dataset import labelled
from training.fit.config import TrainConfig
from training.retrain.assemble import assemble
from training.retrain.run import Plan

DECIDED = Label(
    review_id="r1",
    text="сапоги",
    category=Category("footwear"),
    decided_by="person",
    labeller="anna",
    codebook_version="1",
)
BASE = [("base", labelled(["платье"], [2], "written"))]


@pytest.mark.parametrize(
    ("base", "wanted", "said"), [([], None, True), ([], (), False), (BASE, None, False)]
)
def test_a_retraining_that_forgets_what_the_model_began_with_says_so(capsys, base, wanted, said):
    lineage = assemble(ReadLabels([DECIDED], {0: 1}), "labels", base, (), 0.0).lineage
    _say_what_is_to_come(Settings(), Plan("static", TrainConfig(), base=wanted), lineage)
    told = " ".join(capsys.readouterr().err.split())
    assert ("no base" in told) is said
    assert ("REVIEWS_LEARNING__BASE" in told) is said


def test_categories_of_which_there_is_no_text_are_named(capsys):
    lineage = assemble(ReadLabels([DECIDED], {0: 1}), "labels", BASE, (), 0.0).lineage
    _say_what_is_to_come(Settings(), Plan("static", TrainConfig()), lineage)
    told = " ".join(capsys.readouterr().err.split())
    assert "no text of household-appliances, tableware," in told
    assert "footwear" not in told
