"""What is decided in one place: clients of Kafka and of Redis are made there, and nowhere else."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KAFKA = "stream/kafka/clients.py"
REDIS = "stream/redis/connection.py"
ADMINISTERING = "stream/kafka/administering.py"
PRIVATE = "stream/kafka/private.py"
STOPPING = "stream/kafka/stopping.py"
PLACES = {
    "AIOKafkaConsumer": KAFKA,
    "BoundedConsumer": KAFKA,
    "AIOKafkaProducer": KAFKA,
    "AIOKafkaAdminClient": KAFKA,
    "AIOKafkaClient": KAFKA,
    "Redis.from_url": REDIS,
    "Redis.from_pool": REDIS,
    "ConnectionPool.from_url": REDIS,
    "BlockingConnectionPool.from_url": REDIS,
    "Sentinel": REDIS,
}


def calls_in(file):
    """Yield what a file calls, as it is written there."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def product():
    """Every module of the product, with its path from the root."""
    for package in ("schemas", "stream", "training", "deploy"):
        for file in (ROOT / package).rglob("*.py"):
            yield file, file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("place", [KAFKA, REDIS])
def test_clients_are_made_in_one_place(place):
    names = {name for name, where in PLACES.items() if where == place}
    found = {
        (path, call)
        for file, path in product()
        for call in calls_in(file)
        if call in names and path != place
    }
    assert not found


def test_admin_clients_are_lent_by_one_place_that_starts_and_closes_them():
    found = {path for file, path in product() for call in calls_in(file) if call == "admin_client"}
    assert found == {ADMINISTERING}


def test_commands_run_their_work_where_ctrl_c_is_always_heard():
    commands = ("stream/cli/", "training/cli/")
    found = {
        path
        for file, path in product()
        for call in calls_in(file)
        if call == "asyncio.run" and path.startswith(commands)
    }
    assert found == {"stream/cli/signals.py"}


def test_the_exit_status_of_a_stopped_command_is_named():
    found = {
        path
        for file, path in product()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in {130, 143}
    }
    assert found == {"stream/cli/__init__.py"}


def test_producers_are_stopped_where_a_frozen_broker_is_not_waited_for():
    stopping = {"producer.stop", "self._producer.stop"}
    found = {path for file, path in product() for call in calls_in(file) if call in stopping}
    assert {path for path in found if not path.startswith("stream/bench/")} == {STOPPING}


def test_only_one_place_says_that_committed_records_are_read():
    found = {
        path
        for file, path in product()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in {"read_committed", "read_uncommitted"}
    }
    assert found == {KAFKA}


def foreign_privates(tree):
    """Yield private names that a module takes from objects which it does not define itself."""
    nodes = list(ast.walk(tree))
    # What is put into another object is not ours for that.
    own = {
        n.attr
        for n in nodes
        if isinstance(n, ast.Attribute)
        and isinstance(n.ctx, ast.Store)
        and ast.unparse(n.value) in {"self", "cls"}
    }
    own |= {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    own |= {"_replace"}  # public, of named tuples
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            holder = ast.unparse(node.value)
            if not node.attr.startswith("__") and holder not in {"self", "cls", "os", "super()"}:
                yield from {node.attr} - own


def test_only_one_module_reaches_into_what_is_not_its_own():
    found = {
        (path, name)
        for file, path in product()
        for name in foreign_privates(ast.parse(file.read_text(encoding="utf-8")))
        if path != PRIVATE
    }
    assert found == {
        # asyncio closes the transport of a child only in a loop that still runs.
        ("stream/demo/worker_process.py", "_transport"),
        # XlsxWriter has no other way to let go of the drafts of a workbook that is not finished.
        ("stream/files/table_back.py", "_opt_close"),
    }
