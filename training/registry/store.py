"""The registry: a folder that any tool can read.

::

    registry.json         versions, names and history; replaced atomically
    versions/000001/      a model folder, read-only, exactly as it was added
    reports/000001/       what the gate said of it (HTML, Markdown, JSON)

Numbers are given once and for ever. A name (``champion``, ``challenger``) points to a number and
moves; every move is in the history with who, when and why.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from stream.account import account_name
from stream.errors import ModelError
from stream.model.folder import (
    MANIFEST,
    Manifest,
    file_digest,
    graph_bytes,
    has_active_categories,
    read_any_manifest,
    verify,
)
from stream.private_files import sync_folder
from training.registry.errors import (
    NothingToRollBack,
    OtherTaxonomy,
    RefusedByGate,
    RegistryDamaged,
    UnknownVersion,
)
from training.registry.files import copy_model, locked, write_atomically
from training.registry.records import (
    CHALLENGER,
    CHAMPION,
    Action,
    HistoryEntry,
    State,
    VersionRecord,
    now,
)

_STATE: Final = "registry.json"
_LOCK: Final = ".lock"
_VERSIONS: Final = "versions"
_REPORTS: Final = "reports"


class Registry:
    """A registry in a folder, which is made when the first model comes.

    Safe for several processes on one file system: writers take turns.

    Args:
        folder: of the registry.
        user: goes into the history; the account's name unless given.
    """

    def __init__(self, folder: Path, user: str | None = None) -> None:
        self.folder = folder
        self.user = user if user is not None else account_name()

    def state(self) -> State:
        """Read everything but the models.

        Raises:
            RegistryDamaged: the registry's file is no such file.
        """
        path = self.folder / _STATE
        try:
            return State.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return State()
        except (ValidationError, OSError) as error:
            raise RegistryDamaged(
                f"{path} cannot be read: {error}", "restore it from a backup; the models are intact"
            ) from None

    def resolve(self, what: str | int, state: State | None = None) -> VersionRecord:
        """Find a version by number, name (champion, challenger) or content version.

        Raises:
            UnknownVersion: there is none.
        """
        state = state or self.state()
        named = {CHAMPION: state.champion, CHALLENGER: state.challenger}
        key = str(what)
        number = named[key] if key in named else int(key) if key.isdecimal() else None
        for record in state.versions:
            if record.number == number or record.version == key:
                return record
        if key in named:
            raise UnknownVersion(f"there is no {key} yet", "add one: `reviews model add FOLDER`")
        raise UnknownVersion(
            f"the registry {self.folder} has no version {key}", "`reviews model list` shows all"
        )

    def path(self, record: VersionRecord) -> Path:
        """Return the folder that holds a version."""
        return (self.folder / _VERSIONS / f"{record.number:06}").resolve()

    def report_folder(self, record: VersionRecord) -> Path:
        """Return where the gate's reports about a version are, whether there are any or not."""
        return self.folder / _REPORTS / f"{record.number:06}"

    def check(self, record: VersionRecord) -> Manifest:
        """Check that a stored model is byte for byte what was added.

        Raises:
            RegistryDamaged: it is not.
            OtherTaxonomy: it was made for another taxonomy than the active one.
        """
        folder = self.path(record)
        try:
            if not has_active_categories(read_any_manifest(folder)):
                raise OtherTaxonomy(
                    f"version {record.number} has other categories than the active taxonomy",
                    "set REVIEWS_TAXONOMY to the one that it was trained for, or name another version",
                )
            manifest = verify(folder)
            digest = file_digest(folder / MANIFEST)
        except (ModelError, OSError) as error:
            raise RegistryDamaged(
                f"version {record.number} is damaged: {error}", "restore its folder from a backup"
            ) from None
        if (manifest.version, digest) != (record.version, record.manifest_digest):
            raise RegistryDamaged(
                f"version {record.number} is not the model that was added",
                "restore its folder from a backup",
            )
        return manifest

    def add(
        self, folder: Path, *, why: str = "", lineage: Mapping[str, Any] | None = None
    ) -> VersionRecord:
        """Store a copy of a model folder under the next number. A model that is here stays one.

        Raises:
            ModelError: the folder is no sound model.
        """
        manifest = verify(folder)
        digest = file_digest(folder / MANIFEST)
        with locked(self.folder / _LOCK):
            state = self.state()
            for known in state.versions:
                if known.manifest_digest == digest:
                    return known
            record = VersionRecord(
                number=state.next_number,
                version=manifest.version,
                manifest_digest=digest,
                name=manifest.name,
                family=manifest.family,
                added_at=now(),
                added_by=self.user,
                why=why,
                size_bytes=graph_bytes(folder, manifest),
                metrics=manifest.metrics,
                training_digest=manifest.training_digest,
                lineage=dict(lineage or {}),
            )
            self._store(folder, record)
            versions = (*state.versions, record)
            self._write(
                state.model_copy(update={"versions": versions}), self._change("added", record, why)
            )
        return record

    def promote(self, what: str | int, *, why: str = "", despite_gate: str = "") -> VersionRecord:
        """Make a version the champion. A challenger that is promoted is a challenger no more.

        Args:
            what: number, name or content version.
            why: goes into the history.
            despite_gate: why it should serve although the gate refused it; kept in the history.

        Raises:
            RefusedByGate: the gate refused it and ``despite_gate`` is empty; nothing changed.
            UnknownVersion: there is none.
            RegistryDamaged: what is stored is not what was added; nothing changed.
        """

        def chosen(state: State) -> VersionRecord:
            record = self.resolve(what, state)
            verdict = state.verdict(record.number)
            if verdict is not None and verdict.action == "refused" and not despite_gate.strip():
                raise RefusedByGate(
                    f"the gate refused version {record.number}: {verdict.why or 'no reason is kept'}",
                    f"`reviews model promote {record.number} --despite-gate REASON` promotes it "
                    "all the same, and keeps the reason",
                )
            return record

        return self._move("promoted", chosen, why, despite_gate.strip())

    def rollback(self, *, why: str = "") -> VersionRecord:
        """Make the former champion champion again.

        Raises:
            NothingToRollBack: there was none before.
            RegistryDamaged: what is stored is not what was added; nothing changed.
        """

        def former(state: State) -> VersionRecord:
            numbers = state.former_champions()
            if not numbers:
                raise NothingToRollBack(
                    "no other version has been champion before",
                    "`reviews model promote N` puts any version in its place",
                )
            return self.resolve(numbers[0], state)

        return self._move("rolled-back", former, why)

    def challenge(self, what: str | int, *, why: str = "") -> VersionRecord:
        """Name a version the challenger.

        Raises:
            UnknownVersion: there is none.
        """
        with locked(self.folder / _LOCK):
            state = self.state()
            record = self.resolve(what, state)
            if state.challenger != record.number:
                after = state.model_copy(update={"challenger": record.number})
                self._write(after, self._change("challenger", record, why))
        return record

    def approve(self, what: str | int, *, why: str) -> VersionRecord:
        """Write down that a version passed the gate. Its names stay as they are."""
        with locked(self.folder / _LOCK):
            state = self.state()
            record = self.resolve(what, state)
            self._write(state, self._change("passed", record, why))
        return record

    def refuse(self, what: str | int, *, why: str) -> VersionRecord:
        """Write down that the gate refused a version. It stays in the registry, without a name."""
        with locked(self.folder / _LOCK):
            state = self.state()
            record = self.resolve(what, state)
            challenger = None if state.challenger == record.number else state.challenger
            after = state.model_copy(update={"challenger": challenger})
            self._write(after, self._change("refused", record, why))
        return record

    def _move(
        self,
        action: Action,
        choose: Callable[[State], VersionRecord],
        why: str,
        despite_gate: str = "",
    ) -> VersionRecord:
        with locked(self.folder / _LOCK):
            state = self.state()
            record = choose(state)
            self.check(record)
            if state.champion == record.number:
                return record
            challenger = None if state.challenger == record.number else state.challenger
            verdict = state.verdict(record.number)
            refused = verdict is not None and verdict.action == "refused"
            change = self._change(action, record, why).model_copy(
                update={
                    "previous": state.champion,
                    "despite_gate": despite_gate if refused else "",
                }
            )
            names = {"champion": record.number, "challenger": challenger}
            self._write(state.model_copy(update=names), change)
        return record

    def _change(self, action: Action, record: VersionRecord, why: str) -> HistoryEntry:
        return HistoryEntry(at=now(), by=self.user, action=action, number=record.number, why=why)

    def _store(self, source: Path, record: VersionRecord) -> None:
        final = self.path(record)
        # What a crash between copying and writing down left behind has no number: nobody knows it.
        for stale in (final, final.with_name(f".{final.name}")):
            shutil.rmtree(stale, ignore_errors=True)
        aside = final.with_name(f".{final.name}")
        try:
            copy_model(source, aside)
            self._check_copy(aside, record)
            aside.rename(final)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        sync_folder(final.parent)

    def _check_copy(self, copy: Path, record: VersionRecord) -> None:
        verify(copy)
        if file_digest(copy / MANIFEST) != record.manifest_digest:
            raise ModelError("the model changed while it was copied", "add it again")

    def _write(self, state: State, change: HistoryEntry) -> None:
        after = state.model_copy(update={"history": (*state.history, change)})
        write_atomically(self.folder / _STATE, after.model_dump_json(indent=2) + "\n")
