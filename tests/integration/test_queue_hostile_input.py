"""What no person and no decent program sends to the queue: each is refused clearly, none is a fault of ours."""

import pytest

from tests.support.queue import Reviewer, hidden, task
from tests.support.queue_pages import client_of, pages_settings, program, served_pages

DEEP = b"[" * 100_000
DEEP_OBJECT = b'{"a":' * 100_000
HALF = "\\ud800"
"""Half of a character, as JSON can name it: no UTF-8 holds it."""


@pytest.fixture
async def pages(redis_server, topic_prefix, tmp_path):
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    async with served_pages(settings, [task(number) for number in range(4)]) as running:
        yield running


def decision(**fields):
    written = {"review_id": '"r1"', "category": "null", **fields}
    pairs = ",".join(f'"{name}":{value}' for name, value in written.items())
    return f'{{"decisions":[{{{pairs}}}]}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        DEEP_OBJECT,
        decision(seconds="NaN"),
        decision(seconds="Infinity"),
        decision(seconds="1e999"),
        decision(seconds="9" * 400),
        decision(seconds="9" * 5000),
        decision(review_id=f'"{HALF}"'),
        decision(category=f'"{HALF}"'),
        decision(print=f'"{HALF}"'),
        f'{{"{HALF}":1}}'.encode(),
        f'"{HALF}"'.encode(),
        b"NaN",
        b"\xff",
        b"",
    ],
    ids=lambda body: repr(body[:70]),
)
async def test_the_api_refuses_a_decision_with(pages, body):
    async with program(pages) as client:
        answer = await client.post(
            "/api/v1/decisions", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code in {400, 422}, answer.text
    assert answer.json()["code"] == "malformed"
    assert len(answer.content) < 2000  # what was sent is not sent back
    assert pages.publisher.acts == []


@pytest.mark.parametrize("body", [f'{{"order":"{HALF}"}}', f'{{"holding":["{HALF}"]}}'])
async def test_the_api_leases_nothing_for_half_a_character(pages, body):
    async with program(pages) as client:
        answer = await client.post(
            "/api/v1/next", content=body, headers={"content-type": "application/json"}
        )
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


async def test_a_refusal_names_the_field(pages):
    async with program(pages) as client:
        answer = await client.post(
            "/api/v1/decisions",
            content=decision(seconds="NaN"),
            headers={"content-type": "application/json"},
        )
    assert answer.json()["message"].startswith("body.decisions.0.seconds: ")


async def imported(pages, content):
    async with client_of(pages) as client:
        person = Reviewer(client)
        await person.sign_in("ann")
        csrf = hidden((await client.get("/files")).text)["csrf"]
        return await client.post(
            "/import", data={"csrf": csrf}, files={"file": ("export.json", content)}
        )


@pytest.mark.parametrize("content", [DEEP, DEEP_OBJECT, b"\xff\xfe[", b"[" + b"9" * 5000 + b"]"])
async def test_an_import_that_cannot_be_read_is_refused(pages, content):
    answer = await imported(pages, content)
    assert answer.status_code == 400
    assert "нужен JSON" in answer.text


async def test_an_import_with_a_time_of_any_size_is_taken(pages):
    times = ["9" * 400, "NaN", "Infinity", "-1"]
    rows = [
        f'{{"review_id":"r{n}","category":"kids","lead_time":{time}}}'
        for n, time in enumerate(times)
    ]
    answer = await imported(pages, f"[{','.join(rows)}]".encode())
    assert answer.status_code == 200
    assert [judgement.seconds for judgement in pages.publisher.judgements] == [
        3600.0,
        None,
        None,  # no number of JSON: as if there were none
        None,
    ]


FORMS = {
    "no boundary": ("multipart/form-data", b"x"),
    "a boundary that is no text": ("multipart/form-data; boundary=\xff", b"x"),
    "no end": ("multipart/form-data; boundary=a", b"--a\r\ngarbage"),
    "half a character": (
        "multipart/form-data; boundary=a; charset=unicode_escape",
        b"".join(
            b'--a\r\nContent-Disposition: form-data; name="%s"\r\n\r\n\\ud800\r\n' % name
            for name in (b"name", b"password", b"back", b"review_id", b"token", b"kept")
        )
        + b"--a--\r\n",
    ),
    "an encoding that fails": (
        "multipart/form-data; boundary=a; charset=idna",
        b'--a\r\nContent-Disposition: form-data; name="name"\r\n\r\nxn--\xff\r\n--a--\r\n',
    ),
    "too many fields": ("application/x-www-form-urlencoded", b"a=1&" * 5000),
    "bytes": ("application/x-www-form-urlencoded", b"name=%ff&kept=" + b"%5b" * 5000),
    "JSON": ("application/json", b"{}"),
}
PATHS = (
    "/decide", "/skip", "/keep", "/undo", "/show-skipped", "/bulk", "/import", "/sign-in",
    "/sign-out", "/welcome", "/preferences",
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("signed_in", [True, False], ids=["somebody", "nobody"])
async def test_no_page_fails_over_a_form_with(pages, form, signed_in):
    content_type, body = form
    answers = {}
    async with client_of(pages) as client:
        if signed_in:
            await Reviewer(client).sign_in("ann")
        for path in PATHS:
            headers = {"content-type": content_type.encode("latin-1")}
            answers[path] = (
                await client.post(path, content=body, headers=headers, follow_redirects=False)
            ).status_code
    assert {path: status for path, status in answers.items() if not 400 <= status < 500} == {}
    assert pages.publisher.acts == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/?item=%ff", 200),
        ("/?item=%00", 200),
        ("/?item=" + "x" * 300, 400),
        ("/?order=no-such", 400),
        ("/search?words=%ed%a0%80", 200),
        ("/search?least=nan&most=inf", 200),
        ("/search?words=" + "x" * 300, 400),
        ("/similar", 400),
        ("/next?on_screen=%00", 200),
        ("/history?everybody=perhaps", 400),
        ("/export?format=exe", 400),
        ("/welcome?token=%ff", 401),
        ("/no/such/%ff", 404),
    ],
)
async def test_an_address_that_no_page_of_ours_has(pages, address, status):
    async with client_of(pages) as client:
        await Reviewer(client).sign_in("ann")
        answer = await client.get(address)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
