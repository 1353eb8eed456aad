"""A decision as it holds: seen again, corrected, taken back."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse

from stream.queue.desk import Correction, require_may_correct
from stream.queue.errors import NotAllowed, QueueError
from stream.queue.records import category_of
from stream.queue.web.forms import CorrectionForm, TakeBackForm, own_path, read_form
from stream.queue.web.identity import CheckedForm, FromPerson, TheSite
from stream.queue.web.moments import moment
from stream.queue.web.site import Site
from stream.queue.web.visitor import Visitor

router = APIRouter(include_in_schema=False)
# The working set remembers so many acts of all people.
_ACTS = 1000


@router.get("/decided")
async def decided(
    site: TheSite,
    visitor: FromPerson,
    item: Annotated[str, Query(max_length=200)],
    *,
    corrected: bool = False,
) -> HTMLResponse:
    """Show a decision with the acts that led to it, and offer another one to whoever may correct it."""
    return site.page(
        visitor, "decided.html", **await _decision(site, visitor, item), corrected=corrected
    )


@router.post("/correct")
async def correct(site: TheSite, visitor: FromPerson, form: CheckedForm) -> RedirectResponse:
    """Put another decision in its place."""
    said = read_form(CorrectionForm, form)
    await site.desk.correct(
        visitor.acting, Correction(said.review_id, said.category, said.revision, said.note)
    )
    return RedirectResponse(f"{address_of(said.review_id)}&corrected=true", 303)


@router.post("/take-back")
async def take_back(site: TheSite, visitor: FromPerson, form: CheckedForm) -> RedirectResponse:
    """Take the latest act back, if it is the one that the page shows."""
    said = read_form(TakeBackForm, form)
    await site.desk.undo(visitor.name, only=said.review_id)
    return RedirectResponse(own_path(said.back), 303)


def address_of(review_id: str) -> str:
    """Return the page of a decision."""
    return f"/decided?item={quote(review_id, safe='')}"


async def _decision(site: Site, visitor: Visitor, review_id: str) -> dict[str, Any]:
    found = await site.working_set.decided(review_id)
    recent = [act for act in await site.statistics.recent(_ACTS) if act["id"] == review_id]
    own = [act for act in recent if act["who"] == visitor.name]
    # Who may still be asked for a second opinion must not learn the first one here.
    if not (visitor.is_lead or own or found.standing.labeller == visitor.name):
        raise NotAllowed("only a lead sees what others decided", "ask a lead")
    refusal = ""
    try:
        require_may_correct(visitor.acting, found)
    except QueueError as error:
        refusal = error.code
    shown = recent if visitor.is_lead else own
    acts = [
        {**act, "chosen": category_of(act["category"]), "moment": moment(act["at"])}
        for act in shown
    ]
    return {"found": found, "acts": acts, "refusal": refusal}
