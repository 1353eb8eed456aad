"""Whatever a guide or a message tells people to type exists: commands and options are checked against the CLI."""

import ast
import re
import shlex
from pathlib import Path

import pytest
import typer

from stream.cli.app import add_plugins, app

ROOT = Path(__file__).parents[3]
GUIDES = [ROOT / "README.md", *sorted((ROOT / "deploy" / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"```(?:sh|bash|console)\n(.*?)```", re.DOTALL)
_INLINE = re.compile(r"`(reviews [^`]+)`")
_BOLD = re.compile(r"\[bold\](reviews [^\[]+)\[")
# `reviews work [OPTIONS]`, `reviews erase REVIEW_ID`, `reviews bench ...`: a form, not a command.
_FORM = re.compile(r"[\[\]…|<>{}*]|\.\.\.|\b[A-Z]{3,}\b")


def named(guide):
    return str(guide.relative_to(ROOT))


def commands_in(guide):
    text = guide.read_text(encoding="utf-8")
    for block in _BLOCK.findall(text):
        joined = block.replace("\\\n", " ")
        for line in joined.splitlines():
            for part in re.split(r"\||&&|;", line.partition(" #")[0]):
                words = re.sub(r"^\s*(?:[A-Z_]+=\S+\s+)*(?:\.venv/bin/)?", "", part).strip()
                if words.startswith("reviews "):
                    yield words
    yield from (words for words in _INLINE.findall(text) if not _FORM.search(words))


@pytest.fixture(scope="module")
def root():
    add_plugins(app)
    return typer.main.get_command(app)


def check(command, words):
    """Look words up as the command line would, without running anything."""
    while (commands := getattr(command, "commands", None)) and words and words[0][0] != "-":
        assert words[0] in commands, f"there is no command {words[0]!r}"
        command, words = commands[words[0]], words[1:]
    known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
    known |= {"--help", "-h"}
    for word in words:
        if word.startswith("-") and len(word) > 1:
            assert word.partition("=")[0] in known, f"there is no option {word!r}"


@pytest.mark.parametrize("guide", GUIDES, ids=named)
def test_every_command_in_a_guide_exists_with_its_options(guide, root):
    for words in commands_in(guide):
        try:
            check(root, shlex.split(words)[1:])
        except AssertionError as error:
            raise AssertionError(f"{guide.name}: `{words}`: {error}") from None


def messages_in(source):
    """Yield every text of a module that is no docstring; what it fills in stands there as X."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) not in docstrings:
                yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                getattr(part, "value", "X") if isinstance(part, ast.Constant) else "X"
                for part in node.values
            )


def check_filled(command, words):
    """Look up a command as a message gives it: its name only, or all options and arguments that it needs."""
    while (commands := getattr(command, "commands", None)) and words and words[0][0] != "-":
        if words[0] not in commands and command.name == "label":
            words = ["run", *words]  # `reviews label FILE` is short for it
        assert words[0] in commands, f"there is no command {words[0]!r}"
        command, words = commands[words[0]], words[1:]
    if not words or words == ["--help"]:
        return
    given, arguments = filled(command, words)
    room = [p.nargs for p in command.params if p.param_type_name == "argument"]
    assert arguments <= len(room) or -1 in room, f"it takes {len(room)} arguments"
    for parameter in command.params:
        if parameter.param_type_name == "option" and parameter.required:
            assert parameter.name in given, f"{parameter.opts[0]} is required"


def filled(command, words):
    """Return names of the options that words give a command, and how many arguments they give it."""
    options = {o: p for p in command.params for o in (*p.opts, *p.secondary_opts)}
    given, arguments, left = set(), 0, list(words)
    while left:
        word, _, value = left.pop(0).partition("=")
        if word[0] != "-" or word == "-":
            arguments += 1
            continue
        assert word in options, f"there is no option {word!r}"
        given.add(options[word].name)
        if not (value or getattr(options[word], "is_flag", False)):
            assert left, f"{word} lacks its value"
            left.pop(0)
    return given, arguments


@pytest.mark.parametrize("package", ["schemas", "stream", "training"])
def test_every_command_in_a_message_can_be_typed(package, root):
    wrong, seen = [], 0
    for source in sorted((ROOT / package).rglob("*.py")):
        for message in messages_in(source):
            for words in (*_INLINE.findall(message), *_BOLD.findall(message)):
                if "..." in words:
                    continue
                seen += 1
                try:
                    check_filled(root, shlex.split(re.sub(r" [<>] ?\S+", "", words))[1:])
                except AssertionError as error:
                    wrong.append(f"{source.relative_to(ROOT)}: `{words}`: {error}")
    assert not wrong
    assert seen or package == "schemas"


def anchors_of(page):
    """Yield what a page's headings are called in a link, as GitHub makes it of them."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("guide", GUIDES, ids=named)
def test_every_link_to_a_heading_finds_it(guide):
    text = guide.read_text(encoding="utf-8")
    for target, heading in re.findall(r"\]\(([^)#:]*\.md)?#([^)]+)\)", text):
        page = guide.parent / target if target else guide
        assert heading in anchors_of(page), f"{guide.name} links to {target}#{heading}"


@pytest.mark.parametrize("guide", GUIDES, ids=named)
def test_every_test_that_a_guide_names_is_there(guide):
    files = {file.name for file in (ROOT / "tests").rglob("*.py")}
    text = guide.read_text(encoding="utf-8")
    assert not set(re.findall(r"\b(test_\w+\.py)\b", text)) - files


@pytest.mark.parametrize("guide", GUIDES, ids=named)
def test_every_link_to_a_file_leads_somewhere(guide):
    text = guide.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert (guide.parent / target).exists(), f"{guide.name} links to {target}"
