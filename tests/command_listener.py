"""A watch over every command that the stores send: would a sharded cluster take it?

The tests run on a replica set, which takes everything; ``mongos`` would not. So each command on a
sharded collection is checked here: one document is written by its full shard key, an upsert names
it, a unique index starts with it, and a shard key never changes in place. A client that says whose
it is, by its ``appname``, writes the collections of that service or job only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import monitoring

from srpitp_contracts.names import (
    SHARD_KEYS,
    WRITERS,
    Collection,
    JobName,
    ServiceName,
    Writer,
)

BROADCASTS: Mapping[Collection, frozenset[str]] = {
    # Rare: a subscription was deleted or disabled, or asked to be left alone for a while.
    Collection.DELIVERIES: frozenset({"subscription_id"}),
    # Rare: a site was deleted, and what is remembered of its addresses goes with it.
    Collection.CRAWL_STATE: frozenset({"site_id"}),
}
"""Fields by which many documents may be written on every shard at once."""

_WRITERS: Mapping[str, Writer] = {f"srpitp-{one}": one for one in (*ServiceName, *JobName)}
_DOCUMENT_WRITES = {"insert", "update", "delete", "findAndModify"}
_NAMES: frozenset[str] = frozenset(Collection)


@dataclass(frozen=True)
class Write:
    """One write of a command."""

    filter: Mapping[str, Any]
    update: Any = None
    many: bool = False
    upsert: bool = False


def violations(name: str, command: Mapping[str, Any], writer: Writer | None = None) -> list[str]:
    """Return what a sharded cluster, or the list of writers, has against a command."""
    target = command.get(name)
    if not isinstance(target, str) or target not in _NAMES:
        return []
    collection = Collection(target)
    found = []
    if writer and name in _DOCUMENT_WRITES and writer not in WRITERS[collection]:
        found.append(f"{writer} is not a writer of {collection}")
    key = SHARD_KEYS.get(collection)
    if key:
        found += [f"{name} {collection}: {why}" for why in _against(name, command, collection, key)]
    return found


def writer_named(appname: str) -> Writer | None:
    """Return whose client has a name; a client without a writer's name may write everything."""
    return None if appname == "srpitp" else _WRITERS[appname]


def _against(
    name: str, command: Mapping[str, Any], collection: Collection, key: Sequence[str]
) -> Iterator[str]:
    if name == "insert":
        for document in command["documents"]:
            if missing := [part for part in key if document.get(part) is None]:
                yield f"the document lacks {missing} of the shard key"
    elif name == "createIndexes":
        for index in command["indexes"]:
            if index.get("unique") and tuple(index["key"])[: len(key)] != tuple(key):
                yield f"the unique index {index['name']} does not start with {key}"
    else:
        for write in _writes(name, command):
            yield from _against_write(write, collection, key)


def _writes(name: str, command: Mapping[str, Any]) -> Iterator[Write]:
    if name == "update":
        for one in command["updates"]:
            yield Write(one["q"], one["u"], one.get("multi", False), one.get("upsert", False))
    elif name == "delete":
        for one in command["deletes"]:
            yield Write(one["q"], many=one["limit"] == 0)
    elif name == "findAndModify":
        yield Write(command["query"], command.get("update"), upsert=command.get("upsert", False))


def _against_write(write: Write, collection: Collection, key: Sequence[str]) -> Iterator[str]:
    named = _equalities(write.filter)
    missing = [part for part in key if part not in named]
    if write.many and not write.upsert:
        # Sent to the shards that have them: each listed value is a whole shard key.
        missing = [part for part in missing if "$in" not in _operators(write.filter.get(part))]
    listed = write.many and not write.upsert and BROADCASTS.get(collection, frozenset()) & {*named}
    if missing and not listed:
        yield f"the filter {sorted(write.filter)} lacks {missing} of the shard key"
    for part, value in _written(write.update).items():
        if part in key and value != named.get(part, value):
            yield f"{part} is part of the shard key and changes in place"


def _equalities(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that a filter pins to one value."""
    pinned: dict[str, Any] = {}
    for field, value in condition.items():
        if field == "$and":
            for part in value:
                pinned |= _equalities(part)
        elif isinstance(value, Mapping) and any(name.startswith("$") for name in value):
            if "$eq" in value:
                pinned[field] = value["$eq"]
        elif not field.startswith("$"):
            pinned[field] = value
    return pinned


def _operators(condition: Any) -> Mapping[str, Any]:
    return condition if isinstance(condition, Mapping) else {}


def _written(update: Any) -> dict[str, Any]:
    """Return the fields that an update sets: by operators, by a pipeline, or as a replacement."""
    if isinstance(update, list):
        return {field: value for stage in update for field, value in _written(stage).items()}
    if not isinstance(update, Mapping):
        return {}
    operators = {name: value for name, value in update.items() if name.startswith("$")}
    if not operators:
        return dict(update)
    unset = dict.fromkeys(operators.get("$unset", ()))
    return unset | {
        field: value
        for name, fields in operators.items()
        if name != "$unset" and isinstance(fields, Mapping)
        for field, value in fields.items()
    }


class Watch(monitoring.CommandListener):
    """Notes the violations of one client. An error raised here would be swallowed by the driver."""

    def __init__(self, writer: Writer | None, noted: list[str]) -> None:
        self._writer = writer
        self._noted = noted

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self._noted.extend(violations(event.command_name, event.command, self._writer))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@pytest.fixture(scope="session")
def noted_violations() -> Iterator[list[str]]:
    """Every client that a service opens is watched from here on."""
    noted: list[str] = []

    def watched_client(*args: Any, **options: Any) -> Any:
        watch = Watch(writer_named(options.get("appname", "srpitp")), noted)
        return AsyncIOMotorClient(*args, event_listeners=[watch], **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("srpitp_servicekit.mongo.AsyncIOMotorClient", watched_client)
        yield noted


@pytest.fixture(autouse=True)
def _sharded_cluster_would_take_it(noted_violations: list[str]) -> Iterator[None]:
    """Fail the test whose commands a sharded cluster would not take."""
    noted_violations.clear()
    yield
    assert not noted_violations, "\n".join(noted_violations)
