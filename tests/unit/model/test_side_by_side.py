"""The classifier cuts a batch into calls that run side by side, and puts the answers in order."""

import threading

import numpy as np
import pytest
from tokenizers import Tokenizer

from schemas import category_count
from stream.model.folder import CPU_GRAPH, TOKENIZER, read_manifest
from stream.model.inference import OnnxGraph
from stream.model.stage import Stage
from tests.support.tiny_model import write_tiny_model

CALLS = 2


class MeetingGraph:
    """Answers each row with its length, and no call before another one is there as well."""

    device = "cpu"
    parallel_calls = CALLS

    def __init__(self):
        self._all_there = threading.Barrier(CALLS, timeout=30)

    def run(self, input_ids, attention_mask):
        self._all_there.wait()
        lengths = attention_mask.sum(axis=1, keepdims=True)
        return np.repeat(lengths, category_count(), axis=1).astype(np.float32)


def _stage(folder, graph):
    write_tiny_model(folder)
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    return Stage(tokenizer, graph, read_manifest(folder), chunk_tokens=0)


def test_calls_of_one_batch_run_side_by_side_and_every_row_gets_its_own_answer(tmp_path):
    logits, _ = _stage(tmp_path, MeetingGraph()).logits([[1] * 60, [1] * 120])
    assert logits[:, 0].tolist() == [60, 120]


def test_a_call_that_raises_is_not_mistaken_for_an_answer(tmp_path):
    class Failing(MeetingGraph):
        def run(self, input_ids, attention_mask):
            if input_ids.shape[1] == 60:
                raise ValueError("out of luck")
            return np.zeros((len(input_ids), category_count()), np.float32)

    with pytest.raises(ValueError, match="out of luck"):
        _stage(tmp_path, Failing()).logits([[1] * 60, [1] * 120])


def test_a_cpu_graph_takes_as_many_calls_side_by_side_as_it_is_given_threads(tmp_path):
    write_tiny_model(tmp_path)
    assert OnnxGraph(tmp_path / CPU_GRAPH, threads=3).parallel_calls == 3
