"""What the benchmarks compare ours with computes the same."""

import numpy as np

from stream.bench.doubles import split_classifier
from tests.support.tiny_model import KEYWORDS, tiny_classifier


def test_splitting_a_call_over_the_cores_gives_the_same_probabilities(tmp_path):
    ours = tiny_classifier(tmp_path).classify(KEYWORDS)
    theirs = split_classifier(tmp_path, threads=2, chunk_tokens=16).classify(KEYWORDS)
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, atol=1e-6)
