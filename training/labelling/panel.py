"""Which labellers vote in a run: those that the settings name and that are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from schemas import active_taxonomy
from stream.listing import some
from stream.settings import LabelSettings
from training.data.files import UnlabelledReview
from training.errors import DataError, LabellerUnavailable
from training.labelling.classifier_voter import ClassifierLabeller
from training.labelling.dictionary import DictionaryLabeller
from training.labelling.embedding import TransformerEmbedder
from training.labelling.heuristic import HeuristicLabeller
from training.labelling.llm.answers import AnswerCache
from training.labelling.llm.local import LocalCausalLabeller
from training.labelling.llm.voter import LlmLabeller
from training.labelling.recorded import RecordedLabeller
from training.labelling.run import Llm, Panel
from training.labelling.sold import SoldLabeller
from training.labelling.votes import Labeller
from training.labelling.zero_shot import ZeroShotLabeller


def cheap_panel(settings: LabelSettings, model_folder: Path | None = None) -> Panel:
    """Load the cheap labellers, the most believable first; a note for each that is not installed.

    Args:
        settings: which labellers, and where their weights are.
        model_folder: of the serving classifier, asked only if the settings let it vote.

    Raises:
        RulesError: the rule file or the dictionary is wrong.
        ModelError: the classifier is to vote and its folder cannot be used.
    """
    cheap: list[Labeller] = []
    notes: list[str] = []
    spreadable = {HeuristicLabeller.name}
    makers: list[Callable[[], Labeller]] = [HeuristicLabeller.load, lambda: _dictionary(settings)]
    if settings.zero_shot_model:
        makers.append(lambda: _zero_shot(settings))
    for make in makers:
        try:
            cheap.append(make())
        except LabellerUnavailable as error:
            notes.append(f"{error.message}: that labeller abstains ({error.remedy})")
    if settings.encoder is None:
        spreadable.add(DictionaryLabeller.name)
    if settings.classifier_votes and model_folder is not None:
        cheap.append(ClassifierLabeller.load(model_folder))
    return Panel(tuple(cheap), None, tuple(notes), frozenset(spreadable))


def with_sold(panel: Panel, reviews: Sequence[UnlabelledReview]) -> Panel:
    """Return the labellers with one more that goes by what was sold, after the rules that it reads with.

    Args:
        panel: without it.
        reviews: that say what was sold; a text that is asked about again is known by them.

    Raises:
        DataError: of nothing that was sold a name or rule tells the category, as of article numbers.
    """
    rules = next((one for one in panel.cheap if isinstance(one, HeuristicLabeller)), None)
    sold = SoldLabeller.of(reviews, rules)
    if not sold.tells_any():
        raise DataError(
            f"no name or rule tells the category of anything that was sold: {some(sold.names)}",
            "name a column of products or categories with --sold, or leave it out",
        )
    first = int(rules is not None)
    return replace(panel, cheap=(*panel.cheap[:first], sold, *panel.cheap[first:]))


def _zero_shot(settings: LabelSettings) -> ZeroShotLabeller:
    """Load the checkpoint that the settings name, or the one that was made here."""
    assert settings.zero_shot_model is not None  # noqa: S101 - asked for only where one is named
    try:
        return ZeroShotLabeller(settings.zero_shot_model, settings.device)
    except LabellerUnavailable as error:
        if (settings.nli / "config.json").is_file():
            return ZeroShotLabeller(str(settings.nli), settings.device)
        remedy = f"{error.remedy}, or make a small one with `reviews label nli`"
        languages = active_taxonomy().languages
        unset = settings.zero_shot_model == LabelSettings.model_fields["zero_shot_model"].default
        if unset and languages and "ru" not in languages:
            remedy = (
                f"it is Russian: for texts in {', '.join(languages)} name an NLI checkpoint of theirs, "
                "REVIEWS_LABEL__ZERO_SHOT_MODEL"
            )
        raise LabellerUnavailable(error.message, remedy) from None


def _dictionary(settings: LabelSettings) -> DictionaryLabeller:
    if settings.encoder is None:
        return DictionaryLabeller.load()
    return DictionaryLabeller.load(embedder=TransformerEmbedder(settings.encoder, settings.device))


@contextmanager
def open_llm(
    settings: LabelSettings, recorded: RecordedLabeller | None = None
) -> Iterator[Llm | None]:
    """Yield the LLM that the settings name, None if there is none.

    Args:
        settings: of the endpoint or the local model.
        recorded: recorded answers instead.

    Raises:
        DataError: the file of kept answers cannot be read.
        LabellerUnavailable: the local model is not on this machine.
    """
    if recorded is not None:
        yield recorded
    elif settings.llm_local is not None:
        yield LocalCausalLabeller(settings.llm_local, settings.device)
    elif settings.llm_url is not None:
        with AnswerCache(settings.llm_cache) as cache:
            yield LlmLabeller(settings, cache)
    else:
        yield None
