"""Tuning: which value wins, and how it gets into the settings file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from stream.bench.report import Figure
from stream.bench.tune import largest_of_the_quick, smallest_best, tune, with_values
from tests.support.tiny_model import write_tiny_model


def test_of_nearly_equal_values_the_smallest_wins() -> None:
    figures = {n: Figure(str(n), "x/s", [rate]) for n, rate in ((1, 50), (2, 98), (4, 100))}

    assert smallest_best(figures) == 2


def test_of_lingers_that_are_as_quick_the_largest_wins() -> None:
    latencies = ((0.0, 62), (2.0, 60), (5.0, 65), (10.0, 80))
    figures = {ms: Figure(str(ms), "ms", [p99]) for ms, p99 in latencies}

    assert largest_of_the_quick(figures) == 5.0


def test_a_linger_is_written_as_it_was_found() -> None:
    worker = {"batch_tokens": 4096, "linger_ms": 2.0}

    assert tomllib.loads(with_values("", "worker", worker)) == {"worker": worker}


@pytest.mark.parametrize(
    "before",
    [
        "",
        "[model]",
        "[model]\nthreads = 8  # all of them\n",
        '[kafka]\nbootstrap_servers = "a:1"\n\n[model]\nthreads=1\n[worker]\nbatch_rows = 7\n',
    ],
)
def test_the_values_are_in_force_whatever_the_file_held(before: str) -> None:
    after = tomllib.loads(with_values(before, "model", {"threads": 2, "chunk_tokens": 512}))

    assert after["model"] == {"threads": 2, "chunk_tokens": 512}


def test_everything_else_in_the_file_is_kept_comments_too() -> None:
    before = "# ours\n[model]\nthreads = 8  # all of them\n[worker]\nthreads = 3\n"

    assert with_values(before, "model", {"threads": 2}) == before.replace(
        "threads = 8", "threads = 2"
    )


def test_tuning_tries_threads_calls_and_batches_of_a_real_folder(tmp_path: Path) -> None:
    write_tiny_model(tmp_path / "model")

    found = tune(tmp_path / "model", "cpu", ["платье", "новый чайник"])

    assert {figure.name.split(" ", 1)[1] for figure in found.figures} == {
        "threads",
        "tokens a call",
        "tokens a micro-batch",
    }
