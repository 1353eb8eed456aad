"""A stranger's text on a terminal or in a log."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from stream.cli.console import SafeConsole
from stream.terminal import blanked, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("платье, 42\u00a0размер", "платье, 42\u00a0размер"),
        ("\x1b[31m", r"\u001b[31m"),
        ("\x9b2J", r"\u009b2J"),
        ("\u202eтекст", r"\u202eтекст"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\rb", r"a\u000db"),
        ("\udcff", r"\udcff"),
        ("\U000e0041", r"\udb40\udc41"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert visible(text) == shown


def test_on_one_line_breaks_are_written_out_too():
    assert visible("a\tb\n", one_line=True) == r"a\u0009b\u000a"


@given(st.dictionaries(st.text(), st.text()))
def test_json_stays_the_same_json(document):
    said = visible(json.dumps(document, ensure_ascii=False))
    assert json.loads(said) == document
    assert said.isprintable() or not any(c < " " or "\x7f" <= c < "\xa0" for c in said)


@given(st.text())
def test_nothing_that_moves_a_cursor_is_left(text):
    for shown in (visible(text), blanked(text)):
        assert not any((c < " " and c not in "\t\n") or "\x7f" <= c < "\xa0" for c in shown)


def printed(*what, **options):
    console = SafeConsole(file=io.StringIO(), width=80, highlight=False, **options)
    for item in what:
        console.print(item, markup=False)
    return console.file.getvalue()


def test_a_console_writes_out_what_a_text_brings_along():
    table = Table("key")
    table.add_row("\x1b]0;owned\x07")
    said = printed("\x1b[2J", Text("\x9b1m"), table)
    assert "\x1b" not in said
    assert "\x9b" not in said
    assert r"\u001b]0;owned" in said


def test_a_console_keeps_its_own_colours():
    said = printed(Text("red", style="red"), force_terminal=True, color_system="standard")
    assert "\x1b[31mred" in said
