"""What is kept of a training is kept under the code that made it."""

from pathlib import Path

import pytest

import stream.text
import training.models.bert
from training.fit.config import BUNDLED_ENCODER, Distillation, TrainConfig
from training.fit.lineage import decided_by, digest_of, sources

CODE = "def double(x):\n    return 2 * x\n"


@pytest.fixture
def digest(tmp_path):
    def of(code):
        (tmp_path / "code.py").write_text(code, encoding="utf-8")
        return digest_of([tmp_path / "code.py"])

    return of


def test_code_that_computes_something_else_has_another_digest(digest):
    assert digest(CODE) != digest(CODE.replace("2", "3"))


@pytest.mark.parametrize(
    "code",
    [
        CODE.replace("2 * x", "(2*x)  # twice"),
        CODE.replace("    return", '    """Return twice the number."""\n\n    return'),
        f'"""Numbers."""\n\n{CODE}',
    ],
)
def test_comments_docstrings_and_layout_do_not_count(digest, code):
    assert digest(code) == digest(CODE)


def test_other_versions_of_the_libraries_have_another_digest():
    assert digest_of([], ["torch 1"]) != digest_of([], ["torch 2"])


def test_the_digest_covers_the_models_and_what_they_read_texts_through():
    files = set(sources())
    assert Path(training.models.bert.__file__) in files
    assert Path(stream.text.__file__) in files


def test_which_teacher_has_which_base_decides(tmp_path):
    """By the digests alone, a base that moved from one teacher to another was the same training."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    taught = [
        ("bert", "embeddings"),
        (f"bert={base}", "embeddings"),
        ("bert", f"embeddings={base}"),
        (f"bert={base}", f"embeddings={BUNDLED_ENCODER}"),
        (f"bert={BUNDLED_ENCODER}", f"embeddings={base}"),
    ]
    configs = [TrainConfig(distillation=Distillation(teachers=names)) for names in taught]
    assert len({decided_by(config) for config in configs}) == len(taught)
    assert str(base) not in decided_by(configs[1])
    assert configs[1].described()["distillation"]["teachers"] == ["bert", "embeddings"]
