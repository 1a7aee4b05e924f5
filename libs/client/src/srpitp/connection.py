"""Calls to the services: errors become exceptions, answers models, cursors iterators."""

import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from srpitp.errors import ApiError, UnexpectedAnswerError, UnreachableError
from srpitp_contracts.identifiers import random_id
from srpitp_contracts.model import Model
from srpitp_contracts.names import ServiceName
from srpitp_contracts.pages import Page
from srpitp_contracts.problems import Problem

M = TypeVar("M", bound=Model)

_IDEMPOTENCY_KEY = "Idempotency-Key"
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_ATTEMPTS = 4
_LONGEST_WAIT_SECONDS = 30
_DEFAULT_WAIT_SECONDS = 1


class Connection:
    """The services' addresses, the key, and one pool of connections; may be shared by threads.

    Parameters
    ----------
    urls
        Where each service is.
    key
        The API key.
    timeout_seconds
        How long an answer may take.
    transport
        How the requests are sent; httpx's own if none.
    """

    def __init__(
        self,
        urls: Mapping[ServiceName, str],
        key: str | None,
        *,
        timeout_seconds: float,
        transport: httpx.BaseTransport | None,
    ) -> None:
        self._urls = {name: url.rstrip("/") + "/v1" for name, url in urls.items()}
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(timeout_seconds, connect=5),
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(self, service: ServiceName, method: str, path: str, **request: Any) -> httpx.Response:
        """Send a request and return its successful answer.

        A service that is away for the moment (503) is asked again when it says so, if asking
        twice does no harm.

        Parameters
        ----------
        service
            Which service.
        method
            ``GET``, ``POST``, ...
        path
            Below ``/v1``.
        **request
            As `httpx.Client.request` takes it.

        Raises
        ------
        ApiError
            When the service answers with a problem.
        UnreachableError
            When no answer comes.
        UnexpectedAnswerError
            When something else answers.
        """
        url = self._urls[service] + path
        is_repeatable = method in _REPEATABLE or _IDEMPOTENCY_KEY in request.get("headers", {})
        attempts = _ATTEMPTS if is_repeatable else 1
        while True:
            attempts -= 1
            answer = self._send(method, url, request)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or not attempts:
                break
            time.sleep(_wait_seconds(answer))
        if answer.is_success:
            return answer
        raise _error_of(answer)

    def get(self, service: ServiceName, path: str, model: type[M], **request: Any) -> M:
        """Get one thing."""
        return _parsed(model, self.call(service, "GET", path, **request))

    def post(
        self,
        service: ServiceName,
        path: str,
        model: type[M],
        *,
        body: BaseModel | None = None,
        **request: Any,
    ) -> M:
        """Post something and return the answer."""
        if body is not None:
            request["json"] = body.model_dump(mode="json")
        return _parsed(model, self.call(service, "POST", path, **request))

    def patch(self, service: ServiceName, path: str, model: type[M], changes: object) -> M:
        """Change a thing."""
        return _parsed(model, self.call(service, "PATCH", path, json=changes))

    def create(self, service: ServiceName, path: str, model: type[M], **request: Any) -> M:
        """Post a new thing under an idempotency key, so that posting it again makes no second."""
        headers = {_IDEMPOTENCY_KEY: random_id()}
        return self.post(service, path, model, headers=headers, **request)

    def pages(
        self, service: ServiceName, path: str, model: type[M], **filters: object
    ) -> Iterator[M]:
        """Iterate over a list, page by page; filters that are None are left out."""
        params = {name: str(value) for name, value in filters.items() if value is not None}
        while True:
            page: Page[M] = _parsed(
                Page[model],  # type: ignore[valid-type]  # pydantic makes the class
                self.call(service, "GET", path, params=params),
            )
            yield from page.items
            if page.next_cursor is None:
                return
            params["cursor"] = page.next_cursor

    def _send(self, method: str, url: str, request: Mapping[str, Any]) -> httpx.Response:
        try:
            return self._http.request(method, url, **request)
        except httpx.TimeoutException as error:
            raise UnreachableError(f"{url} did not answer in time.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{url} cannot be reached: {str(error).rstrip('.')}.") from error


def _wait_seconds(answer: httpx.Response) -> float:
    value = answer.headers.get("Retry-After", "")
    wanted = int(value) if value.isdecimal() else _DEFAULT_WAIT_SECONDS
    return min(wanted, _LONGEST_WAIT_SECONDS)


def _error_of(answer: httpx.Response) -> ApiError | UnexpectedAnswerError:
    try:
        return ApiError(Problem.model_validate_json(answer.content))
    except ValidationError:
        return _foreign(answer)


def _parsed(model: type[M], answer: httpx.Response) -> M:
    try:
        # A service that is newer than this library may say more than it knows.
        return model.model_validate_json(answer.content, extra="ignore")
    except ValidationError as error:
        raise _foreign(answer) from error


def _foreign(answer: httpx.Response) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"{answer.url} answered {answer.status_code}, but not as a service of SRPITP does."
    )
