"""MongoDB: the one place that knows the driver (motor)."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import bson
from bson.codec_options import CodecOptions
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pydantic import BaseModel
from pymongo import ASCENDING, DESCENDING, IndexModel, ReadPreference
from pymongo.errors import (
    ConnectionFailure,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    WaitQueueTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit.settings import ServiceSettings

__all__ = [
    "ASCENDING",
    "DESCENDING",
    "Database",
    "Document",
    "DocumentCollection",
    "DuplicateKeyError",
    "IndexModel",
    "Indexes",
    "PyMongoError",
    "Session",
    "ensure_indexes",
    "from_document",
    "is_unavailable",
    "open_database",
    "ping",
    "raw_batches",
    "to_document",
    "transaction",
    "unpacked",
    "watch",
]

logger = logging.getLogger(__name__)

_PREPARE_AGAIN_SECONDS = 1
_TRANSACTION_SECONDS = 15
_NAMESPACE_EXISTS = 48
_WATCH_MILLISECONDS = 500

Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]
DocumentCollection = AsyncIOMotorCollection[Document]
Session = AsyncIOMotorClientSession

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


Indexes = Mapping[Collection, Sequence[IndexModel]]


@asynccontextmanager
async def open_database(
    settings: ServiceSettings,
    indexes: Indexes | None = None,
    *,
    service: ServiceName | None = None,
) -> AsyncIterator[Database]:
    """Open the database: majority and journaled writes, times in UTC.

    Parameters
    ----------
    settings
        Where it is.
    indexes
        Made at once, or, while MongoDB is away, as soon as it is back: a service starts
        without it and answers 503 until then.
    service
        Who opens it, by which its connections are known to MongoDB.
    """
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        settings.mongodb_uri,
        serverSelectionTimeoutMS=int(settings.mongodb_timeout_seconds * 1000),
        connectTimeoutMS=int(settings.mongodb_timeout_seconds * 1000),
        retryWrites=True,
        retryReads=True,
        appname=f"srpitp-{service}" if service else "srpitp",
    )
    db = client.get_database(
        settings.mongodb_database,
        codec_options=CodecOptions(tz_aware=True),
        read_preference=ReadPreference.PRIMARY,
        read_concern=ReadConcern("majority"),
        write_concern=WriteConcern("majority", j=True),
    )
    try:
        async with _prepared(db, indexes or {}):
            yield db
    finally:
        client.close()


@asynccontextmanager
async def _prepared(db: Database, indexes: Indexes) -> AsyncIterator[None]:
    try:
        await ensure_indexes(db, indexes)
    except PyMongoError as error:
        if not is_unavailable(error):
            raise
        logger.warning("the indexes are made when MongoDB is back: %s", error)
        task = asyncio.create_task(_prepare_later(db, indexes))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    else:
        yield


async def _prepare_later(db: Database, indexes: Indexes) -> None:
    while True:
        await asyncio.sleep(_PREPARE_AGAIN_SECONDS)
        try:
            await ensure_indexes(db, indexes)
        except PyMongoError as error:
            logger.warning("the indexes are still to be made: %s", error)
        else:
            return


async def ping(db: Database) -> None:
    """Ask the primary for a sign of life; raise ``PyMongoError`` when there is none."""
    await db.command("ping")


async def transaction(db: Database, work: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
    """Run ``work`` in a transaction, again when it loses against another one.

    Parameters
    ----------
    db
        The database.
    work
        Called with the session, maybe several times: it must do nothing but database work.

    Raises
    ------
    ExecutionTimeout
        When it keeps losing. MongoDB holds the locks of a process that was killed within a
        transaction until ``transactionLifetimeLimitSeconds`` are over.
    """
    deadline = time.monotonic() + _TRANSACTION_SECONDS
    tries = 0

    async def patiently(session: Session) -> T:
        # The driver tries again at once and for two minutes, which is too soon and too long.
        nonlocal tries
        if time.monotonic() > deadline:
            raise ExecutionTimeout("the transaction did not come through in time")
        if tries:
            await asyncio.sleep(random.uniform(0, min(0.5, 0.005 * 2**tries)))  # noqa: S311
        tries += 1
        return await work(session)

    async with await db.client.start_session() as session:
        result: T = await session.with_transaction(
            patiently,
            read_concern=ReadConcern("snapshot"),
            write_concern=WriteConcern("majority", j=True),
            read_preference=ReadPreference.PRIMARY,
        )
        return result


async def raw_batches(
    collection: DocumentCollection,
    query: Mapping[str, Any],
    fields: Sequence[str],
    *,
    batch_size: int,
) -> AsyncIterator[bytes]:
    """Yield documents as the server sends them, a batch at a time, not yet `unpacked`.

    For reading much: it takes the event loop next to no time, and unpacking may be done in a
    thread.
    """
    projection = dict.fromkeys(fields, 1)
    async for batch in collection.find_raw_batches(query, projection, batch_size=batch_size):
        yield batch


def unpacked(batch: bytes) -> list[Document]:
    """Return the documents of a batch; times are in UTC."""
    return bson.decode_all(batch, CodecOptions(tz_aware=True))


async def watch(collection: DocumentCollection) -> AsyncIterator[None]:
    """Yield whenever something in a collection changes, and once when that is watched for."""
    ids = [{"$project": {"_id": 1}}]
    async with collection.watch(ids, max_await_time_ms=_WATCH_MILLISECONDS) as stream:
        await stream.try_next()
        yield
        async for _ in stream:
            yield


async def ensure_indexes(db: Database, indexes: Mapping[Collection, Sequence[IndexModel]]) -> None:
    """Create the collections with their indexes; what is there already stays.

    Collections are made here since a transaction on a sharded cluster may not make them.
    """
    present = set(await db.list_collection_names())
    for name, models in indexes.items():
        if name not in present:
            try:
                # The driver's own look beforehand would raise an error of its own.
                await db.create_collection(name, check_exists=False)
            except OperationFailure as error:
                if error.code != _NAMESPACE_EXISTS:  # another process was faster
                    raise
        if models:
            await db[name].create_indexes(list(models))


def to_document(model: BaseModel) -> Document:
    """Return a model as a document: its ``id`` is the ``_id``, a set is a sorted list."""
    document = {name: _plain(value) for name, value in model.model_dump().items()}
    if "id" in document:
        document["_id"] = document.pop("id")
    return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(_plain(item) for item in value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def from_document(model: type[M], document: Mapping[str, Any]) -> M:
    """Return a document as a model; fields that the model does not have are left out."""
    values = {name: document[name] for name in model.model_fields if name in document}
    if "id" in model.model_fields:
        values["id"] = document["_id"]
    return model.model_validate(values)


def is_unavailable(error: PyMongoError) -> bool:
    """Return whether an error says that MongoDB is away for the moment."""
    away = (ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError)
    return isinstance(error, away) or error.has_error_label("TransientTransactionError")
