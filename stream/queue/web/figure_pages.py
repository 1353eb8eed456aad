"""Everything around the desk: figures, search, history, disagreements, guidelines, files."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.responses import Response

from schemas import Category, all_categories
from stream.errors import InputError
from stream.queue.export import MEDIA_TYPES, Format, standing_labels, written
from stream.queue.importing import import_annotations
from stream.queue.item import text_print
from stream.queue.label_studio import interface, read_annotations
from stream.queue.records import category_of
from stream.queue.web.errors import Malformed
from stream.queue.web.identity import CheckedForm, FromLead, FromPerson, TheSite
from stream.queue.web.moments import moment
from stream.queue.web.tables import tables
from stream.queue.working_set import Query as Wanted

router = APIRouter(include_in_schema=False)
_HITS = 100
_MOST_HITS = 800
_DISPUTES = 100
_ACTS = 200


class Search(BaseModel):
    """A search as the page's address holds it. What is no number or category is no condition."""

    words: Annotated[str, Field(max_length=200)] = ""
    category: str = ""
    least: str = ""
    most: str = ""
    reason: str = ""
    show: Annotated[int, Field(ge=1, le=_MOST_HITS)] = _HITS
    """How many are shown at most."""

    def wanted(self) -> Wanted:
        """Return the conditions."""
        return Wanted(
            words=self.words,
            category=Category(self.category) if self.category in set(all_categories()) else None,
            least=_percent(self.least, 0.0),
            most=_percent(self.most, 1.0),
            reason=self.reason if self.reason in {"low-confidence", "canary"} else "",
        )


def _percent(text: str, otherwise: float) -> float:
    try:
        return min(max(float(text.replace(",", ".")) / 100, 0.0), 1.0)
    except ValueError:
        return otherwise


@router.get("/search")
async def search(
    site: TheSite, visitor: FromPerson, search: Annotated[Search, Query()]
) -> HTMLResponse:
    """Find what waits; without a condition, the most informative of it."""
    wanted, working_set = search.wanted(), site.working_set
    anything = wanted == Wanted()
    # One more than is shown says whether there is more.
    wanted_count = search.show + 1
    hits = await (
        working_set.foremost(wanted_count) if anything else working_set.search(wanted, wanted_count)
    )
    found, more = hits[: search.show], ""
    if len(hits) > search.show and search.show < _MOST_HITS:
        following = search.model_copy(update={"show": min(search.show + _HITS, _MOST_HITS)})
        more = f"/search?{urlencode(following.model_dump())}"
    progress = await site.statistics.progress(visitor.name)
    return site.page(
        visitor,
        "search.html",
        search=search,
        found=found,
        waiting=progress.waiting if anything else None,
        more=more,
        prints={hit.task.review.review_id: text_print(hit.task.review.text) for hit in found},
        is_blind=site.working_set.is_blind,
    )


@router.get("/figures")
async def figures(site: TheSite, visitor: FromPerson) -> HTMLResponse:
    """Show progress, agreement, and what suggestions do."""
    report = await site.statistics.report()
    progress = await site.statistics.progress(visitor.name)
    return site.page(
        visitor, "figures.html", report=report, tables=tables(report), progress=progress
    )


@router.get("/history")
async def history(site: TheSite, visitor: FromPerson, *, everybody: bool = False) -> HTMLResponse:
    """Show the latest decisions: one's own, or a lead sees everybody's."""
    who = None if everybody and visitor.is_lead else visitor.name
    acts = [
        {**act, "chosen": category_of(act["category"]), "moment": moment(act["at"])}
        for act in await site.statistics.recent(_ACTS, who)
    ]
    return site.page(visitor, "history.html", acts=acts, everybody=who is None)


@router.get("/disputes")
async def disputes(site: TheSite, visitor: FromLead) -> HTMLResponse:
    """Show on what two people disagree."""
    items = await site.working_set.disputes(_DISPUTES)
    return site.page(visitor, "disputes.html", items=items)


@router.get("/guidelines")
async def guidelines(site: TheSite, visitor: FromPerson) -> HTMLResponse:
    """Show the codebook."""
    return site.page(visitor, "guidelines.html", version=site.queue.codebook_version)


@router.get("/files")
async def files(site: TheSite, visitor: FromPerson) -> HTMLResponse:
    """Offer exports and, to a lead, the import."""
    return site.page(
        visitor, "files.html", outcome=None, not_read=0, error=None, interface=interface()
    )


@router.get("/export")
async def export(
    site: TheSite,
    visitor: FromPerson,  # noqa: ARG001 - somebody must be signed in
    form: Annotated[Format, Query(alias="format")] = "csv",
) -> Response:
    """Download all decisions that hold now."""
    labels = await standing_labels(site.settings)
    extension = {"label-studio": "json", "excel": "csv"}.get(form, form)
    return StreamingResponse(
        written(labels, form),
        media_type=MEDIA_TYPES[form],
        headers={"content-disposition": f'attachment; filename="labels.{extension}"'},
    )


@router.post("/import")
async def import_file(site: TheSite, visitor: FromLead, form: CheckedForm) -> HTMLResponse:
    """Take in annotations from Label Studio."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise Malformed("no file was sent", "choose one")
    outcome, not_read, failure = None, 0, None
    try:
        annotations, not_read = read_annotations(await file.read())
        outcome = await import_annotations(site.desk, visitor.acting, annotations)
    except InputError as error:
        failure = error
    return site.page(
        visitor,
        "files.html",
        400 if failure else 200,
        outcome=outcome,
        not_read=not_read,
        error=failure,
        interface=interface(),
    )
