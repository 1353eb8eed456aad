"""Small parts of the queue: order, likeness, accounts, sessions, words, addresses, files."""

import asyncio
import json
import re
import socket
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Category, Label, all_categories
from stream.errors import InputError
from stream.files import Options
from stream.queue.accounts import Accounts
from stream.queue.errors import AccountError
from stream.queue.export import written
from stream.queue.item import text_print
from stream.queue.label_studio import (
    annotated_task,
    open_task,
    read_annotation_file,
    read_annotations,
)
from stream.queue.priority import informativeness
from stream.queue.server import listening
from stream.queue.similarity import NEAR_IDENTICAL, bands, jaccard, shingles
from stream.queue.statistics import Progress
from stream.queue.web import site
from stream.queue.web.forms import own_path
from stream.queue.web.sessions import Sessions
from stream.queue.web.shares import apart, percent
from stream.queue.web.words import WORDS
from stream.sampling import in_sample
from tests.support.queue import PASSWORD, task

shares = st.floats(0, 1)


@given(st.lists(shares, min_size=2, max_size=9))
def test_informativeness_is_a_share(values):
    probabilities = dict(zip(all_categories(), values, strict=False))
    assert 0 <= informativeness(probabilities) <= 1


@given(st.text(), shares, shares)
def test_a_larger_sample_holds_the_smaller_one(review_id, one, other):
    small, large = sorted((one, other))
    assert in_sample(large, review_id, "blind") or not in_sample(small, review_id, "blind")


def test_a_sample_has_about_its_share():
    assert sum(in_sample(0.15, f"r{n}", "blind") for n in range(10_000)) == pytest.approx(
        1500, abs=150
    )


def test_texts_that_differ_in_a_number_are_near_identical_and_share_a_band():
    one, other = (shingles(f"отличный чайник, заказ {n} пришёл") for n in (7, 1234))
    assert jaccard(one, other) >= NEAR_IDENTICAL
    assert set(bands(one)) & set(bands(other))


def test_texts_about_different_things_are_not_near_identical():
    assert jaccard(shingles("сапоги промокли"), shingles("платье село")) < NEAR_IDENTICAL


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_share_below_its_bound_is_never_shown_as_reaching_it(one, other):
    share, bound = sorted((one, other))
    said, needed = (float(text) for text in apart(share, bound))
    assert said <= needed
    assert bound - share < 1e-4 or said < needed
    assert bound == 1.0 or needed < 100


def test_percent_is_written_as_the_language_does_and_reaches_100_only_with_the_whole():
    assert [percent(share) for share in (0.0, 0.123, 0.995, 0.99999999, 1.0)] == [
        "0",
        "12",
        "99.5",
        "99.999",
        "100",
    ]
    assert apart(0.9, 0.996, "ru") == ("90,0", "99,6")


@pytest.mark.parametrize(
    ("decided", "minutes", "remaining"),
    [(4, 1.0, None), (4, 30.0, None), (20, 1.0, None), (10, 5.0, 25), (60, 60.0, 50)],
)
def test_the_time_left_is_told_once_the_pace_is_known(decided, minutes, remaining):
    progress = Progress(
        waiting=50, today=0, total=0, pace=0, team_pace=decided, team_minutes=minutes
    )
    assert progress.remaining_minutes == remaining


async def test_a_page_goes_out_without_waiting_for_acknowledgements():
    """With Nagle's algorithm on, a page's body waits 40 ms for the browser's word on its head."""
    said = asyncio.get_running_loop().create_future()

    class Page(asyncio.Protocol):
        def connection_made(self, transport):
            connection = transport.get_extra_info("socket")
            said.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()

    listener = listening("127.0.0.1", 0)
    server = await asyncio.get_running_loop().create_server(Page, sock=listener)
    async with server:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        assert await said
        writer.close()


async def test_only_the_right_password_opens_an_account(tmp_path):
    accounts = Accounts(tmp_path / "accounts.json")
    accounts.add("анна", PASSWORD)
    assert (await accounts.check("анна", PASSWORD)).name == "анна"
    assert await accounts.check("анна", PASSWORD + "!") is None
    assert await accounts.check("nobody", PASSWORD) is None


def test_the_file_holds_no_password_and_no_token(tmp_path):
    path = tmp_path / "accounts.json"
    accounts = Accounts(path)
    accounts.add("ann", PASSWORD)
    token = accounts.issue_token("ann")
    assert accounts.by_token(token).name == "ann"
    assert PASSWORD not in path.read_text()
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "password"), [("a b", PASSWORD), ("", PASSWORD), ("ann", "short")]
)
def test_a_bad_account_is_refused(tmp_path, name, password):
    with pytest.raises(AccountError):
        Accounts(tmp_path / "accounts.json").add(name, password)


def test_quick_changes_of_accounts_are_all_kept(tmp_path):
    accounts = Accounts(tmp_path / "accounts.json")
    accounts.add("ann", PASSWORD)
    tokens = [accounts.issue_token("ann") for _ in range(50)]
    assert len(accounts.get("ann").tokens) == len(tokens)


def test_a_session_ends_with_sign_out_and_no_cookie_is_believed(tmp_path):
    accounts = Accounts(tmp_path / "accounts.json")
    account = accounts.add("ann", PASSWORD)
    sessions = Sessions("secret", 1.0, accounts)
    cookie = sessions.issue(account)
    assert sessions.account(cookie) == account
    # Not its last letter: two bits of that one are padding, and mean nothing.
    forged = cookie[:-2] + ("a" if cookie[-2] != "a" else "b") + cookie[-1]
    assert sessions.account(forged) is None
    assert Sessions("other", 1.0, accounts).account(cookie) is None
    accounts.end_sessions("ann")
    assert sessions.account(cookie) is None


def test_a_form_token_is_of_one_browser_and_one_person(tmp_path):
    sessions = Sessions("secret", 1.0, Accounts(tmp_path / "accounts.json"))
    token = sessions.form_token("visit", "ann")
    assert sessions.is_form_token(token, "visit", "ann")
    assert not sessions.is_form_token(token, "visit", "bob")
    assert not sessions.is_form_token(token, "other", "ann")
    assert not sessions.is_form_token(sessions.form_token("", ""), "", "")


def test_both_languages_say_everything_with_the_same_values():
    holes = {
        language: {key: sorted(re.findall(r"{(\w+)}", text)) for key, text in words.items()}
        for language, words in WORDS.items()
    }
    assert holes["ru"] == holes["en"]


@pytest.mark.parametrize("language", WORDS)
def test_a_language_says_each_thing_once(language):
    text = (Path(site.FOLDER) / "words" / f"{language}.json").read_text(encoding="utf-8")
    keys = json.loads(text, object_pairs_hook=lambda pairs: [key for key, _ in pairs])
    assert [key for key, count in Counter(keys).items() if count > 1] == []


def test_every_word_that_a_page_asks_for_exists():
    asked = {
        key
        for page in (Path(site.FOLDER) / "templates").glob("*.html")
        for key in re.findall(r"""t\(["']([\w-]+)["'][,)]""", page.read_text(encoding="utf-8"))
    }
    assert asked
    assert asked <= WORDS["ru"].keys()


@pytest.mark.parametrize(
    ("address", "lands"),
    [
        ("/search?words=a", "/search?words=a"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\nevil", "/"),
    ],
)
def test_nobody_is_sent_to_another_site(address, lands):
    assert own_path(address) == lands


def label(text="Чайник течёт", category=Category("kids")):
    return Label(
        review_id="r1",
        text=text,
        category=category,
        decided_by="person",
        labeller="ann",
        codebook_version="1",
    )


def test_a_cell_that_a_spreadsheet_would_compute_is_defused():
    assert "'=1+1" in "".join(written([label("=1+1")], "csv"))


def test_lines_are_the_labels_themselves():
    given = label()
    assert Label.model_validate_json("".join(written([given], "jsonl"))) == given


def test_an_export_for_russian_excel_comes_back_as_it_was(tmp_path):
    given = label("-5 градусов; холодно")
    path = tmp_path / "labels.csv"
    path.write_text("".join(written([given], "excel")), encoding="utf-8")
    assert path.read_text("utf-8").startswith("\ufeffreview_id;text;category")
    (found,), not_read, _ = read_annotation_file(path, Options())
    assert (found.review_id, found.category, not_read) == ("r1", given.category, 0)
    assert found.print == text_print(given.text)


@pytest.mark.parametrize("category", [Category("kids"), None])
def test_label_studio_gives_back_what_it_was_given(category):
    content = json.dumps([annotated_task(label(category=category))]).encode()
    (annotation,), not_read = read_annotations(content)
    assert (annotation.review_id, annotation.category, not_read) == ("r1", category, 0)


def test_a_blind_task_carries_no_prediction():
    assert "predictions" not in open_task(task(1), blind=True)
    assert open_task(task(1), blind=False)["predictions"]


def test_tasks_without_an_answer_are_counted_not_guessed():
    content = json.dumps([{"data": {"review_id": "r1"}, "annotations": []}, {}]).encode()
    assert read_annotations(content) == ([], 2)


@pytest.mark.parametrize("content", [b"{", b"{}", b"[1]"])
def test_a_file_of_another_kind_is_refused(content):
    with pytest.raises(InputError):
        read_annotations(content)
