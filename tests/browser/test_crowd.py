"""People at the queue at once, for half a minute: what `python -m tests.browser.crowd` does for ten."""

import pytest

from tests.browser.crowd import crowd
from tests.support.chromium import needs_chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kafka,
    # Generous: what is stuck is told by the test itself.
    pytest.mark.timeout(900),
    needs_chromium,
]
PEOPLE, SECONDS, SEED = 4, 30.0, 20261129


@pytest.mark.usefixtures("redis_url")
async def test_four_people_in_five_tabs_lose_nothing_and_decide_nothing_twice(
    stack, topic_prefix, tmp_path
):
    verdict = await crowd(stack, topic_prefix, tmp_path, people=PEOPLE, seconds=SECONDS, seed=SEED)
    assert {name: faults for name, faults in verdict.faults.items() if faults} == {}
    assert {who for who, _, _ in verdict.diary.decided} == {
        f"person{number:02}" for number in range(1, PEOPLE + 1)
    }
