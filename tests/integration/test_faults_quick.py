"""Whatever dies, each review ends exactly once: the quick part of the fault suite.

All scenarios run at the same time, once; `make faults` runs every scenario, repeatedly.
"""

import pytest

from tests.faults import report, suite
from tests.faults.scenarios import SCENARIOS

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(420)]

PLANS = suite.plan(SCENARIOS, quick=True, only=[])
# The same faults at the same moments in every run; `make faults` draws new ones.
SEED = 4
# Well before pytest's own time-out, whose report would not say which scenario hangs.
SCENARIO_SECONDS = 300.0


@pytest.fixture(scope="module")
async def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    done = await suite.run_together(PLANS, folder, SEED, suite.Watcher(), SCENARIO_SECONDS)
    return {result.scenario: result for result in done}


@pytest.mark.parametrize("scenario", [plan.scenario.name for plan in PLANS])
async def test_every_review_ends_exactly_once_through(scenario, results):
    result = results[scenario]
    assert result.kept, report.why(result)


async def test_enough_reviews_were_on_their_way(results):
    assert min(result.verdict.sent for result in results.values()) > 300
