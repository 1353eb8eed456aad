"""The rooms' arrows: who may import whom, read from the source and seen in a process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "schemas": {"stream", "training", "deploy", "torch", "transformers"},
    "stream": {"training", "torch", "transformers", "sklearn", "peft"},
    "training": {"tests"},
    "deploy": {"training", "torch", "transformers", "tests"},
}
# Inside a room, from the ground up: an entry imports only from entries that stand before it.
FLOORS = {
    "stream": (
        "account", "containers", "credentials", "errors", "intervals", "listing", "privacy", "reports", "sampling", "seal",
        "terminal", "text", "categories", "files", "private_files", "settings", "logs", "tls",
        "redis", "taxonomies", "tracing", "web", "schema_registry", "kafka", "exactly_once", "guard", "model", "acl", "clients",
        "queue", "audit", "worker", "monitor", "operations", "bench", "demo", "cli",
    ),
    "training": (
        "drawing", "errors", "writable", "registry", "data", "words", "measures", "calibrate", "encoders",
        "fit", "split", "gate", "pretraining", "models", "distillation", "out_of_fold", "foreign", "export", "cascade",
        "train", "comparison", "labelling", "relabeller", "retrain", "tracking", "cli",
    ),
}  # fmt: skip


def imported_by(file):
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_imports_only_what_its_arrows_allow(room):
    found = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in (ROOT / room).rglob("*.py")
        for name in imported_by(file)
        if name in FORBIDDEN[room]
    }
    assert not found


def entries_of(room):
    """Return the modules and packages of a room, by name."""
    found = {file.relative_to(ROOT / room).parts[0] for file in (ROOT / room).rglob("*.py")}
    return {name.removesuffix(".py") for name in found} - {"__init__", "__main__"}


def own_imports(room):
    """Yield each import inside a room, also one inside a function: the file, its entry, and whose it takes."""
    for file in (ROOT / room).rglob("*.py"):
        entry = file.relative_to(ROOT / room).parts[0].removesuffix(".py")
        if entry == "__main__":  # the roof: nobody imports it
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                modules = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            else:
                continue
            for module in modules:
                parts = module.split(".")
                if parts[0] == room and len(parts) > 1 and parts[1] != entry:
                    yield file.relative_to(ROOT), entry, parts[1]


@pytest.mark.parametrize("room", FLOORS)
def test_every_entry_of_a_room_stands_on_a_floor(room):
    assert sorted(FLOORS[room]) == sorted(entries_of(room))


@pytest.mark.parametrize("room", FLOORS)
def test_an_entry_imports_only_from_the_floors_below_it(room):
    floor = {name: number for number, name in enumerate(FLOORS[room])}
    upwards = {
        f"{file} imports {room}.{target}"
        for file, entry, target in own_imports(room)
        if floor[target] >= floor[entry]
    }
    assert not upwards


def modules_imported_by(file):
    """Yield the full names of modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def test_exactly_once_knows_kafka_and_errors_and_nothing_of_reviews_or_settings():
    allowed = ("stream.exactly_once", "stream.kafka", "stream.errors")
    found = {
        f"{file.name} imports {name}"
        for file in (ROOT / "stream" / "exactly_once").glob("*.py")
        for name in modules_imported_by(file)
        if name.partition(".")[0] in FORBIDDEN and not name.startswith(allowed)
    }
    assert not found


def test_a_worker_runs_without_torch_and_training():
    code = (
        "import sys, stream.worker.app, stream.clients, stream.cli.app; "
        "print([m for m in ('torch', 'transformers', 'sklearn', 'training') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_a_replay_and_an_erasure_load_no_runtime_of_a_model():
    code = (
        "import sys, stream.operations.replay, stream.operations.erasure; "
        "print([m for m in ('onnxruntime', 'tokenizers', 'stream.worker.app') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def modules():
    """Every module of the product by its full name."""
    found = {}
    for room in FORBIDDEN:
        for file in (ROOT / room).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts).removesuffix(".__init__")] = file
    return found


def packages_above(module):
    """Yield a module's packages, from the outermost."""
    parts = module.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts)))


def runs_at_import(body):
    """Yield the imports that run when a module is imported: in no function, and not for types only."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from runs_at_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "handlers", "finalbody"):
                yield from runs_at_import(getattr(node, part, []))


def needed_first(module, file, known):
    """Return the modules that must have been imported for a module to be."""
    needed = set()
    for node in runs_at_import(ast.parse(file.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        else:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            names = inner & known.keys() or {node.module}
            # A name that is no module comes from what the package itself holds.
            names |= {node.module} if inner - known.keys() else set()
        for name in names & known.keys():
            needed |= {name, *packages_above(name)} - set(packages_above(module)) | {name}
    return needed - {module}


def test_every_module_can_be_the_first_that_is_imported():
    known = modules()
    waiting = {module: needed_first(module, file, known) for module, file in known.items()}
    while ready := {module for module, needed in waiting.items() if not needed}:
        waiting = {m: needed - ready for m, needed in waiting.items() if m not in ready}
    assert not waiting, "these need each other"
