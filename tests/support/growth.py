"""Whether something takes time in proportion to a text, on a machine that is busy with other things."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

# Below this, in seconds, the clock tells more of the machine than of the code.
_SHORTEST: Final = 0.005


def grows_at_most(
    times: float,
    seconds: Callable[[int], float],
    short: int,
    long: int,
    *,
    rounds: int = 3,
    give_up_after: float = math.inf,
) -> bool:
    """Tell whether a long text takes at most so many times as long as a short one.

    A busy machine makes a round slow, never fast: one round that is quick enough speaks of the code.

    Args:
        times: at most.
        seconds: tells what a text of so many characters takes.
        short: characters.
        long: characters.
        rounds: tried at most.
        give_up_after: seconds; where the short text takes longer, the long one is not tried.
    """
    for _ in range(rounds):
        before = seconds(short)
        if before <= give_up_after and seconds(long) < times * max(before, _SHORTEST):
            return True
    return False
