"""The page of Redis keys lists every key that the code names, and no other."""

import ast
import re
from pathlib import Path

from stream.worker.cache import KEY_PREFIX

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "deploy/docs/redis-keys.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `([^`]+)` \| (?:string|set|hash|list|sorted set) \|", re.MULTILINE)
_IN_LUA = re.compile(r"\bP \.\. '([a-z:]+)'")
# Names that a script puts behind the prefix one after the other.
_LISTED_IN_LUA = re.compile(
    r"in ipairs\(\{((?:'[a-z:]+'(?:, *)?)+)\}\) do[^\n]*(?:\n[^\n]*)?P \.\. name"
)
_KEY_METHODS = {"key", "_key", "_get"}


def keys_in_scripts():
    """Names of keys in the queue's Lua."""
    for file in (ROOT / "stream/queue/scripts").glob("*.lua"):
        source = file.read_text(encoding="utf-8")
        yield from _IN_LUA.findall(source)
        for names in _LISTED_IN_LUA.findall(source):
            yield from re.findall(r"'([a-z:]+)'", names)


def keys_in_modules():
    """Names of keys in the queue's Python: what ``key()`` is called with, up to what varies."""
    for file in (ROOT / "stream/queue").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            given = node.args[0]
            if isinstance(given, ast.JoinedStr):
                given = given.values[0]
            if name in _KEY_METHODS and isinstance(given, ast.Constant):
                yield given.value


def test_the_page_lists_every_key_of_the_queue_and_of_the_cache_and_no_other():
    used = {KEY_PREFIX, *keys_in_scripts(), *keys_in_modules()}
    assert set(_ROW.findall(PAGE)) == used
    assert len(used) > 40


def test_the_page_names_the_prefix_of_a_queue():
    source = (ROOT / "stream/queue/redis_scripts.py").read_text(encoding="utf-8")
    assert '"{{reviews.queue.{topics.prefix}}}:"' in source
    assert "`{reviews.queue.PREFIX}:`" in PAGE
