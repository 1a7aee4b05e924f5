"""Calls and errors: by a transport of our own only where no real service gives the answer."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from srpitp import ApiError, Client, UnexpectedAnswerError, UnreachableError
from srpitp_contracts.names import ServiceName
from srpitp_contracts.problems import ProblemCode

OWNER = {"id": "o1", "name": "Studio", "created_at": "2026-01-01T00:00:00Z"}
AWAY = {
    "type": "about:blank",
    "title": "Service Unavailable",
    "status": 503,
    "detail": "The database is away for the moment; try again soon.",
    "code": "store_unavailable",
}

Answer = Callable[[httpx.Request], httpx.Response]


@contextmanager
def client_of(answer: Answer) -> Iterator[tuple[Client, list[httpx.Request]]]:
    requests: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer(request)

    with Client("http://srpitp.test/", "a-key", transport=httpx.MockTransport(record)) as client:
        yield client, requests


def in_turn(*answers: httpx.Response) -> Answer:
    remaining = iter(answers)
    return lambda _: next(remaining)


def away() -> httpx.Response:
    return httpx.Response(503, json=AWAY, headers={"Retry-After": "0"})


def test_a_safe_call_is_repeated_while_the_service_is_away() -> None:
    with client_of(in_turn(away(), away(), httpx.Response(200, json=OWNER))) as (client, requests):
        assert client.owners.get("o1").name == "Studio"
    assert len(requests) == 3


def test_a_creating_call_is_repeated_under_the_same_idempotency_key() -> None:
    with client_of(in_turn(away(), httpx.Response(201, json=OWNER))) as (client, requests):
        client.owners.create("Studio")
    first, second = (request.headers["Idempotency-Key"] for request in requests)
    assert first == second


def test_a_file_is_sent_whole_again_when_its_upload_is_repeated() -> None:
    with client_of(lambda _: away()) as (client, requests), pytest.raises(ApiError):
        client.images.protect(b"the file's bytes", title="photo.jpg")
    assert len(requests) == 4
    assert all(b"the file's bytes" in request.content for request in requests)


def test_a_call_that_must_not_happen_twice_is_not_repeated() -> None:
    with client_of(lambda _: away()) as (client, requests), pytest.raises(ApiError) as caught:
        client.subscriptions.ping("s1")
    assert len(requests) == 1
    assert caught.value.problem.code is ProblemCode.STORE_UNAVAILABLE


def test_a_problem_becomes_an_error_with_its_code_and_detail() -> None:
    problem = AWAY | {"status": 404, "code": "not_found", "detail": "There is no such owner."}
    answer = httpx.Response(404, json=problem)
    with (
        client_of(lambda _: answer) as (client, _),
        pytest.raises(ApiError, match=r"There is no such owner\.") as caught,
    ):
        client.owners.get("o1")
    assert caught.value.problem.code is ProblemCode.NOT_FOUND


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(502, text="<h1>Bad Gateway</h1>"),
        httpx.Response(200, text="<h1>Welcome</h1>"),
        httpx.Response(200, json={"name": "no owner of ours"}),
    ],
)
def test_an_answer_that_is_not_ours_says_so(answer: httpx.Response) -> None:
    with client_of(lambda _: answer) as (client, _), pytest.raises(UnexpectedAnswerError):
        client.owners.get("o1")


def test_a_newer_service_may_say_more() -> None:
    with client_of(lambda _: httpx.Response(200, json=OWNER | {"new": 1})) as (client, _):
        assert client.owners.get("o1").id == "o1"


def test_a_list_goes_on_until_there_is_no_cursor() -> None:
    pages = [
        {"items": [OWNER], "next_cursor": "more"},
        {"items": [], "next_cursor": "even more"},
        {"items": [OWNER | {"id": "o2"}], "next_cursor": None},
    ]
    answers = in_turn(*(httpx.Response(200, json=page) for page in pages))
    with client_of(answers) as (client, requests):
        assert [owner.id for owner in client.owners.list()] == ["o1", "o2"]
    cursors = [request.url.params.get("cursor") for request in requests]
    assert cursors == [None, "more", "even more"]


def test_filters_that_are_not_given_are_not_sent() -> None:
    page = httpx.Response(200, text=json.dumps({"items": []}))
    with client_of(lambda _: page) as (client, requests):
        list(client.matches.list(protected_id="p1"))
    assert dict(requests[0].url.params) == {"protected_id": "p1"}


def test_each_service_is_below_one_address_or_at_its_own() -> None:
    requests: list[httpx.Request] = []

    def record(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"items": []})

    elsewhere = {ServiceName.MATCHER: "http://matcher.test:8004/"}
    transport = httpx.MockTransport(record)
    with Client("http://srpitp.test/", "a-key", urls=elsewhere, transport=transport) as client:
        list(client.sites.list())
        list(client.matches.list())
    assert [str(request.url) for request in requests] == [
        "http://srpitp.test/crawler/v1/sites",
        "http://matcher.test:8004/v1/matches",
    ]
    assert requests[0].headers["Authorization"] == "Bearer a-key"


def test_nobody_listening() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with Client(url, "a-key") as client, pytest.raises(UnreachableError, match="reached"):
            client.owners.get("o1")


def test_no_address_at_all() -> None:
    with Client("not an address", "a-key") as client, pytest.raises(UnreachableError):
        client.owners.get("o1")
