"""How long a password may not be tried again, and who is not held up by it."""

import pytest

from stream.queue.accounts import Account
from stream.queue.throttle import Attempt, Throttle
from stream.queue.web.devices import Devices

OFFICE, ELSEWHERE = "10.0.0.1", "192.0.2.7"
ANN = Attempt("ann", True, OFFICE)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return Throttle(3, clock)


def fail(throttle, attempt, times=1):
    for _ in range(times):
        throttle.note(attempt)


def test_the_first_wrong_ones_cost_no_wait(throttle):
    fail(throttle, ANN, 2)
    assert throttle.wait(ANN) == 0


def test_then_the_wait_doubles_up_to_a_quarter_of_an_hour(throttle, clock):
    fail(throttle, ANN, 3)
    waits = []
    for _ in range(9):
        waits.append(throttle.wait(ANN))
        clock.now += waits[-1]
        assert throttle.wait(ANN) == 0
        fail(throttle, ANN)
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]


def test_after_an_hour_in_peace_all_is_forgotten(throttle, clock):
    fail(throttle, ANN, 20)
    clock.now += 3600
    assert throttle.wait(ANN) == 0
    fail(throttle, ANN)
    assert throttle.wait(ANN) == 0


def test_a_right_password_forgives_the_mistakes_before_it(throttle):
    fail(throttle, ANN, 3)
    throttle.succeeded(ANN)
    fail(throttle, ANN, 2)
    assert throttle.wait(ANN) == 0


def test_wrong_ones_from_one_address_hold_up_nobody_at_another(throttle):
    fail(throttle, ANN, 10)
    assert throttle.wait(Attempt("ann", True, ELSEWHERE)) == 0


def test_wrong_ones_from_many_addresses_hold_up_all_strangers_to_the_account(throttle):
    for number in range(30):
        fail(throttle, Attempt("ann", True, f"10.0.1.{number}"))
    assert throttle.wait(Attempt("ann", True, ELSEWHERE)) == 15
    assert throttle.wait(Attempt("bob", True, ELSEWHERE)) == 0


def test_one_address_cannot_try_all_accounts(throttle):
    for number in range(30):
        fail(throttle, Attempt(f"user{number}", False, OFFICE))
    assert throttle.wait(ANN) == 15
    assert throttle.wait(Attempt("ann", True, ELSEWHERE)) == 0


def test_a_known_browser_is_held_up_by_its_own_mistakes_alone(throttle):
    known = Attempt("ann", True, OFFICE, device="hers")
    fail(throttle, ANN, 50)
    assert throttle.wait(known) == 0
    fail(throttle, known, 3)
    assert throttle.wait(known) == 15


def test_a_flood_of_made_up_names_takes_bounded_memory_and_frees_no_account(throttle):
    for number in range(30):
        fail(throttle, Attempt("ann", True, f"10.0.1.{number}"))
    for number in range(30_000):
        fail(throttle, Attempt("x" * 100 + str(number), False, str(number)))
    assert len(throttle) <= 20_001
    assert throttle.wait(Attempt("ann", True, ELSEWHERE)) == 15


def test_names_are_not_kept(throttle):
    fail(throttle, Attempt("a-very-long-name" * 1000, False, OFFICE))
    assert "very-long" not in repr(vars(throttle))


ACCOUNT = Account(name="ann", password="hash")


def test_a_browser_is_known_to_the_accounts_that_signed_in_with_it():
    devices = Devices("secret")
    bob = Account(name="bob", password="another")
    cookie = devices.marked(devices.marked("", ACCOUNT), bob)
    assert devices.mark(cookie, ACCOUNT)
    assert devices.mark(cookie, bob)
    assert devices.mark(cookie, ACCOUNT) != devices.mark(cookie, bob)
    assert devices.mark(cookie, Account(name="eve", password="hash")) == ""
    assert devices.mark(cookie, None) == ""


def test_a_new_password_knows_no_browser():
    devices = Devices("secret")
    cookie = devices.marked("", ACCOUNT)
    assert devices.mark(cookie, ACCOUNT.model_copy(update={"password": "new"})) == ""


def test_a_forged_cookie_and_anothers_secret_know_nobody():
    cookie = Devices("another secret").marked("", ACCOUNT)
    for forged in (cookie, "nonsense", "", "a.b.c"):
        assert Devices("secret").mark(forged, ACCOUNT) == ""


def test_a_browser_remembers_five_accounts():
    devices = Devices("secret")
    people = [Account(name=f"p{n}", password="x") for n in range(7)]
    cookie = ""
    for person in people:
        cookie = devices.marked(cookie, person)
    assert [bool(devices.mark(cookie, person)) for person in people] == [False] * 2 + [True] * 5
