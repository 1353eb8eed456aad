"""The queue's HTTP API for other tools, and what keeps strangers out: tokens, limits, the proxy."""

import asyncio
import contextlib
from collections import Counter

import pytest
from redis.exceptions import TimeoutError as LostReply

from schemas import Category
from stream.queue.accounts import Accounts
from stream.queue.claims import Claims
from stream.queue.priority import best_category
from stream.queue.sealed_scripts import queue_redis
from tests.support.queue import PASSWORD, Reviewer, hidden, task
from tests.support.queue_pages import client_of, pages_settings, program, served_pages

SECRET = "between proxy and queue"
BEHIND_PROXY = {"proxy_header": "X-User", "proxy_secret": SECRET}
TASKS = [task(number) for number in range(4)]


@pytest.fixture
def serve(redis_server, topic_prefix, tmp_path):
    """Serve a queue of four reviews with settings of the test's own."""

    def served(**queue):
        return served_pages(
            pages_settings(redis_server.url, topic_prefix, tmp_path, **queue), TASKS
        )

    return served


@pytest.fixture
async def pages(serve):
    async with serve() as running:
        yield running


async def take(client):
    answer = await client.post("/api/v1/next", json={})
    assert answer.status_code == 200, answer.text
    return answer.json()["item"]


async def decide(client, item, category="kids"):
    decision = {"review_id": item["review_id"], "print": item["print"], "category": category}
    return await client.post("/api/v1/decisions", json={"decisions": [decision]})


async def test_openapi_describes_every_operation_and_that_a_token_opens_it(pages):
    async with client_of(pages) as client:
        document = (await client.get("/api/v1/openapi.json")).json()
    operations = {
        f"{method} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    (scheme,) = document["components"]["securitySchemes"].items()
    assert scheme[1]["scheme"] == "bearer"
    assert {"post /next", "post /decisions", "post /undo", "get /labels", "get /history"} <= set(
        operations
    )
    assert [name for name, o in operations.items() if not o.get("summary")] == []
    assert [name for name, o in operations.items() if o["security"] != [{scheme[0]: []}]] == []


async def test_the_addresses_in_openapi_are_those_that_are_served(pages):
    async with program(pages) as client:
        document = (await client.get("/api/v1/openapi.json")).json()
        (server,) = document["servers"]
        answer = await client.get(server["url"] + "/progress")
    assert answer.json()["who"] == "ann"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer rq_guessed"}])
async def test_nobody_gets_in_without_a_token(pages, headers):
    async with client_of(pages, **headers) as client:
        answers = [
            await client.post("/api/v1/next", json={}),
            await client.get("/api/v1/waiting"),
            await client.get("/api/v1/history"),
        ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [(401, "not-signed-in")] * 3


async def test_a_program_decides_in_the_name_of_its_account(pages):
    async with program(pages, "bob") as client:
        item = await take(client)
        answer = await decide(client, item)
    assert answer.json() == {"decided": [item["review_id"]], "refused": {}}
    (judgement,) = pages.publisher.judgements
    assert (judgement.labeller, judgement.origin) == ("bob", "api")


@pytest.fixture
async def second_server(pages, redis_server, topic_prefix, tmp_path):
    """Another server of the same queue."""
    settings = pages_settings(redis_server.url, topic_prefix, tmp_path)
    async with served_pages(settings, people=False) as running:
        yield running


@pytest.mark.parametrize("reached", [(0, 0, 0), (0, 1, 0)], ids=["one server", "two servers"])
async def test_one_person_in_two_windows_at_once_decides_a_review_once(
    pages, second_server, monkeypatch, reached
):
    """Kafka takes its time: until all others have taken the review, too, or cannot."""
    servers = [pages, second_server]
    all_have_it, taken = asyncio.Event(), Counter()

    def slowed(server):
        take_items, publish = server.site.working_set.take, server.publisher.publish

        async def noted(who, review_ids):
            items = await take_items(who, review_ids)
            taken[who] += 1
            if taken[who] == 3:
                all_have_it.set()
            return items

        async def late(acts):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(all_have_it.wait(), 2)
            return await publish(acts)

        monkeypatch.setattr(server.site.working_set, "take", noted)
        monkeypatch.setattr(server.publisher, "publish", late)

    async with program(pages) as first, program(second_server) as other:
        item = await take(first)
        for server in servers:
            slowed(server)
        clients = [(first, other)[number] for number in reached]
        answers = await asyncio.gather(
            *(
                decide(client, item, category)
                for client, category in zip(clients, ("kids", "clothing", "footwear"), strict=True)
            )
        )
    decided = [answer.json()["decided"] for answer in answers]
    assert sorted(decided) == [[], [], [item["review_id"]]]
    assert sum(len(server.publisher.labels) for server in servers) == 1


async def test_a_decision_waits_no_longer_than_a_transaction_for_another_request(serve):
    """That one's server died, perhaps: its claim ends by itself."""
    async with serve(transaction_timeout_ms=1000) as pages, program(pages) as client:
        item = await take(client)
        scripts = queue_redis(pages.site.settings)
        async with Claims(scripts, pages.site.queue).alone([item["review_id"]]):
            refused = await decide(client, item)
        taken = await decide(client, item)
        await scripts.redis.aclose()
    assert (refused.status_code, refused.json()["code"]) == (503, "not-saved")
    assert taken.json()["decided"] == [item["review_id"]]
    assert len(pages.publisher.labels) == 1


async def test_a_claim_whose_reply_was_lost_keeps_nobody_waiting(serve):
    """Redis went away just then: the script had run, and the client may ask it again."""
    async with serve(transaction_timeout_ms=1000) as pages, program(pages) as client:
        item = await take(client)
        scripts = queue_redis(pages.site.settings)
        answered = scripts.run

        async def lost(name, *arguments):
            said = await answered(name, *arguments)
            if name == "claim":
                assert (said, await answered(name, *arguments)) == ("ok", "ok")
                raise LostReply("the reply was lost")
            return said

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scripts, "run", lost)
            with pytest.raises(LostReply):
                async with Claims(scripts, pages.site.queue).alone([item["review_id"]]):
                    pytest.fail("it is not known to be claimed")
        taken = await decide(client, item)
        await scripts.redis.aclose()
    assert taken.json()["decided"] == [item["review_id"]]


@pytest.mark.parametrize(
    ("second", "decided", "refused"),
    [("kids", ["r1", "r1"], {}), ("clothing", ["r1"], {"r1": "decided"})],
)
async def test_a_review_that_comes_twice_in_one_request_is_decided_once(
    pages, second, decided, refused
):
    decisions = [{"review_id": "r1", "category": category} for category in ("kids", second)]
    async with program(pages) as client:
        answer = await client.post("/api/v1/decisions", json={"decisions": decisions})
    assert answer.json() == {"decided": decided, "refused": refused}
    assert [label.category for label in pages.publisher.labels] == [Category("kids")]
    assert len(pages.publisher.judgements) == 1


async def test_a_decision_for_a_text_that_was_not_read_is_refused(pages):
    async with program(pages) as client:
        item = await take(client)
        answer = await decide(client, {**item, "print": "of another text"})
    assert answer.json()["refused"] == {item["review_id"]: "changed"}
    assert pages.publisher.acts == []


async def test_who_decided_what_and_took_it_back_is_in_the_history(pages):
    async with program(pages) as ann, program(pages, "bob") as bob:
        first, second = await take(ann), await take(bob)
        await decide(ann, first)
        await decide(bob, second, "clothing")
        await ann.post("/api/v1/undo")
        own = (await bob.get("/api/v1/history")).json()
        everybody = (await ann.get("/api/v1/history?everybody=true")).json()
        refused = await bob.get("/api/v1/history?everybody=true")
        page = await ann.get("/history?everybody=true")
    assert [(act["who"], act["category"]) for act in own] == [("bob", "clothing")]
    assert [(a["who"], a["review_id"], a["undone"]) for a in everybody] == [
        ("ann", first["review_id"], True),
        ("bob", second["review_id"], False),
        ("ann", first["review_id"], False),
    ]
    assert refused.status_code == 403
    assert page.text.count("<td>bob</td>") == 1
    assert page.text.count("отменено") == 1


async def test_more_changes_in_a_minute_than_allowed_are_refused(serve):
    async with serve(requests_per_minute=3) as pages, program(pages) as client:
        answers = [await client.post("/api/v1/next", json={}) for _ in range(5)]
    assert Counter(answer.status_code for answer in answers) == {200: 3, 429: 2}
    assert answers[-1].json()["code"] == "too-many"


async def test_one_persons_limit_is_not_anothers(serve):
    async with (
        serve(requests_per_minute=1) as pages,
        program(pages) as ann,
        program(pages, "bob") as bob,
    ):
        await take(ann)
        refused = await ann.post("/api/v1/next", json={})
        free = await bob.post("/api/v1/next", json={})
    assert (refused.status_code, free.status_code) == (429, 200)


async def test_passwords_cannot_be_guessed_on_and_on(serve):
    async with serve(sign_in_attempts=2) as pages, client_of(pages) as client:
        person = Reviewer(client)
        answers = [await person.sign_in("ann", f"a wrong one {n}") for n in range(3)]
        right = await person.sign_in("ann")
    assert [a.status_code for a in answers] == [401, 401, 429]
    assert right.status_code == 429


async def test_a_made_up_address_does_not_escape_the_limit(serve):
    """X-Forwarded-For is anybody's to write: only the connection counts."""
    async with serve(sign_in_attempts=1) as pages:
        answers = []
        for number in range(11):
            async with client_of(pages, **{"X-Forwarded-For": f"10.0.0.{number}"}) as client:
                answers.append(await Reviewer(client).sign_in(f"nobody{number}", "wrong"))
    assert [a.status_code for a in answers] == [401] * 10 + [429]


async def test_a_session_changes_nothing_through_the_api_without_the_form_token(pages):
    async with client_of(pages) as client:
        await Reviewer(client).sign_in("ann")
        page = await client.get("/")
        bare = await client.post("/api/v1/next", json={})
        token = hidden(page.text)["csrf"]
        with_token = await client.post("/api/v1/next", json={}, headers={"X-CSRF-Token": token})
    assert (bare.status_code, bare.json()["code"]) == (403, "form")
    assert with_token.status_code == 200


async def test_a_trusted_proxy_says_who_is_there(serve):
    async with serve(**BEHIND_PROXY) as pages:
        headers = {"X-User": "vera", "X-Proxy-Secret": SECRET}
        async with client_of(pages, **headers) as client:
            answer = await client.get("/api/v1/progress")
    assert answer.json()["who"] == "vera"


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({}, {"X-User": "ann", "X-Proxy-Secret": SECRET}),
        (BEHIND_PROXY, {"X-User": "ann"}),
        (BEHIND_PROXY, {"X-User": "ann", "X-Proxy-Secret": "guessed"}),
        (
            {**BEHIND_PROXY, "proxy_addresses": ("10.0.0.1",)},
            {"X-User": "ann", "X-Proxy-Secret": SECRET},
        ),
        (BEHIND_PROXY, {"X-User": "ann\u00a0lead", "X-Proxy-Secret": SECRET}),
    ],
    ids=["no proxy set up", "no secret", "wrong secret", "another address", "no name"],
)
async def test_a_header_that_no_trusted_proxy_sent_names_nobody(serve, settings, headers):
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    async with serve(**settings) as pages, client_of(pages) as client:
        answer = await client.get("/api/v1/progress", headers=sent)
    assert answer.status_code == 401


async def test_a_removed_accounts_token_opens_nothing(pages):
    async with program(pages, "bob") as client:
        before = await client.get("/api/v1/progress")
        Accounts(pages.site.queue.accounts).remove("bob")
        after = await client.get("/api/v1/progress")
    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_blind_review_keeps_the_models_opinion_from_programs_too(serve):
    async with serve(blind_share=1.0) as pages, program(pages) as client:
        item = await take(client)
        hits = (await client.get("/api/v1/waiting")).json()
    assert item["blind"]
    assert item["probabilities"] is None
    assert {hit["probabilities"] is None for hit in hits} == {True}


async def test_who_asks_for_a_category_knows_the_guess_and_decides_nothing_blind(serve):
    async with serve(blind_share=1.0, second_share=0.0) as pages, program(pages) as client:
        wanted = {"category": best_category(TASKS[0].probabilities).slug}
        asked = (await client.post("/api/v1/next", json=wanted)).json()["item"]
        assert not asked["blind"]
        assert asked["probabilities"]
        await decide(client, asked)
        await client.post("/api/v1/undo")
        # Whatever they do with it from now on, and by whichever way they come to it.
        await decide(client, asked)
        async with program(pages, "bob") as other:
            unasked = await take(other)
            await decide(other, unasked)
    assert unasked["blind"]
    shown = [(j.labeller, j.undone, j.shown_blind) for j in pages.publisher.judgements]
    assert shown == [
        ("ann", False, False),
        ("ann", True, False),
        ("ann", False, False),
        ("bob", False, True),
    ]


async def test_what_people_decide_is_checked_before_it_is_read(pages):
    async with program(pages) as client:
        answer = await decide(client, await take(client), "shoes")
    assert answer.status_code == 422
    assert pages.publisher.acts == []


async def test_a_password_is_no_token(pages):
    async with client_of(pages, Authorization=f"Bearer {PASSWORD}") as client:
        answer = await client.get("/api/v1/progress")
    assert answer.status_code == 401
