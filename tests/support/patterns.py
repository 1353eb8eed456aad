"""Every regular expression of the project, and texts on which a slow one would be slow.

Patterns are not looked for in variables, where one could be overlooked, but taken from the calls
of :mod:`re`: those that run when a module is imported are recorded as they run, the others are read
from the source. Pydantic's ``pattern=`` is not among them: its engine is linear by construction.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

from tests.support.growth import grows_at_most
from training.words.rules import load_rules

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("schemas", "stream", "training", "deploy")
# What a call does with a text: all matches of it, one at its beginning, or the whole of it.
_USES: Final[dict[str, str]] = {
    **dict.fromkeys(("finditer", "findall", "search", "sub", "subn", "split"), "scan"),
    "match": "match",
    "fullmatch": "fullmatch",
}
ALL_USES: Final = tuple(dict.fromkeys(_USES.values()))
# Characters of these classes, one of each kind that a class may tell apart.
_OF_CATEGORY: Final[dict[str, str]] = {
    "CATEGORY_DIGIT": "7",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_WORD": "-",
}
_ANYTHING: Final = "aя7 -\n.ZЯ\u0301\u200b😀"


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern of the project.

    Attributes:
        where: file and name (or line, where it has no name), or rule file and rule.
        pattern: compiled.
        uses: what is done with it, of ``scan``, ``match`` and ``fullmatch``.
    """

    where: str
    pattern: re.Pattern[str]
    uses: tuple[str, ...] = ALL_USES


@dataclass(frozen=True, slots=True)
class Call:
    """A call of :mod:`re` in the source, with what it says literally.

    Attributes:
        file: relative to the root.
        line: of the call.
        name: of the variable that is assigned from it, or empty.
        function: of ``re``.
        literal: pattern and flags, or None where they are computed.
    """

    file: str
    line: int
    name: str
    function: str
    literal: tuple[str, int] | None

    @property
    def where(self) -> str:
        """Return what a person finds it by."""
        return f"{self.file}:{self.name or self.line}"


def every_pattern() -> tuple[list[Found], list[Call]]:
    """Return all patterns, and the calls whose patterns are not known here."""
    files = [_Source(file) for file in _files()]
    calls = [call for file in files for call in file.calls]
    computed = [call for call in calls if call.literal is None]
    at_import = _compiled_at_import(sorted({call.file for call in computed}))
    found, unknown = [], []
    for call in calls:
        sources = [call.literal] if call.literal else at_import.get((call.file, call.line), [])
        if not sources:
            unknown.append(call)
            continue
        uses = _uses_of(call, files) if call.function == "compile" else (_USES[call.function],)
        found += [Found(call.where, re.compile(*source), uses) for source in sources]
    return [*found, *_rules()], unknown


def attacks(pattern: re.Pattern[str]) -> list[str]:
    """Return texts to repeat: what the parts of a pattern match, alone and side by side."""
    pieces: dict[str, None] = {}
    # The parser is private to `re`, but nothing public tells the parts of a pattern.
    parser: Any = importlib.import_module("re._parser")
    for samples in _sequences(parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)):
        for first in samples:
            pieces.update(dict.fromkeys(first))
        for first, second in pairwise(samples):
            pieces.update(dict.fromkeys(a + b for a in first[:2] for b in second[:2]))
        firsts = [some[0] if some else "" for some in samples]
        pieces.update(dict.fromkeys("".join(firsts[:end]) for end in range(1, len(firsts) + 1)))
    pieces.pop("", None)
    return list(pieces)


def seconds(pattern: re.Pattern[str], use: str, text: str) -> float:
    """Return how long the processor works on one use of a pattern."""
    started = time.thread_time()
    if use == "scan":
        for _ in pattern.finditer(text):
            pass
    else:
        getattr(pattern, use)(text)
    return time.thread_time() - started


def repeated(piece: str, size: int) -> str:
    """Return a piece again and again, up to a size."""
    return (piece * (size // len(piece) + 1))[:size]


@dataclass(frozen=True, slots=True)
class Attack:
    """One use of a pattern on one text.

    Attributes:
        found: the pattern.
        use: what is done with it.
        piece: what is repeated.
    """

    found: Found
    use: str
    piece: str

    def seconds(self, size: int) -> float:
        """Return how long the processor works on a text of so many characters."""
        return seconds(self.found.pattern, self.use, repeated(self.piece, size))

    def __str__(self) -> str:
        return f"{self.found.where}: {self.use} of {self.piece!a} repeated"


# Small steps first: what takes exponential time is seen before it takes for ever.
_STEPS: Final = (16, 20, 24, 28, 32, 48, 64, 128, 256, 512, 2_048, 4_096)
_SCREEN: Final = 8_192
# A processor a hundred times slower than ours needs less for a linear pattern of this size.
_TOO_LONG: Final = 0.2


def worst_attacks(found: Found) -> list[Attack]:
    """Return the attacks that take longest, and grow fastest, up to 8,192 characters.

    An attack on which a short text takes long comes alone: a longer one might not end.
    """
    times: dict[Attack, tuple[float, float]] = {}
    for use in found.uses:
        for piece in attacks(found.pattern):
            attack = Attack(found, use, piece)
            before = 0.0
            for size in _STEPS:
                before = attack.seconds(size)
                if before > _TOO_LONG:
                    return [attack]
            times[attack] = (after := attack.seconds(_SCREEN)), after / max(before, 1e-5)
    longest = sorted(times, key=lambda attack: times[attack][0])[-1:]
    steepest = sorted(times, key=lambda attack: times[attack][1])[-1:]
    return list(dict.fromkeys(longest + steepest))


def is_linear(attack: Attack, short: int, long: int, at_most: float, rounds: int = 3) -> bool:
    """Tell whether the long text takes at most so many times longer, in the best of some rounds.

    No where a text shorter than the short one takes long already: the long one might not end.
    """
    if any(attack.seconds(size) > _TOO_LONG for size in _STEPS if size < short):
        return False
    return grows_at_most(
        at_most, attack.seconds, short, long, rounds=rounds, give_up_after=_TOO_LONG
    )


def _files() -> list[str]:
    return [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
    ]


def _calls(file: str, nodes: list[ast.AST]) -> Iterator[Call]:
    names = {
        id(node.value): target.id
        for node in nodes
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and node.value is not None
    }
    for node in nodes:
        if isinstance(node, ast.Call) and (function := _function_of_re(node)):
            yield Call(file, node.lineno, names.get(id(node), ""), function, _literal(node))


def _literal(call: ast.Call) -> tuple[str, int] | None:
    """Return the pattern and the flags of a call that says them literally."""
    pattern, *others = call.args
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    # `re.compile(pattern, flags)`; the other functions take a text or two between.
    flags = named.get("flags") or (
        others[0] if others and _function_of_re(call) == "compile" else None
    )
    if not isinstance(pattern, ast.Constant) or (flags and "re." not in ast.unparse(flags)):
        return None
    source = pattern.value
    if isinstance(source, bytes):
        source = source.decode("latin-1")
    value = eval(ast.unparse(flags), {"re": re}) if flags else 0
    return source, int(value)


def _function_of_re(call: ast.Call) -> str:
    """Return which function of :mod:`re` is called, empty if it is none that takes a pattern."""
    function = call.func
    if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name)):
        return ""
    known = function.value.id == "re" and function.attr in {"compile", *_USES}
    return function.attr if known else ""


def _compiled_at_import(files: list[str]) -> dict[tuple[str, int], list[tuple[str, int]]]:
    """Return file and line of calls, and the patterns with flags that they compiled.

    In a process of its own: here the modules may have been imported already.
    """
    modules = [".".join(Path(file).with_suffix("").parts) for file in files]
    done = subprocess.run(
        [sys.executable, "-c", _RECORDER, str(ROOT), *modules],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for file, line, pattern, flags in json.loads(done.stdout):
        result.setdefault((file, line), []).append((pattern, flags))
    return result


_RECORDER: Final = """
import importlib, json, re, sys
from pathlib import Path

root, modules = Path(sys.argv[1]), sys.argv[2:]
sys.path.insert(0, str(root))
plain, calls = re.compile, []


def recording(pattern, flags=0):
    compiled = plain(pattern, flags)
    frame = sys._getframe(1)
    file = Path(frame.f_code.co_filename)
    if file.is_relative_to(root) and ".venv" not in file.parts:
        source = compiled.pattern
        if isinstance(source, bytes):
            source = source.decode("latin-1")
        calls.append((str(file.relative_to(root)), frame.f_lineno, source, compiled.flags))
    return compiled


re.compile = recording
for module in modules:
    importlib.import_module(module.removesuffix(".__init__"))
print(json.dumps(calls))
"""


class _Source:
    """What a file says of patterns: calls of :mod:`re`, names that it imports, uses of names."""

    def __init__(self, file: str) -> None:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        nodes = list(ast.walk(tree))
        self.file = file
        self.calls = list(_calls(file, nodes))
        self.imports = {
            alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
        }
        self.uses: dict[str, set[str]] = {}
        attributes = [
            n for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
        ]
        for node in attributes:
            assert isinstance(node.value, ast.Name)
            # Of `pattern.pattern`, a part of another one, nothing is used here.
            self.uses.setdefault(node.value.id, set()).update(filter(None, [_USES.get(node.attr)]))
        plain = {id(node.value) for node in attributes}
        for node in nodes:
            if (
                isinstance(node, ast.Name)
                and isinstance(node.ctx, ast.Load)
                and id(node) not in plain
            ):
                self.uses.setdefault(node.id, set()).update(ALL_USES)


def _uses_of(call: Call, sources: list[_Source]) -> tuple[str, ...]:
    """Return what is done with the pattern of a name, everything where that is not plain to see."""
    if not call.name:
        return ALL_USES
    uses: set[str] = set()
    for source in sources:
        if source.file == call.file or call.name in source.imports:
            uses |= source.uses.get(call.name, set())
    return tuple(use for use in ALL_USES if use in uses)


def _rules() -> Iterator[Found]:
    for rule in load_rules().rule:
        for pattern in (*rule.patterns, *rule.numbers):
            yield Found(f"rules.toml:{rule.id}", re.compile(pattern), ("scan",))


def _sequences(parsed: Iterable[tuple[Any, Any]]) -> Iterator[list[list[str]]]:
    """Return samples of the nodes of all sequences inside a parsed pattern, itself first."""
    nodes = list(parsed)
    samples: list[list[str]] = []
    for operator, run in groupby(nodes, key=lambda node: str(node[0])):
        if operator == "LITERAL":  # a word is one thing
            samples.append(["".join(chr(argument) for _, argument in run)])
        else:
            samples += [list(_samples(node)) for node in run]
    yield samples
    for operator, argument in nodes:
        for child in _children(str(operator), argument):
            yield from _sequences(child)


def _children(operator: str, argument: Any) -> list[Any]:
    match operator:
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return [argument[2]]
        case "SUBPATTERN":
            return [argument[3]]
        case "BRANCH":
            return list(argument[1])
        case "ASSERT" | "ASSERT_NOT":
            return [argument[1]]
        case "ATOMIC_GROUP":
            return [argument]
        case _:
            return []


def _samples(node: tuple[Any, Any]) -> Iterator[str]:
    """Return a few texts that a node matches; none for what matches no characters."""
    operator, argument = str(node[0]), node[1]
    children = _children(operator, argument)
    match operator:
        case "LITERAL":
            yield chr(argument)
        case "NOT_LITERAL" | "ANY":
            yield next(char for char in _ANYTHING if ord(char) != argument)
        case "IN":
            yield from _of_class(argument)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            at_least = max(argument[0], 1)
            for sample in _of_sequence(children[0]):
                yield sample * at_least
        case "SUBPATTERN" | "BRANCH" | "ATOMIC_GROUP":
            for child in children[:8]:
                yield from _of_sequence(child)
        case _:
            return


def _of_sequence(sequence: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    samples = [list(_samples(node))[:3] for node in sequence]
    for which in range(max(map(len, samples), default=0)):
        yield "".join(some[min(which, len(some) - 1)] for some in samples if some)


def _of_class(items: list[tuple[Any, Any]]) -> Iterator[str]:
    kinds = [(str(operator), argument) for operator, argument in items]
    if kinds[0][0] == "NEGATE":
        yield from (char for char in _ANYTHING if not any(_holds(k, char) for k in kinds[1:]))
        return
    for kind, argument in kinds[:4]:
        match kind:
            case "LITERAL":
                yield chr(argument)
            case "RANGE":
                yield chr(argument[0])
            case _:
                yield _OF_CATEGORY[str(argument)]


def _holds(kind: tuple[str, Any], char: str) -> bool:
    match kind[0]:
        case "LITERAL":
            return ord(char) == kind[1]
        case "RANGE":
            return bool(kind[1][0] <= ord(char) <= kind[1][1])
        case _:
            return _IS_OF[str(kind[1])](char)


_IS_OF: Final[dict[str, Callable[[str], bool]]] = {
    "CATEGORY_DIGIT": str.isdigit,
    "CATEGORY_NOT_DIGIT": lambda char: not char.isdigit(),
    "CATEGORY_SPACE": str.isspace,
    "CATEGORY_NOT_SPACE": lambda char: not char.isspace(),
    "CATEGORY_WORD": lambda char: char.isalnum() or char == "_",
    "CATEGORY_NOT_WORD": lambda char: not (char.isalnum() or char == "_"),
}


if __name__ == "__main__":
    for one in every_pattern()[0]:
        for tried in worst_attacks(one):
            print(f"{tried.seconds(1_000_000):7.3f} s {tried.seconds(2_000_000):7.3f} s  {tried}")  # noqa: T201 - the table
