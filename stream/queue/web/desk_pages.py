"""The page on which people decide: one review at a time."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.responses import Response

from stream.queue.accounts import AssignedShare
from stream.queue.desk import Answer, require_may_settle
from stream.queue.errors import AlreadyDecided, OwnOpinion, QueueError, Taken, TooManyAtOnce
from stream.queue.item import Item, text_print
from stream.queue.web.forms import (
    BulkDone,
    BulkForm,
    DecisionForm,
    View,
    own_path,
    read_form,
    view_of,
)
from stream.queue.web.identity import CheckedForm, FromPerson, TheSite
from stream.queue.web.site import Site
from stream.queue.web.visitor import Visitor
from stream.queue.working_set import Nothing
from stream.sampling import AUDIT

router = APIRouter(include_in_schema=False)

Chosen = Annotated[View, Depends(view_of)]
# Longer than this on one review is a break, not work.
_MOST_SECONDS = 3600.0
# Of one's own answers that lie at hand.
_LATEST = 5


@router.get("/")
async def desk(
    site: TheSite,
    visitor: FromPerson,
    view: Chosen,
    item: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    """Show a review: the one asked for, else the next."""
    card = await _card(site, visitor, view, item=item)
    progress = await site.statistics.progress(visitor.name)
    latest = await site.statistics.latest(visitor.name, _LATEST)
    return site.page(visitor, "desk.html", view=view, progress=progress, latest=latest, **card)


@router.get("/next")
async def following(
    site: TheSite,
    visitor: FromPerson,
    view: Chosen,
    on_screen: Annotated[list[str] | None, Query()] = None,
) -> HTMLResponse:
    """Return the next review's part of the page, to be kept ready."""
    card = await _card(site, visitor, view, on_screen=on_screen or [])
    return site.page(visitor, "card.html", view=view, **card)


@router.post("/decide")
async def decide(
    request: Request, site: TheSite, visitor: FromPerson, form: CheckedForm
) -> Response:
    """Decide the review on the screen."""
    said = read_form(DecisionForm, form)
    seconds = min(said.seconds, _MOST_SECONDS) if said.seconds is not None else None
    answer = Answer(
        said.review_id, said.category, said.print, said.kind, said.shown, seconds, note=said.note
    )
    await site.desk.decide(visitor.acting, answer)
    if _is_script(request):
        return await _progress(site, visitor)
    return RedirectResponse(said.address if said.kind != "adjudication" else "/disputes", 303)


@router.post("/skip")
async def skip(request: Request, site: TheSite, visitor: FromPerson, form: CheckedForm) -> Response:
    """Leave the review for somebody else, or for later."""
    said = read_form(DecisionForm, form)
    await site.working_set.skip(visitor.name, said.review_id)
    if _is_script(request):
        return await _progress(site, visitor)
    return RedirectResponse(said.address, 303)


@router.post("/keep")
async def keep(site: TheSite, visitor: FromPerson, form: CheckedForm) -> Response:
    """Hold the review on the screen for longer."""
    said = read_form(DecisionForm, form)
    await site.working_set.take_one(visitor.name, said.review_id)
    return Response(status_code=204)


@router.post("/undo")
async def undo(request: Request, site: TheSite, visitor: FromPerson, form: CheckedForm) -> Response:
    """Take the latest decision back, and show its review again."""
    view = read_form(View, form)
    undone = await site.desk.undo(visitor.name)
    if not _is_script(request):
        return RedirectResponse(own_path(_with_item(view, undone[0])), 303)
    card = await _card(site, visitor, view, item=undone[0])
    return site.page(visitor, "card.html", view=view, **card)


@router.post("/show-skipped")
async def show_skipped(site: TheSite, visitor: FromPerson, form: CheckedForm) -> Response:
    """Bring back what this person skipped."""
    await site.working_set.forget_skipped(visitor.name)
    return RedirectResponse(read_form(View, form).address, 303)


@router.get("/form-token")
async def form_token(site: TheSite, visitor: FromPerson) -> JSONResponse:
    """Return who is signed in, and the token for forms: a page may be older than a sign-in."""
    token = site.sessions.form_token(visitor.visit, visitor.name)
    return JSONResponse({"who": visitor.name, "token": token})


@router.get("/progress-bar")
async def progress_bar(site: TheSite, visitor: FromPerson) -> HTMLResponse:
    """Return the strip of figures above the review."""
    return await _progress(site, visitor)


@router.get("/similar")
async def similar(
    site: TheSite, visitor: FromPerson, item: Annotated[str, Query(max_length=200)]
) -> Response:
    """Show what a bulk decision would decide."""
    try:
        first = await site.working_set.take_one(visitor.name, item)
    except (AlreadyDecided, OwnOpinion, Taken):
        # Back in the browser, after they were decided: the desk says so and goes on.
        return RedirectResponse(own_path(f"/?item={quote(item, safe='')}"), 303)
    ids = await site.working_set.near_identical(item, site.queue.bulk_limit - 1)
    waiting = await site.working_set.waiting([item, *ids])
    return site.page(
        visitor,
        "similar.html",
        item=first,
        tasks=list(waiting.values()),
        prints={key: text_print(task.review.text) for key, task in waiting.items()},
    )


@router.post("/bulk")
async def bulk(site: TheSite, visitor: FromPerson, form: CheckedForm) -> RedirectResponse:
    """Decide reviews together, as they were shown; near-identical ones are one decision."""
    said = read_form(BulkForm, form, many=("chosen",))
    texts = said.texts
    if len(texts) > site.queue.bulk_limit:
        raise TooManyAtOnce(
            f"at most {site.queue.bulk_limit} reviews are decided at once", "tick fewer of them"
        )
    # The one before their eyes stands for all; if they left it out, the first that they ticked.
    ids = [review_id for review_id, _ in texts]
    stands_for_all = (said.item if said.item in ids else ids[0]) if said.item else None
    answers = [
        Answer(
            review_id, said.category, fingerprint, "first", shown=said.shown, copy_of=stands_for_all
        )
        for review_id, fingerprint in texts
    ]
    outcome = await site.desk.decide_many(visitor.acting, answers, "bulk")
    refused = Counter(error.code for error in outcome.refused.values())
    done = BulkDone(
        decided=len(outcome.decided),
        refused=",".join(f"{code}:{count}" for code, count in sorted(refused.items())),
        category=said.category.slug if said.category else "",
        first=outcome.decided[0] if outcome.decided else "",
    )
    return RedirectResponse(f"/bulk?{urlencode(done.model_dump(), errors='surrogatepass')}", 303)


@router.get("/bulk")
async def bulk_done(
    site: TheSite, visitor: FromPerson, done: Annotated[BulkDone, Query()]
) -> HTMLResponse:
    """Say what became of a bulk decision. A page of its own: it can be loaded again, and left by Back."""
    return site.page(visitor, "bulk.html", done=done)


async def _card(
    site: Site,
    visitor: Visitor,
    view: View,
    *,
    item: str = "",
    on_screen: list[str] | tuple[str, ...] = (),
) -> dict[str, Any]:
    who, working_set = visitor.name, site.working_set
    share = site.accounts.share_of(who)
    found: Item | Nothing
    notice = ""
    try:
        found = await working_set.take_one(who, item) if item else Nothing(0)
        if isinstance(found, Item) and found.kind == "adjudication":
            try:
                require_may_settle(visitor.acting, found.opinions)
            except QueueError as error:
                await working_set.give_back(who, item)
                found, notice = Nothing(0), error.code
    except (Taken, AlreadyDecided, OwnOpinion) as error:
        found, notice = Nothing(0), error.code
    if isinstance(found, Nothing):
        found = await working_set.next(
            who, order=view.order, category=view.filter, on_screen=on_screen, share=share
        )
    assigned = isinstance(found, Item) and _is_of(share, found)
    return {
        "item": found if isinstance(found, Item) else None,
        "skipped": found.skipped if isinstance(found, Nothing) else 0,
        "notice": notice,
        "asked": item,
        # Whoever has a share knows the model's guess by that: such an item is not blind.
        "assigned": assigned,
        "can_undo": await working_set.can_undo(who),
    }


def _is_of(share: AssignedShare, item: Item) -> bool:
    """Tell whether a review comes to a person because its category is theirs; an audit never does."""
    ordinary = item.kind == "first" and item.task.reason != AUDIT
    return ordinary and item.suggested in share.own


async def _progress(site: Site, visitor: Visitor) -> HTMLResponse:
    progress = await site.statistics.progress(visitor.name)
    return site.page(visitor, "progress-bar.html", progress=progress)


def _is_script(request: Request) -> bool:
    return request.headers.get("x-partial") == "1"


def _with_item(view: View, review_id: str) -> str:
    return f"{view.address}{'&' if '?' in view.address else '?'}item={quote(review_id, safe='')}"
