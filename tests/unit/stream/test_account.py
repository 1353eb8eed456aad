"""The account's name, also where it has none."""

import pwd

import pytest

from stream.account import account_name


@pytest.fixture
def nameless(monkeypatch):
    """A container's user of any number: no variable and no line of the passwords names it."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)

    def getpwuid(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    monkeypatch.setattr(pwd, "getpwuid", getpwuid)


def test_an_account_without_a_name_is_unknown(nameless):
    assert account_name() == "unknown"


def test_an_account_has_the_name_that_the_machine_gives_it(monkeypatch):
    monkeypatch.setenv("LOGNAME", "anna")
    assert account_name() == "anna"
