"""Records of trainings, comparisons and pretrainings in MLflow, with the extra ``mlflow``.

A record holds options, digests of the data, versions, losses by epoch, scores, and the files that
describe a result; never weights, and never a review's text unless that was asked for. A record that
cannot be kept costs the record and not the training: that is said once, and the work goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stream.errors import ExtraMissing
from training.tracking.tracker import Tracker

if TYPE_CHECKING:
    from stream.settings import TrackingSettings


def open_tracker(settings: TrackingSettings, tell: Callable[[str], None]) -> Tracker:
    """Return what records go to; one that keeps none where no server and no folder is named.

    Nothing is asked of a server yet.

    Args:
        settings: where records go.
        tell: gets the one line that says that records cannot be kept.

    Raises:
        ConfigError: MLflow's client cannot write to such an address.
        ExtraMissing: an address is set, and the extra ``mlflow`` is not installed.
    """
    uri = settings.uri.get_secret_value() if settings.uri is not None else ""
    if not uri:
        return Tracker(None, tell)
    try:
        from training.tracking.store import MlflowStore  # noqa: PLC0415 - loads MLflow
    except ModuleNotFoundError as error:
        raise ExtraMissing(
            f"records of trainings need {error.name}, which is not installed",
            "pip install 'reviews-stream[mlflow]', or leave out --track",
        ) from None
    return Tracker(MlflowStore(uri, settings.experiment), tell, pages=settings.texts)
