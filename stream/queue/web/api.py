"""The HTTP API for other tools, described by OpenAPI at ``/api/v1/openapi.json``.

A program sends ``Authorization: Bearer TOKEN`` (``reviews queue token NAME`` makes one). A page of
ours may use its session instead, and then sends its form token as ``X-CSRF-Token``.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBearer
from starlette.responses import Response

from schemas import Category
from schemas.events import Probability, ReviewId
from stream.queue.desk import Answer, Correction
from stream.queue.errors import NotAllowed
from stream.queue.export import MEDIA_TYPES, Format, standing_labels, written
from stream.queue.label_studio import open_task
from stream.queue.web.api_errors import Responses, handle_errors, refusals
from stream.queue.web.api_forms import (
    ActOut,
    CorrectedOut,
    CorrectionIn,
    DecisionsIn,
    DecisionsOut,
    FiguresOut,
    HitOut,
    ItemOut,
    NextIn,
    NextOut,
    ProgressOut,
    ReviewIn,
    UndoneOut,
)
from stream.queue.web.identity import FromPerson, TheSite, check_change
from stream.queue.web.site import Site
from stream.queue.web.visitor import Visitor
from stream.queue.working_set import Nothing
from stream.queue.working_set import Query as Wanted

_bearer = HTTPBearer(auto_error=False, description="`reviews queue token NAME` makes one.")


async def _changing(request: Request, visitor: FromPerson) -> Visitor:
    await check_change(request, visitor, request.headers.get("x-csrf-token", ""))
    return visitor


FromChanger = Annotated[Visitor, Depends(_changing)]


def create_api(site: Site) -> FastAPI:
    """Return the API, to be mounted."""
    api = FastAPI(
        title="Reviews: relabel queue",
        version=version("reviews-stream"),
        description=__doc__ or "",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(_bearer)],
    )
    api.state.site = site
    change, decision = refusals(changes=True), refusals(changes=True, body=True)
    question = refusals(422)
    api.post("/next", summary="Lease the next review", responses=decision)(_next)
    api.post("/decisions", summary="Decide", responses=decision)(_decide)
    correction: Responses = {**decision, **refusals(409)}
    api.post("/corrections", summary="Correct a decision", responses=correction)(_correct)
    api.post("/skip", status_code=204, summary="Give a review back", responses=decision)(_skip)
    undo: Responses = {**change, **refusals(409)}
    api.post("/undo", summary="Take your latest decision back", responses=undo)(_undo)
    api.get("/waiting", summary="Search what waits", responses=question)(_search)
    api.get(
        "/waiting/near-identical",
        summary="Texts that say nearly the same",
        responses=question,
    )(_near_identical)
    api.get(
        "/waiting/label-studio",
        summary="What waits, as Label Studio tasks",
        responses=question,
    )(_tasks)
    api.get("/progress", summary="Figures", responses=refusals())(_progress)
    api.get("/figures", summary="How the queue stands", responses=refusals())(_figures)
    api.get("/history", summary="The latest acts, newest first", responses=refusals(403, 422))(
        _history
    )
    api.get(
        "/labels",
        summary="All decisions that hold now",
        response_class=StreamingResponse,
        responses={**question, 200: _LABELS},
    )(_labels)
    handle_errors(api)
    return api


_LABELS = {
    "description": "The decisions, in the form that was asked for.",
    "content": {media_type.partition(";")[0]: {} for media_type in MEDIA_TYPES.values()},
}


async def _next(site: TheSite, visitor: FromChanger, wanted: NextIn) -> NextOut:
    found = await site.working_set.next(
        visitor.name, order=wanted.order, category=wanted.category, on_screen=wanted.holding
    )
    if isinstance(found, Nothing):
        return NextOut(item=None, skipped=found.skipped)
    return NextOut(item=ItemOut.of(found))


async def _decide(site: TheSite, visitor: FromChanger, given: DecisionsIn) -> DecisionsOut:
    answers = [
        Answer(d.review_id, d.category, d.print, d.kind, seconds=d.seconds, note=d.note)
        for d in given.decisions
    ]
    outcome = await site.desk.decide_many(visitor.acting, answers, "api")
    refused = {review_id: error.code for review_id, error in outcome.refused.items()}
    return DecisionsOut(decided=outcome.decided, refused=refused)


async def _correct(site: TheSite, visitor: FromChanger, wanted: CorrectionIn) -> CorrectedOut:
    correction = Correction(wanted.review_id, wanted.category, wanted.revision, wanted.note)
    former = (await site.desk.correct(visitor.acting, correction, "api")).standing
    return CorrectedOut(review_id=wanted.review_id, was=former.category, labeller=former.labeller)


async def _skip(site: TheSite, visitor: FromChanger, review: ReviewIn) -> None:
    await site.working_set.skip(visitor.name, review.review_id)


async def _undo(site: TheSite, visitor: FromChanger) -> UndoneOut:
    return UndoneOut(review_ids=await site.desk.undo(visitor.name))


async def _search(
    site: TheSite,
    visitor: FromPerson,  # noqa: ARG001 - somebody must be signed in
    words: Annotated[str, Query(max_length=200)] = "",
    category: Category | None = None,
    least: Probability = 0.0,
    most: Probability = 1.0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[HitOut]:
    hits = await site.working_set.search(Wanted(words, category, least, most), limit)
    blind = site.working_set.is_blind
    return [HitOut.of(hit, blind=blind(hit.task)) for hit in hits]


async def _near_identical(
    site: TheSite,
    visitor: FromPerson,  # noqa: ARG001 - somebody must be signed in
    review_id: ReviewId,
) -> list[str]:
    return await site.working_set.near_identical(review_id, site.queue.bulk_limit)


async def _tasks(
    site: TheSite,
    visitor: FromPerson,  # noqa: ARG001 - somebody must be signed in
    limit: Annotated[int, Query(ge=1, le=100_000)] = 1000,
) -> list[dict[str, Any]]:
    hits = await site.working_set.search(Wanted(), limit)
    blind = site.working_set.is_blind
    return [open_task(hit.task, blind=blind(hit.task)) for hit in hits]


async def _progress(site: TheSite, visitor: FromPerson) -> ProgressOut:
    found = await site.statistics.progress(visitor.name)
    return ProgressOut(
        who=visitor.name,
        waiting=found.waiting,
        today=found.today,
        total=found.total,
        pace=found.pace,
        team_pace=found.team_pace,
        remaining_minutes=found.remaining_minutes,
    )


async def _figures(
    site: TheSite,
    visitor: FromPerson,  # noqa: ARG001 - somebody must be signed in
) -> FiguresOut:
    report = await site.statistics.report()
    return FiguresOut(
        waiting=report.waiting,
        decided=report.decided,
        seconds_waiting=report.seconds_waiting,
        disputes=report.disputes,
    )


async def _history(
    site: TheSite,
    visitor: FromPerson,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    *,
    everybody: Annotated[bool, Query(description="Of all people; only a lead sees that.")] = False,
) -> list[ActOut]:
    if everybody and not visitor.is_lead:
        raise NotAllowed("only a lead sees what others did", "leave `everybody` out")
    who = None if everybody else visitor.name
    return [ActOut.of(act) for act in await site.statistics.recent(limit, who)]


async def _labels(
    site: TheSite,
    visitor: FromPerson,  # noqa: ARG001 - somebody must be signed in
    form: Annotated[Format, Query(alias="format")] = "jsonl",
) -> Response:
    labels = await standing_labels(site.settings)
    return StreamingResponse(written(labels, form), media_type=MEDIA_TYPES[form])
