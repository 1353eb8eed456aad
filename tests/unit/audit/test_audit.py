"""`make audit` never takes silence for safety."""

import json
import stat
import sys

import pytest

from deploy.audit import NOT_AUDITED, VULNERABLE, audit, installed

GOOD = {"name": "orjson", "version": "3.11.0", "vulns": []}
BAD = {
    "name": "jinja2",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}],
}
SKIPPED = {"name": "structlog", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture
def pip_audit(tmp_path):
    """Make a pip-audit that answers as the real one did, and exits as it does."""

    def answering(*packages, says=None):
        answer = says if says is not None else json.dumps({"dependencies": packages, "fixes": []})
        program = tmp_path / "pip-audit"
        program.write_text(f"#!{sys.executable}\nprint({answer!r})\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    return answering


def test_a_vulnerability_is_named_with_its_remedy(pip_audit, capsys):
    assert audit(pip_audit(GOOD, BAD), ["jinja2==2.0"]) == VULNERABLE
    assert capsys.readouterr().out == "jinja2 2.0: PYSEC-2019-217, fixed in 2.10.1\n"


def test_nothing_found_is_good_news_only_where_something_was_looked_up(pip_audit, capsys):
    assert audit(pip_audit(GOOD, SKIPPED), ["orjson==3.11.0"]) == 0
    said = capsys.readouterr().err
    assert "1 packages audited, 0 vulnerabilities" in said
    assert "not known to the database: structlog" in said


def test_a_database_that_knows_nothing_audited_nothing(pip_audit, capsys):
    assert audit(pip_audit(SKIPPED), ["structlog==26.1.0"]) == NOT_AUDITED
    assert "nothing was audited" in capsys.readouterr().err


def test_an_audit_that_fails_is_one_clear_line(pip_audit, capsys):
    assert audit(pip_audit(says=""), ["orjson==3.11.0"]) == NOT_AUDITED
    assert "Traceback" not in capsys.readouterr().err


def test_everything_installed_is_asked_about():
    pins = dict(pin.split("==") for pin in installed())
    assert {"aiokafka", "onnxruntime", "redis"} <= pins.keys()
    assert "reviews-stream" not in pins
