"""Generated reviews: what is written, what is turned down, and that nothing is measured on them."""

import json
from collections import Counter

import numpy as np
import pytest
from typer.testing import CliRunner

from schemas import Category, all_categories, category_count
from stream.settings import LabelSettings
from tests.support.chat_server import chat_server, completion
from training.cli.label import app
from training.data.dataset import read_labelled_dataset, read_test_dataset
from training.data.files import (
    LabelledItem,
    Suggestion,
    UnlabelledReview,
    read_items,
    read_labelled,
    read_measured,
)
from training.data.parts import held_out_file
from training.errors import BudgetSpent, DataError, RulesError
from training.gate.frozen import read_frozen
from training.labelling.augment import quality_filter as sieves
from training.labelling.augment.quality_filter import QualityFilter
from training.labelling.augment.run import CandidateTally, augment, lacking
from training.labelling.augment.sources import LlmSource, TemplateSource
from training.labelling.output import write_rows
from training.labelling.sample import draw_sample
from training.labelling.votes import Votes

FOOTWEAR, KIDS = Category("footwear"), Category("kids")


class WordCheck:
    """Puts a text with a word into its category, with a confidence of its own."""

    def __init__(self, name, words, sure=0.9):
        self.name = name
        self.words = words
        self.sure = sure

    def label(self, texts):
        rows = np.zeros((len(texts), category_count()), dtype=np.float32)
        for row, text in enumerate(texts):
            for word, category in self.words.items():
                if word in text:
                    rows[row] = (1 - self.sure) / (category_count() - 1)
                    rows[row, category.id] = self.sure
        return Votes(rows, ("",) * len(texts))


class Lines:
    """Writes these texts, a batch a turn, and then the last batch for ever."""

    name, batch = "lines", 2

    def __init__(self, *texts):
        self.texts = texts
        self.turns = 0

    def write(self, category, count, turn):
        self.turns += 1
        return list(self.texts[2 * turn : 2 * turn + 2] or self.texts[-2:])


SHOES = WordCheck("rules", {"сапоги": FOOTWEAR})


def sift(text, checks=(SHOES,), evaluation=(), present=()):
    (fate,) = QualityFilter(checks, evaluation, present).sift([text], FOOTWEAR)
    return fate


def test_what_a_check_recognises_is_kept_and_says_by_whom():
    fate = sift("сапоги промокли")
    assert (fate.dropped, fate.agreed) == (None, ("rules",))


def test_what_no_check_recognises_is_dropped():
    assert sift("что-то промокло").dropped == sieves.UNRECOGNISED


def test_a_check_that_is_sure_of_another_category_turns_it_down():
    sure = WordCheck("dictionary", {"детские": KIDS})
    fate = sift("детские сапоги промокли", (SHOES, sure))
    assert fate.dropped == "another category by the dictionary"


def test_a_check_that_is_unsure_of_another_category_does_not():
    unsure = WordCheck("dictionary", {"детские": KIDS}, sure=0.5)
    assert sift("детские сапоги промокли", (SHOES, unsure)).dropped is None


def test_a_text_that_is_there_already_is_not_said_again():
    assert sift("Сапоги промокли!!", present=["сапоги промокли"]).dropped == sieves.DUPLICATE


def test_of_two_equal_candidates_the_first_is_kept():
    fates = QualityFilter((SHOES,), (), ()).sift(["сапоги жмут", "Сапоги жмут."], FOOTWEAR)
    assert [fate.dropped for fate in fates] == [None, sieves.DUPLICATE]


def test_an_evaluation_text_retold_is_dropped():
    fate = sift("сапоги промокли в первый же дождь", evaluation=["Сапоги промокли в первый день"])
    assert fate.dropped == sieves.EVALUATION


def test_each_thin_category_gets_what_it_lacks():
    there = [LabelledItem(UnlabelledReview(str(i), "сапоги"), FOOTWEAR) for i in range(3)]
    wanted = lacking(there, 5)
    assert wanted[FOOTWEAR] == 2
    assert {wanted[c] for c in all_categories() if c is not FOOTWEAR} == {5}
    assert lacking(there, 5, [FOOTWEAR]) == {FOOTWEAR: 2}
    assert lacking(there, 3, [FOOTWEAR]) == {}


def test_a_source_that_says_nothing_new_is_left_alone():
    source, tally = (
        Lines("сапоги жмут", "сапоги скользят", "сапоги жмут", "сапоги скользят"),
        CandidateTally(),
    )
    kept = list(augment({FOOTWEAR: 9}, source, QualityFilter((SHOES,), (), ()), tally))
    assert [example.text for example in kept] == ["сапоги жмут", "сапоги скользят"]
    assert source.turns < 9
    assert tally.dropped[sieves.DUPLICATE] > 0


def test_templates_of_ones_own_are_used(tmp_path):
    names = "\n".join(f'{c.slug} = "галоша"' for c in all_categories())
    (tmp_path / "products.toml").write_text(names, encoding="utf-8")
    aspects = "\n".join(f'{c.slug} = ["просто"]' for c in all_categories())
    lines = 'opening = ["{Nom} здесь"]\ngeneral = ["да"]\nchild = ["{Nom} сыну"]\n[aspect]\n'
    (tmp_path / "templates.toml").write_text(lines + aspects, encoding="utf-8")
    written = TemplateSource(tmp_path).write(FOOTWEAR, 8, 0)
    assert all("галоша здесь" in text.lower() for text in written)


@pytest.mark.parametrize(
    ("opening", "complaint"), [("{Nomm} здесь", "cannot be filled"), ('"', "is not TOML")]
)
def test_a_mistake_in_the_templates_is_one_clear_line(tmp_path, opening, complaint):
    names = "\n".join(f'{c.slug} = "галоша"' for c in all_categories())
    (tmp_path / "products.toml").write_text(names, encoding="utf-8")
    aspects = "\n".join(f'{c.slug} = ["просто"]' for c in all_categories())
    lines = f'opening = ["{opening}"]\ngeneral = []\nchild = []\n[aspect]\n{aspects}'
    (tmp_path / "templates.toml").write_text(lines, encoding="utf-8")
    with pytest.raises(RulesError, match=complaint):
        TemplateSource(tmp_path)


def llm(server, **options):
    return LlmSource(LabelSettings(llm_url=server.url, llm_attempts=1, **options))


def test_the_llm_is_asked_for_reviews_of_the_category_as_json():
    answer = completion('{"reviews": ["сапоги жмут", " "]}')
    with chat_server(lambda _body, _number: (200, answer)) as server:
        source = llm(server)
        assert source.write(FOOTWEAR, 20, 3) == ["сапоги жмут"]
        (body,) = server.requests
    assert json.loads(body["messages"][1]["content"])["name"] == FOOTWEAR.info.name("en")
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["reviews"]
    assert (body["seed"], source.usage.calls, source.usage.tokens) == (3, 1, 906)


@pytest.mark.parametrize("content", ["сапоги жмут", '{"reviews": "сапоги"}', "[]", ""])
def test_an_answer_of_another_form_brings_no_candidates(content):
    with chat_server(lambda _body, _number: (200, completion(content))) as server:
        source = llm(server)
        assert source.write(FOOTWEAR, 20, 0) == []
    assert source.usage.malformed == 1


def test_a_generator_keeps_to_the_budget():
    with (
        chat_server(lambda _body, _number: (200, completion("{}"))) as server,
        pytest.raises(BudgetSpent),
    ):
        llm(server, llm_max_tokens=100).write(FOOTWEAR, 20, 0)
    assert server.requests == []


def run(folder, *arguments):
    return CliRunner().invoke(app, ["augment", *arguments, "-o", str(folder / "a.jsonl")])


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("augment")
    thin = ("--category", "tableware", "--category", "kids", "--per-category", "25")
    result = run(folder, *thin)
    assert result.exit_code == 0, result.output
    return folder / "a.jsonl", thin


def test_every_generated_review_is_marked_by_id_and_field(generated):
    rows = [json.loads(line) for line in generated[0].read_text("utf-8").splitlines()]
    assert Counter(row["category"] for row in rows) == {"tableware": 25, "kids": 25}
    assert all(row["id"].startswith("synthetic-") and row["synthetic"] is True for row in rows)
    assert all(row["checked_by"] for row in rows)
    assert len({row["id"] for row in rows}) == 50


def test_the_same_command_again_adds_nothing(generated):
    path, thin = generated
    before = path.read_bytes()
    assert run(path.parent, *thin).exit_code == 0
    assert path.read_bytes() == before


@pytest.mark.slow
def test_an_interruption_keeps_what_is_done_and_the_next_run_goes_on(tmp_path, monkeypatch):
    compose = TemplateSource.write

    def interrupted(self, category, count, turn):
        if turn:
            raise KeyboardInterrupt
        return compose(self, category, count, turn)

    monkeypatch.setattr(TemplateSource, "write", interrupted)
    stopped = run(tmp_path, "--category", "footwear")
    assert stopped.exit_code == 130
    kept = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert 0 < len(kept) < 100
    monkeypatch.undo()
    assert run(tmp_path, "--category", "footwear").exit_code == 0
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    assert (len(lines), lines[: len(kept)]) == (100, kept)


def test_a_file_of_real_reviews_is_not_added_to(tmp_path):
    write_rows(tmp_path / "a.jsonl", [{"id": "r1", "text": "кружка", "category": "tableware"}])
    result = run(tmp_path)
    assert isinstance(result.exception, DataError)


def test_the_mark_stays_in_the_training_set(generated):
    dataset = read_labelled_dataset(generated[0])
    assert dataset.origins() == {"synthetic": 50}
    assert set(dataset.weight.tolist()) == {0.5}


@pytest.mark.parametrize("measure", [read_measured, read_test_dataset, lambda p: read_frozen([p])])
@pytest.mark.parametrize("marks", [{"id": "synthetic-1"}, {"id": "r1", "synthetic": True}])
def test_nothing_is_measured_or_calibrated_on_generated_reviews(tmp_path, measure, marks):
    real = {"id": "r0", "text": "кружка", "category": "tableware"}
    path = tmp_path / "test.jsonl"
    write_rows(path, [real, {"text": "ложка", "category": "tableware", **marks}])
    assert len(read_labelled(path)) == 2
    with pytest.raises(DataError, match="1 synthetic reviews"):
        measure(path)


def test_the_csv_column_of_a_spreadsheet_is_a_mark_too(tmp_path):
    path = tmp_path / "test.csv"
    path.write_text("id,text,synthetic\n1,ложка,TRUE\n2,вилка,\n", encoding="utf-8")
    assert [item.synthetic for item in read_items(path)] == [True, False]


def test_generated_reviews_are_not_drawn_into_the_sample_that_a_person_checks():
    rows = [
        Suggestion(UnlabelledReview("synthetic-1", "ложка")),
        Suggestion(UnlabelledReview("r1", "вилка")),
    ]
    assert [row.item.id for row in draw_sample(rows, 9)] == ["r1"]


def test_the_held_out_reviews_themselves_would_never_be_kept():
    held_out = [row.item.text for row in read_labelled(held_out_file())]
    everything = WordCheck("any", {"": Category("tableware")})
    quality_filter = QualityFilter((everything,), held_out, ())
    fates = quality_filter.sift(held_out[:20], Category("tableware"))
    assert {fate.dropped for fate in fates} == {sieves.EVALUATION}
