"""Who may see the page."""

import tracemalloc

import pytest

from stream.monitor.access import Access
from stream.settings import MonitorSettings

TOKEN = "sixteen-characters-and-more"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_link_works_once():
    access = Access(MonitorSettings())
    key = access.new_link_key()
    assert access.may_see(access.sign_in(key, HERE))
    assert access.sign_in(key, HERE) is None


def test_a_link_grows_old():
    clock = Clock()
    access = Access(MonitorSettings(), clock)
    key = access.new_link_key()
    clock.now += 3601
    assert access.sign_in(key, HERE) is None


def test_a_token_works_again_and_again():
    access = Access(MonitorSettings(token=TOKEN))
    assert access.may_see(access.sign_in(TOKEN, HERE))
    assert access.may_see(access.sign_in(TOKEN, HERE))


def test_without_a_token_none_is_accepted():
    assert Access(MonitorSettings()).sign_in("", HERE) is None


def test_with_a_token_sessions_survive_a_restart():
    session = Access(MonitorSettings(token=TOKEN)).sign_in(TOKEN, HERE)
    assert Access(MonitorSettings(token=TOKEN)).may_see(session)


def test_a_new_token_ends_all_sessions():
    session = Access(MonitorSettings(token=TOKEN)).sign_in(TOKEN, HERE)
    assert not Access(MonitorSettings(token=TOKEN + "x")).may_see(session)


def test_forged_and_absent_sessions_see_nothing():
    access = Access(MonitorSettings(token=TOKEN))
    assert not access.may_see(None)
    assert not access.may_see("viewer.AAAA.BBBB")


def tried(access, times=10, browser=""):
    for i in range(times):
        assert access.sign_in(f"wrong {i}", HERE, browser) is None


def test_ten_wrong_keys_close_the_door_to_their_address_for_a_minute():
    clock = Clock()
    access = Access(MonitorSettings(token=TOKEN), clock)
    tried(access)
    assert access.is_blocked(HERE)
    assert access.sign_in(TOKEN, HERE) is None
    clock.now += 61
    assert access.sign_in(TOKEN, HERE) is not None


def test_they_keep_nobody_else_out():
    access = Access(MonitorSettings(token=TOKEN))
    tried(access)
    assert access.sign_in(TOKEN, ELSEWHERE) is not None


def test_behind_a_proxy_they_keep_no_browser_out_that_was_signed_in_before():
    access = Access(MonitorSettings(token=TOKEN))
    known = access.new_browser()
    tried(access)
    assert access.sign_in(TOKEN, HERE, known) is not None
    tried(access, browser=known)
    assert access.sign_in(TOKEN, HERE, known) is None


@pytest.mark.parametrize("mark", ["browser-made-up", "viewer", "a" * 4000])
def test_a_made_up_mark_is_counted_with_its_address(mark):
    access = Access(MonitorSettings(token=TOKEN))
    tried(access, browser=mark)
    assert access.is_blocked(HERE)


def test_a_session_is_no_mark_of_a_browser_and_a_mark_no_session():
    access = Access(MonitorSettings(token=TOKEN))
    assert not access.may_see(access.new_browser())
    session = access.sign_in(TOKEN, ELSEWHERE)
    tried(access, browser=session)
    assert access.is_blocked(HERE)


def test_a_link_opens_whatever_was_tried():
    access = Access(MonitorSettings())
    key = access.new_link_key()
    tried(access)
    assert access.may_see(access.sign_in(key, HERE))


@pytest.mark.no_cover
def test_a_flood_of_addresses_and_names_takes_a_bounded_memory():
    access = Access(MonitorSettings(token=TOKEN))
    tracemalloc.start()
    # Of 2,048 bytes and more a digest is made without the interpreter's lock, which costs a wait each.
    for i in range(12_000):
        access.sign_in(f"{i} " + "x" * 2000, f"192.0.{i // 256}.{i % 256}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(access._wrong) <= 10_000
    assert kept < 20_000_000


def test_a_session_that_was_signed_out_sees_nothing_and_others_go_on():
    access = Access(MonitorSettings(token=TOKEN))
    ended, other = access.sign_in(TOKEN, HERE), access.sign_in(TOKEN, HERE)
    access.sign_out(ended)
    assert not access.may_see(ended)
    assert access.may_see(other)


def test_what_was_signed_out_is_remembered_only_while_it_would_hold():
    clock = Clock()
    access = Access(MonitorSettings(token=TOKEN, session_hours=1), clock)
    access.sign_out(access.sign_in(TOKEN, HERE))
    clock.now += 3601
    access.sign_out(access.sign_in(TOKEN, HERE))
    assert len(access._ended) == 1


def test_signing_out_what_is_no_session_changes_nothing():
    access = Access(MonitorSettings(token=TOKEN))
    access.sign_out(None)
    access.sign_out("viewer-forged.AAAA.BBBB")
    assert access._ended == {}


def test_the_token_is_never_shown():
    assert TOKEN not in repr(MonitorSettings(token=TOKEN))
