import pytest

from schemas import Category, all_categories
from training.errors import RulesError
from training.labelling.dictionary import DictionaryLabeller, load_dictionary


@pytest.fixture(scope="module")
def labeller():
    return DictionaryLabeller.load()


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("утюг отпаривает", Category("household-appliances")),
        ("ботинки и стельки", Category("footwear")),
        ("юбка и блузка", Category("clothing")),
        ("кастрюля и тарелки", Category("tableware")),
        ("наушники и смартфон", Category("electronics")),
        ("спасибо", Category("no-product")),
    ],
)
def test_words_near_a_dictionary_speak_for_its_category(labeller, text, category):
    assert all_categories()[labeller.label([text]).choices[0]] == category


def test_a_word_without_a_vector_says_nothing(labeller):
    votes = labeller.label(["щшъыьжж", ""])
    assert votes.abstained.all()
    assert votes.reasons == ("no word with a vector",) * 2


def test_a_text_is_judged_alike_whatever_stands_beside_it(labeller):
    alone = labeller.label(["ботинки жмут"]).probabilities[0]
    assert labeller.label(["юбка", "ботинки жмут"]).probabilities[1] == pytest.approx(alone)


def test_a_dictionary_without_a_category_is_refused(tmp_path):
    path = tmp_path / "d.toml"
    path.write_text('[[facet]]\ncategory = "kids"\nname = "toys"\ntext = "куклы"\n', "utf-8")
    with pytest.raises(RulesError, match="no facet for accessories"):
        load_dictionary(path)


@pytest.mark.parametrize("content", ["[[facet", '[[facet]]\ncategory = "x"\nname = "a"'])
def test_a_broken_dictionary_is_refused(tmp_path, content):
    path = tmp_path / "d.toml"
    path.write_text(content, "utf-8")
    with pytest.raises(RulesError):
        load_dictionary(path)
