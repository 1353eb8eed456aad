"""Files of secrets: exclusive, whole, for their owner alone, also in a folder that others write to."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stream.errors import ConfigError
from stream.private_files import kept_secret, locked, write_private
from stream.queue.accounts import Accounts
from tests.support.queue import PASSWORD


def test_a_draft_that_somebody_laid_out_is_not_written_through(tmp_path):
    """The former draft's name could be foretold: a link there led the accounts anywhere."""
    elsewhere = tmp_path / "of-the-attacker"
    path = tmp_path / "accounts.json"
    for pid in range(1, 70_000, 1_000):
        (tmp_path / f"accounts.json.{pid}.new").symlink_to(elsewhere)
    write_private(path, "secret")
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not elsewhere.exists()


def test_a_link_in_the_files_own_place_is_replaced_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "accounts.json").symlink_to(victim)
    write_private(tmp_path / "accounts.json", "secret")
    assert victim.read_text() == "kept"


def test_a_lock_follows_no_link(tmp_path):
    """It was opened for writing: the file behind the link was emptied."""
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "accounts.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"), locked(tmp_path / "accounts.json"):
        pass
    assert victim.read_text() == "kept"


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "accounts.json"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "new \ud800")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("accounts.json", "old")]


def test_a_folder_that_we_make_is_its_owners_alone(tmp_path):
    write_private(tmp_path / "state" / "secret", "s")
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_everyone_who_starts_at_once_gets_the_same_secret(tmp_path):
    together = threading.Barrier(8)

    def ask(_: int) -> str:
        together.wait()
        return kept_secret(tmp_path / "secret")

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(ask, range(8)))
    assert len(found) == 1
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    path: Path = tmp_path / "secret"
    kept_secret(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="can read"):
        kept_secret(path)


@pytest.mark.parametrize("content", ["", "{}", '"short"', "\x00"])
def test_a_damaged_secret_is_refused(tmp_path, content):
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="holds no secret"):
        kept_secret(path)


def test_the_accounts_lock_empties_no_file_of_ours(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "accounts.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"):
        Accounts(tmp_path / "accounts.json").add("ann", PASSWORD)
    assert victim.read_text() == "kept"
