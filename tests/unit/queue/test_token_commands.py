"""`reviews queue`: making, listing and ending tokens at the command line."""

import json

import pytest

from tests.support.command_line import assert_one_clear_line, reviews
from tests.support.queue import PASSWORD

pytestmark = pytest.mark.slow


@pytest.fixture
def queue(tmp_path):
    """Return `reviews queue` on accounts of its own, where there is ann."""

    def run(*arguments, stdin=None):
        path = str(tmp_path / "accounts.json")
        return reviews("queue", *arguments, stdin=stdin, cwd=tmp_path, REVIEWS_QUEUE__ACCOUNTS=path)

    assert run("add-user", "ann", stdin=PASSWORD).returncode == 0
    return run


def listed(queue):
    return json.loads(queue("tokens", "--json").stdout)


def test_a_token_is_listed_without_itself_and_can_be_revoked(queue):
    secret = queue("token", "ann", "--days", "7", "--note", "nightly import").stdout.strip()
    (row,) = listed(queue)
    assert (row["account"], row["note"], row["alive"]) == ("ann", "nightly import", True)
    assert secret not in queue("tokens").stdout
    assert queue("revoke-token", "ann", row["id"]).returncode == 0
    assert listed(queue) == []


def test_revoking_what_there_is_not_says_where_the_list_is(queue):
    assert_one_clear_line(queue("revoke-token", "ann", "none"), 2, "queue tokens ann")


def test_signing_out_ends_all_tokens(queue):
    queue("token", "ann")
    assert queue("sign-out", "ann").returncode == 0
    assert listed(queue) == []
