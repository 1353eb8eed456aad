"""Two ways are compared within each round: what drifts between rounds drifts for both."""

import json
import math

from tests.bench.rounds import Rounds


def test_the_ratio_is_the_median_of_the_rounds_ratios(tmp_path):
    rounds = Rounds("loop")
    for loop, ours in ((100, 50), (10, 9), (1000, 800)):
        rounds.add("rate", "loop", loop)
        rounds.add("rate", "ours", ours)
    rounds.report(tmp_path / "new" / "found.json", partitions=4)
    found = json.loads((tmp_path / "new" / "found.json").read_text())
    assert found["facts"] == {"partitions": 4}
    assert found["figures"] == {
        "rate, loop": {"rounds": [100, 10, 1000], "ratio": 1.0},
        "rate, ours": {"rounds": [50, 9, 800], "ratio": 0.8},
    }


def test_a_figure_that_was_nothing_has_no_ratio():
    rounds = Rounds("loop")
    rounds.add("commit ms", "loop", 0.0)
    rounds.add("commit ms", "ours", 2.0)
    assert math.isnan(rounds.ratio("commit ms", "ours"))
