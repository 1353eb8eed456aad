"""Who may see the page."""

from stream.monitor.access import Access
from stream.settings import MonitorSettings

TOKEN = "sixteen-characters-and-more"


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_link_works_once():
    access = Access(MonitorSettings())
    key = access.new_link_key()
    assert access.may_see(access.sign_in(key))
    assert access.sign_in(key) is None


def test_a_link_grows_old():
    clock = Clock()
    access = Access(MonitorSettings(), clock)
    key = access.new_link_key()
    clock.now += 3601
    assert access.sign_in(key) is None


def test_a_token_works_again_and_again():
    access = Access(MonitorSettings(token=TOKEN))
    assert access.may_see(access.sign_in(TOKEN))
    assert access.may_see(access.sign_in(TOKEN))


def test_without_a_token_none_is_accepted():
    assert Access(MonitorSettings()).sign_in("") is None


def test_with_a_token_sessions_survive_a_restart():
    session = Access(MonitorSettings(token=TOKEN)).sign_in(TOKEN)
    assert Access(MonitorSettings(token=TOKEN)).may_see(session)


def test_a_new_token_ends_all_sessions():
    session = Access(MonitorSettings(token=TOKEN)).sign_in(TOKEN)
    assert not Access(MonitorSettings(token=TOKEN + "x")).may_see(session)


def test_forged_and_absent_sessions_see_nothing():
    access = Access(MonitorSettings(token=TOKEN))
    assert not access.may_see(None)
    assert not access.may_see("viewer.AAAA.BBBB")


def test_ten_wrong_keys_close_the_door_for_a_minute():
    clock = Clock()
    access = Access(MonitorSettings(token=TOKEN), clock)
    for i in range(10):
        assert access.sign_in(f"wrong {i}") is None
    assert access.sign_in(TOKEN) is None
    clock.now += 61
    assert access.sign_in(TOKEN) is not None


def test_the_token_is_never_shown():
    assert TOKEN not in repr(MonitorSettings(token=TOKEN))
