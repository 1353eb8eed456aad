"""Deciding: from a person's word to committed events, and back again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from pydantic import TypeAdapter
from redis.exceptions import RedisError

from schemas import Category
from stream.queue.acts import Act, UndoStep, Verdict, act_on, correct, undo_act
from stream.queue.claims import Claim, Claims
from stream.queue.errors import (
    AlreadyDecided,
    Disputed,
    NotAllowed,
    NothingToUndo,
    NotSaved,
    OwnDispute,
    OwnOpinion,
    QueueError,
    Rebuilding,
    Superseded,
    TextChanged,
)
from stream.queue.item import DecidedItem, Item, Kind, Opinion, Origin, Standing, text_print
from stream.queue.publisher import Place
from stream.queue.records import is_asked_again, judgement_record, label_record
from stream.queue.working_set import WorkingSet
from stream.settings import QueueSettings

_log = structlog.get_logger(__name__)
_STEPS: Final = TypeAdapter(list[UndoStep])


class Publisher(Protocol):
    """Takes acts to Kafka; :class:`~stream.queue.publisher.DecisionPublisher` does."""

    async def publish(self, acts: Sequence[Act]) -> list[Place]:
        """Publish acts, all or none; return where each judgement stands."""
        ...


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts."""

    name: str
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's word on one review."""

    review_id: str
    category: Category | None
    """None: cannot tell."""
    print: str | None = None
    """Fingerprint of the text that they saw; None where a program answers for the id alone."""
    kind: Kind | None = None
    """What they were asked; None: whatever the queue asks now."""
    shown: bool = False
    """They saw the model's guess although the item is in the blind sample, e.g. by a filter."""
    seconds: float | None = None
    copy_of: str | None = None
    """Of near-identical reviews that are decided in one go, the one that stands for all."""
    note: str = ""
    """What they wrote beside it."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What shall hold of a review that was decided."""

    review_id: str
    category: Category | None
    """None: cannot tell."""
    revision: int | None = None
    """Of the decision that they saw; None where a program answers for the id alone."""
    note: str = ""
    """What they wrote beside it; empty: the former note stays."""


@dataclass(slots=True)
class DecidedTogether:
    """What became of many answers."""

    decided: list[str] = field(default_factory=list)
    refused: dict[str, QueueError] = field(default_factory=dict)


class Desk:
    """Where decisions are made. Nothing counts before Kafka has it.

    Args:
        working_set: leases and what waits.
        claims: keep two requests from deciding one review at once.
        publisher: to Kafka.
        settings: shares and the codebook's version.
    """

    def __init__(
        self,
        working_set: WorkingSet,
        claims: Claims,
        publisher: Publisher,
        settings: QueueSettings,
    ) -> None:
        self._working_set = working_set
        self._claims = claims
        self._publisher = publisher
        self._settings = settings

    async def decide(self, person: Person, answer: Answer, origin: Origin = "page") -> None:
        """Decide one item. Saying the same again, after a lost reply, changes nothing.

        Raises:
            QueueError: it cannot be decided by this person now; nothing was published.
        """
        outcome = await self.decide_many(person, [answer], origin)
        for error in outcome.refused.values():
            raise error

    async def decide_many(
        self, person: Person, answers: Sequence[Answer], origin: Origin
    ) -> DecidedTogether:
        """Decide several items in one transaction; undo takes all of them back.

        Of several answers to one review the first counts, as if the others had come after it.

        Raises:
            NotSaved: Kafka took none of them, or another request is still deciding one of them.
            Rebuilding: the working set is being restored.
        """
        async with self._claims.alone([answer.review_id for answer in answers]) as claim:
            return await self._decide_many(person, answers, origin, claim)

    async def _decide_many(
        self, person: Person, answers: Sequence[Answer], origin: Origin, claim: Claim
    ) -> DecidedTogether:
        outcome = DecidedTogether()
        acts: list[Act] = []
        given: dict[str, Answer] = {}
        items = await self._working_set.take(person.name, [a.review_id for a in answers])
        for answer, item in zip(answers, items, strict=True):
            try:
                if (former := given.get(answer.review_id)) is not None:
                    _require_the_same(answer, former)
                elif (act := await self._act(person, answer, item, origin)) is not None:
                    acts.append(act)
                given.setdefault(answer.review_id, answer)
                outcome.decided.append(answer.review_id)
            except QueueError as error:
                outcome.refused[answer.review_id] = error
        if acts:
            undo = [act.undo for act in acts]
            claim.kept = not await self._commit(person.name, acts, undo=undo)
        return outcome

    async def correct(
        self, person: Person, correction: Correction, origin: Origin = "page"
    ) -> DecidedItem:
        """Put another decision in the place of the one that holds; undo puts the former back.

        Saying again what holds already changes nothing.

        Args:
            person: whose own decision it is; a lead corrects everybody's.
            correction: what shall hold.
            origin: where it was said.

        Returns:
            What was decided before.

        Raises:
            NotAllowed: another person decided, or a machine, and this one does not lead.
            OwnDispute: somebody else has settled, or is to settle, what this person disagreed about.
            Disputed: a disagreement about it waits to be settled first.
            Superseded: another decision holds by now than the one they saw.
            NotDecided, NotKept: there is nothing to correct.
            NotSaved: Kafka did not take it.
            Rebuilding: the working set is being restored.
        """
        async with self._claims.alone([correction.review_id]) as claim:
            item = await self._working_set.decided(correction.review_id)
            held = item.standing
            says_nothing_new = held.category == correction.category and correction.note in {
                "",
                held.note,
            }
            if says_nothing_new and held.labeller == person.name:
                return item
            require_may_correct(person, item)
            if correction.revision not in {None, held.revision}:
                raise Superseded("its decision is another one by now", "look at it again")
            if says_nothing_new:
                return item
            verdict = Verdict(
                person.name, correction.category, origin, note=correction.note or held.note
            )
            act = correct(item, verdict, self._settings.codebook_version)
            claim.kept = not await self._commit(person.name, [act], undo=[act.undo])
            return item

    async def undo(self, who: str, only: str | None = None) -> list[str]:
        """Take back a person's latest decision that nobody has built on since.

        Args:
            who: the person.
            only: a review that must be among what the latest act decided.

        Returns:
            The ids of the reviews that wait again.

        Raises:
            NothingToUndo: there is none.
            NotSaved: Kafka did not take it.
        """
        while (entry := await self._working_set.pop_undo(who)) is not None:
            done = _STEPS.validate_json(entry)
            if only is not None and only not in {s.judgement.review_id for s in done}:
                await self._working_set.push_undo(who, entry)
                break
            steps = [s for s in done if await self._still_holds(who, s)]
            if not steps:
                continue
            try:
                await self._commit(who, [undo_act(step) for step in steps])
            except NotSaved:
                await self._working_set.push_undo(who, entry)
                raise
            return [step.judgement.review_id for step in steps]
        raise NothingToUndo("there is nothing of yours to take back", "go on with the next review")

    async def _act(
        self, person: Person, answer: Answer, item: Item | Exception, origin: Origin
    ) -> Act | None:
        standing = await self._working_set.standing(answer.review_id)
        if isinstance(item, AlreadyDecided | OwnOpinion):
            said_already = (
                standing is not None
                and not standing.withdrawn
                and (standing.labeller, standing.category) == (person.name, answer.category)
                and standing.print == answer.print
                and answer.kind != "second"
            )
            if said_already:
                return None
        if isinstance(item, Exception):
            raise item
        if item.kind == "first" and _answers(standing, item):
            # Nobody of us asks that again: somebody put the question back.
            raise _decided_already()
        if answer.print is not None and answer.print != item.print:
            raise TextChanged("its author changed this review meanwhile", "read it again")
        if answer.kind is not None and answer.kind != item.kind:
            raise AlreadyDecided("this review was decided meanwhile", "go on with the next one")
        if item.kind == "adjudication":
            require_may_settle(person, item.opinions)
        verdict = Verdict(
            person.name,
            answer.category,
            origin,
            answer.seconds,
            answer.shown,
            answer.copy_of,
            answer.note,
        )
        return act_on(item, verdict, standing, self._settings.codebook_version)

    async def _commit(self, who: str, acts: Sequence[Act], undo: Sequence[UndoStep] = ()) -> bool:
        """Publish acts, then apply them to Redis; return whether that was possible, too.

        If not, they are decided all the same: intake will bring them from Kafka.
        """
        places = await self._publisher.publish(acts)
        records: list[tuple[str, str]] = []
        seal = self._working_set.seal
        for act, place in zip(acts, places, strict=True):
            share = self._settings.second_share
            record = judgement_record(
                act.judgement, place.partition_name, place.offset, share, seal
            )
            records.append(("judgement", record))
            if act.label is not None:
                records.append(("label", label_record(act.label, seal)))
        entry = _STEPS.dump_json(list(undo)).decode() if undo else ""
        try:
            await self._working_set.settle(who, records, entry)
        except (RedisError, OSError, Rebuilding) as error:
            _log.warning("decision_applied_later", acts=len(acts), error=repr(error))
            return False
        return True

    async def _still_holds(self, who: str, step: UndoStep) -> bool:
        judgement = step.judgement
        standing = await self._working_set.standing(judgement.review_id)
        if standing is None or standing.withdrawn or standing.revision != judgement.revision:
            return False
        if judgement.role == "second":
            return standing.print == text_print(step.task.review.text)
        if standing.labeller != who:
            return False
        if judgement.corrects is not None:
            return True
        # A second opinion on it was given: taking the first back would leave that in the air.
        due = is_asked_again(judgement, self._settings.second_share)
        is_first = judgement.role == "first"
        return not (is_first and due) or await self._working_set.second_is_open(judgement.review_id)


def require_may_settle(person: Person, opinions: Sequence[Opinion]) -> None:
    """Check that a person may settle a disagreement.

    Raises:
        NotAllowed: they do not lead.
        OwnDispute: one of the opinions is theirs.
    """
    if not person.lead:
        raise NotAllowed("only a lead settles disagreements", "ask a lead")
    if person.name in {opinion.labeller for opinion in opinions}:
        raise OwnDispute("one of the two opinions is yours", "another lead settles it")


def require_may_correct(person: Person, item: DecidedItem) -> None:
    """Check that a person may correct a decision.

    Raises:
        NotAllowed, OwnDispute, Disputed: they may not, or not now.
    """
    if person.name in {opinion.labeller for opinion in item.opinions}:
        raise OwnDispute("you disagreed with somebody about this review", "another lead settles it")
    own = (item.standing.decided_by, item.standing.labeller) == ("person", person.name)
    if not (own or person.lead):
        raise NotAllowed("only a lead corrects what others decided", "ask a lead")
    if item.disputed:
        raise Disputed("two people disagree about this review", "settle it among the disagreements")


def _answers(standing: Standing | None, item: Item) -> bool:
    return standing is not None and not standing.withdrawn and standing.print == item.print


def _require_the_same(answer: Answer, former: Answer) -> None:
    said = (answer.category, answer.kind, answer.print)
    if said != (former.category, former.kind, former.print):
        raise _decided_already()


def _decided_already() -> AlreadyDecided:
    return AlreadyDecided("this review was decided already", "go on with the next one")
