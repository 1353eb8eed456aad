"""Records as MLflow keeps them; its client is made to be quiet and to give up soon."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from stream.errors import ConfigError
from training.tracking.tracker import RunRecord, Status

KEY: Final = "reviews_key"
"""Tag of a run that is kept once, however often the work is taken up again."""
_PARENT: Final = "mlflow.parentRunId"
# What MLflow does not let a name of a metric, an option or a tag hold.
_NO_NAME: Final = re.compile(r"[^\w\-./ ]")
# The least that any version of the server takes.
_LONGEST_VALUE: Final = 500
# MLflow reads them at each call; what a person has set stays.
_DEFAULTS: Final = {
    # It would report its use to its makers.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    # Standard output is for data alone.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Seven retries of two minutes would hold a training up for a server that is down.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
# Newer clients write to a folder only where that was asked for. Whoever names one has asked.
_FOLDERS: Final = "MLFLOW_ALLOW_FILE_STORE"


class MlflowStore:
    """Keeps records in an experiment of a tracking server, or in a folder of the same kind.

    Nothing is asked of a server before the first record.

    Args:
        uri: http or https of the server, or a folder.
        experiment: that runs belong to; is made if it is absent.

    Raises:
        ConfigError: MLflow's client cannot write to such an address.
    """

    def __init__(self, uri: str, experiment: str) -> None:
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        if not urlsplit(uri).scheme:
            uri = Path(uri).resolve().as_uri()
        if urlsplit(uri).scheme == "file":
            os.environ.setdefault(_FOLDERS, "true")
        self.address, self._name = _without_account(uri), experiment
        try:
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        except (MlflowException, OSError) as error:
            why = f": {error.strerror}" if isinstance(error, OSError) else ""
            raise ConfigError(
                f"MLflow's client cannot write to {self.address}{why}",
                "name the http address of an `mlflow server`, or a folder: --track build/mlruns",
            ) from None

    def begin(self, record: RunRecord) -> str:
        """See :class:`training.tracking.tracker.Store`."""
        run = self._find(record.key) if record.key else None
        if run is None:
            began = round((time.time() - record.seconds) * 1000)
            made = self._client.create_run(self._experiment, began, run_name=record.name)
            run = str(made.info.run_id)
        else:
            self._client.update_run(run, status="RUNNING")
        tags = dict(record.tags)
        if record.parent:
            tags[_PARENT] = record.parent
        if record.key:
            tags[KEY] = record.key
        options = [Param(_name(k), str(v)[:_LONGEST_VALUE]) for k, v in record.options.items()]
        self._client.log_batch(run, params=options, tags=_tags(tags))
        return run

    def holds(self, key: str) -> bool:
        """See :class:`training.tracking.tracker.Store`."""
        return self._find(key, " and attributes.status = 'FINISHED'") is not None

    def add(
        self, run: str, metrics: Sequence[tuple[str, float, int]], tags: Mapping[str, str]
    ) -> None:
        """See :class:`training.tracking.tracker.Store`."""
        now = round(time.time() * 1000)
        figures = [Metric(_name(name), value, now, step) for name, value, step in metrics]
        self._client.log_batch(run, metrics=figures, tags=_tags(tags))

    def attach(self, run: str, paths: Sequence[Path]) -> None:
        """See :class:`training.tracking.tracker.Store`."""
        for path in paths:
            self._client.log_artifact(run, str(path))

    def end(self, run: str, status: Status) -> None:
        """See :class:`training.tracking.tracker.Store`."""
        self._client.set_terminated(run, status)

    @cached_property
    def _experiment(self) -> str:
        known = self._client.get_experiment_by_name(self._name)
        if known is None:
            return str(self._client.create_experiment(self._name))
        return str(known.experiment_id)

    def _find(self, key: str, further: str = "") -> str | None:
        wanted = f"tags.{KEY} = '{key}'{further}"
        found = self._client.search_runs([self._experiment], wanted, max_results=1)
        return str(found[0].info.run_id) if found else None


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(_name(name), value) for name, value in tags.items()]


def _name(name: str) -> str:
    return _NO_NAME.sub("_", name)


def _without_account(uri: str) -> str:
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
