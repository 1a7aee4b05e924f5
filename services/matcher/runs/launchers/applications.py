"""SparkApplications at the API server: listed once, then watched; the client's calls in threads."""

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException

from services.matcher.runs.launchers import LauncherUnavailableError, LaunchRefusedError
from services.matcher.runs.launchers.manifest import GROUP, PART_OF, PLURAL, VERSION, Manifest
from services.matcher.runs.settings import RunSettings

logger = logging.getLogger(__name__)

_SELECTOR = f"{PART_OF}=srpitp"
_WATCH_SECONDS = 300
_TRY_AGAIN_SECONDS = 2
_OF_NO_USE = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Answers to a new application that stay the same however often it is sent."""


@dataclass(frozen=True)
class Status:
    """What the operator says of an application."""

    state: str
    message: str
    driver_pod: str | None


class Applications:
    """The applications of ours in one namespace.

    Parameters
    ----------
    settings
        How the API server is reached, and the namespace.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._namespace = settings.spark_namespace
        self._timeout = settings.kubernetes_timeout_seconds
        self._api = client.CustomObjectsApi(_api_client(settings))
        self._known: dict[str, Status] | None = None
        self._watch: watch.Watch | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def create(self, manifest: Manifest) -> None:
        """Create an application; one of its name is taken for the same, sent before."""
        with _explained():
            try:
                self._api.create_namespaced_custom_object(
                    **self._where, body=manifest, _request_timeout=self._timeout
                )
            except ApiException as error:
                if error.status in _OF_NO_USE:
                    raise LaunchRefusedError(_said(error)) from error
                if error.status != HTTPStatus.CONFLICT:
                    raise

    def delete(self, name: str) -> None:
        """Delete an application with its driver and executors, if it is there."""
        with _explained():
            try:
                self._api.delete_namespaced_custom_object(
                    **self._where,
                    name=name,
                    propagation_policy="Foreground",
                    _request_timeout=self._timeout,
                )
            except ApiException as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise

    def status(self, name: str) -> Status | None:
        """Return what is known of an application, or None when there is none."""
        with self._lock:
            known = self._known.get(name) if self._known is not None else None
        # What the watch has not seen may be new, or the watch is away: the server knows.
        return known or self._asked(name)

    def _asked(self, name: str) -> Status | None:
        with _explained():
            try:
                found: Any = self._api.get_namespaced_custom_object(
                    **self._where, name=name, _request_timeout=self._timeout
                )
            except ApiException as error:
                if error.status == HTTPStatus.NOT_FOUND:
                    return None
                raise
        return _status(found)

    def follow(self) -> None:
        """Watch until `end` is called; list anew whenever the watch breaks or is too old."""
        while not self._ended.is_set():
            try:
                self._watch_from(self._list())
            except Exception as error:  # the watch outlives whatever it meets
                with self._lock:
                    self._known = None  # it may be stale by now
                if not self._ended.wait(_pause(error)):
                    logger.warning("the SparkApplications are listed anew: %s", error)

    def end(self) -> None:
        """Let `follow` return."""
        self._ended.set()
        if self._watch is not None:
            self._watch.stop()

    def _list(self) -> str:
        found: Any = self._api.list_namespaced_custom_object(
            **self._where, label_selector=_SELECTOR, _request_timeout=self._timeout
        )
        known = {item["metadata"]["name"]: _status(item) for item in found["items"]}
        with self._lock:
            self._known = known
        return str(found["metadata"]["resourceVersion"])

    def _watch_from(self, version: str) -> None:
        self._watch = watch.Watch()
        if self._ended.is_set():
            return
        for event in self._watch.stream(
            self._api.list_namespaced_custom_object,
            **self._where,
            label_selector=_SELECTOR,
            resource_version=version,
            timeout_seconds=_WATCH_SECONDS,
            _request_timeout=(self._timeout, _WATCH_SECONDS + self._timeout),
        ):
            self._note(event["type"], event["object"])
            if self._ended.is_set():
                return

    def _note(self, kind: str, item: Mapping[str, Any]) -> None:
        name = item["metadata"].get("name")
        with self._lock:
            if self._known is None or name is None:
                return
            if kind == "DELETED":
                self._known.pop(name, None)
            elif kind in {"ADDED", "MODIFIED"}:
                self._known[name] = _status(item)

    @property
    def _where(self) -> dict[str, Any]:
        return {
            "group": GROUP,
            "version": VERSION,
            "namespace": self._namespace,
            "plural": PLURAL,
        }


def _api_client(settings: RunSettings) -> client.ApiClient:
    configuration = client.Configuration()
    if settings.kubeconfig is not None:
        config.load_kube_config(str(settings.kubeconfig), client_configuration=configuration)
    else:
        config.load_incluster_config(client_configuration=configuration)
    configuration.retries = False  # what is tried again, and when, is ours to say
    return client.ApiClient(configuration)


def _status(item: Mapping[str, Any]) -> Status:
    status = item.get("status") or {}
    state = status.get("applicationState") or {}
    driver = status.get("driverInfo") or {}
    return Status(state.get("state", ""), state.get("errorMessage", ""), driver.get("podName"))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ApiException as error:
        raise LauncherUnavailableError(_said(error)) from error
    except urllib3.exceptions.HTTPError as error:
        raise LauncherUnavailableError(f"the API server does not answer: {error}") from error


def _said(error: ApiException) -> str:
    """Return the API server's own sentence, if it sent one."""
    try:
        return f"{error.status}: {json.loads(error.body or '')['message']}"
    except (ValueError, TypeError, KeyError):
        return f"{error.status}: {error.reason}"


def _pause(error: Exception) -> float:
    is_too_old = isinstance(error, ApiException) and error.status == HTTPStatus.GONE
    return 0 if is_too_old else _TRY_AGAIN_SECONDS
