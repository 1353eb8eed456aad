"""Kafka's jars: pinned by digest, fetched once, checked each time they are used."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.errors import DataFolderError, DownloadFailed, NotInstalled
from stream.private_files import held

KAFKA_VERSION: Final = "4.3.0"

DownloadProgress = Callable[[int, int], None]
"""Called with bytes fetched so far and bytes in all; first with zero, last with both equal."""

LOCK_FILE: Final = Path(__file__).with_name("kafka.lock.json")
_CONNECTIONS: Final = 4  # polite to the repository; 46 small files are latency-bound
_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned artifact.

    Attributes:
        coordinate: Maven's ``group:artifact:version``.
        sha256: lower-case hex digest of the file.
        size: bytes.
    """

    coordinate: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Name in the cache."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    def matches(self, path: Path) -> bool:
        """Tell whether a file is this jar, byte for byte."""
        try:
            if path.stat().st_size != self.size:
                return False
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except FileNotFoundError:
            return False


def pinned_jars() -> list[Jar]:
    """Return the jars of the committed lock, in class path order."""
    return [Jar(**entry) for entry in json.loads(LOCK_FILE.read_text())["jars"]]


def default_cache_dir() -> Path:
    """Return where jars are kept: ``REVIEWS_CACHE_DIR``, or ``reviews`` in the user's cache."""
    if chosen := os.environ.get("REVIEWS_CACHE_DIR"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "reviews"


class JarCache:
    """A folder of verified jars, shared by all processes of a user.

    Args:
        folder: where; made when absent.
        jars: what it should hold.
    """

    def __init__(self, folder: Path | None = None, jars: Sequence[Jar] | None = None) -> None:
        self.folder = folder or default_cache_dir() / f"kafka-{KAFKA_VERSION}"
        self._jars = list(pinned_jars() if jars is None else jars)

    def ensure(self, progress: DownloadProgress | None = None) -> list[Path]:
        """Return the verified jars, fetching what is absent or damaged.

        Any number of processes may call this at the same time: one fetches, the others wait.

        Args:
            progress: told how far the download is; not called when there is nothing to fetch.

        Raises:
            DownloadFailed: a jar cannot be fetched, or is not the pinned one.
            DataFolderError: the cache folder cannot be written.
        """
        if self._missing():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with held(self.folder / ".lock"):
                    # Another process may have fetched them while we waited for the lock.
                    self._fetch(self._missing(), progress or _silent)
            except OSError as error:
                raise DataFolderError(
                    f"the jar cache {self.folder} cannot be written: {error}",
                    "free some space, or set REVIEWS_CACHE_DIR to a folder that can be written",
                ) from error
        return [self.folder / jar.file_name for jar in self._jars]

    def _missing(self) -> list[Jar]:
        return [jar for jar in self._jars if not jar.matches(self.folder / jar.file_name)]

    def _fetch(self, jars: list[Jar], progress: DownloadProgress) -> None:
        total = sum(jar.size for jar in jars)
        done = 0
        if jars:
            progress(done, total)
        with (
            tempfile.TemporaryDirectory(dir=self.folder, prefix=".partial-") as partial,
            ThreadPoolExecutor(_CONNECTIONS) as pool,
        ):
            fetched = pool.map(lambda jar: (jar, _download(jar, Path(partial))), jars)
            for jar, path in fetched:
                # A rename is atomic: a jar in the folder is whole, or not there.
                path.replace(self.folder / jar.file_name)
                done += jar.size
                progress(done, total)


def _silent(_done: int, _total: int) -> None:
    pass


def _download(jar: Jar, folder: Path) -> Path:
    # Imported here: it takes a third of a second, and a warm cache never needs it.
    try:
        import requests  # noqa: PLC0415
        from jgo.config import GlobalSettings  # noqa: PLC0415
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ImportError:
        raise NotInstalled("jgo") from None
    # A mirror named `central` in jgo's own configuration file takes the place of Maven Central.
    repositories = {"central": MAVEN_CENTRAL_URL} | GlobalSettings.load().repositories
    context = MavenContext(repo_cache=folder, remote_repos=repositories, timeout=_TIMEOUT_S)
    group, artifact, version = jar.coordinate.split(":")
    try:
        path: Path = context.project(group, artifact).at_version(version).artifact().resolve()
    except (RuntimeError, requests.RequestException) as error:
        raise DownloadFailed(
            f"{jar.coordinate} cannot be fetched: {error}",
            "the first start needs Maven Central (or a mirror of it named `central` in "
            "~/.config/jgo.conf); check the network and try again",
        ) from error
    if not jar.matches(path):
        raise DownloadFailed(
            f"{jar.coordinate} was fetched, but its SHA-256 is not the pinned one",
            "something on the way altered it (a proxy's error page?); nothing was kept: try again",
        )
    return path
