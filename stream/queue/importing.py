"""Taking in what was annotated elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from stream.queue.desk import Answer, DecidedTogether, Desk, Person
from stream.queue.label_studio import Annotation

# One transaction each; well below what one may hold.
_AT_ONCE: Final = 100


async def import_annotations(
    desk: Desk, person: Person, annotations: Sequence[Annotation]
) -> DecidedTogether:
    """Decide what was annotated, in a person's name. What does not wait here is refused.

    An import is made by people who did not use our page: their answers count as seen, not blind.

    Raises:
        NotSaved: Kafka failed; what was imported before stays, and importing again is safe.
        Rebuilding: the working set is being restored.
    """
    total = DecidedTogether()
    # Leases are per person and few may be held at a time: decided in parts, each taken anew.
    for i in range(0, len(annotations), _AT_ONCE):
        answers = [
            Answer(a.review_id, a.category, a.print, "first", shown=True, seconds=a.seconds)
            for a in annotations[i : i + _AT_ONCE]
        ]
        outcome = await desk.decide_many(person, answers, "import")
        total.decided += outcome.decided
        total.refused.update(outcome.refused)
    return total
