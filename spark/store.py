"""What jobs read and write in MongoDB: the one place here that knows the driver.

Everything written may be written twice: a task that was killed is run again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from bson.codec_options import CodecOptions
from pymongo import MongoClient, UpdateMany, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.collection import Collection as MongoCollection
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from spark.ranges import Range
from spark.settings import Settings
from srpitp_contracts.crawling import DetectedState
from srpitp_contracts.matching import Match
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection, JobName
from srpitp_contracts.registration import ProtectionStatus
from srpitp_contracts.runs import Run, Update, of_attempt
from srpitp_matching import PROTECTED_FIELDS, ProtectedFacts
from srpitp_servicekit.mongo import from_document, to_document

__all__ = ["Address", "Document", "Store", "in_force", "in_some", "open_store"]

Document = dict[str, Any]
T = TypeVar("T")

_AT_ONCE = 500  # writes, or ids that are asked for
_READ_AT_ONCE = 1000  # documents, which then stay in the processor's cache


class Address(NamedTuple):
    """Where the store is: what a task is told."""

    uri: str
    database: str
    timeout_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> "Address":
        """Take it from the settings."""
        return cls(
            settings.mongodb_uri, settings.mongodb_database, settings.mongodb_timeout_seconds
        )


@contextmanager
def open_store(address: Address) -> Iterator["Store"]:
    """Open the store: majority and journaled writes, times in UTC."""
    milliseconds = int(address.timeout_seconds * 1000)
    client: MongoClient[Document] = MongoClient(
        address.uri,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        appname=f"srpitp-{JobName.SPARK}",
    )
    try:
        yield Store(client, address.database)
    finally:
        client.close()


def in_force(moment: datetime) -> Mapping[str, Any]:
    """Return what finds the protected images whose protection holds at a moment."""
    return {
        "status": str(ProtectionStatus.ACTIVE),
        "protected_from": {"$lte": moment},
        "$or": [{"protected_until": None}, {"protected_until": {"$gt": moment}}],
    }


class Store:
    """The collections that jobs read and write."""

    def __init__(self, client: MongoClient[Document], database: str) -> None:
        self._db = client.get_database(
            database,
            codec_options=CodecOptions(tz_aware=True),
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", j=True),
        )

    def drop(self) -> None:
        """Delete the whole database."""
        self._db.client.drop_database(self._db.name)

    def collection(self, name: Collection) -> MongoCollection[Document]:
        """Give a collection to who reads or writes more of it than is here."""
        return self._db[name]

    def counts(self, name: Collection) -> dict[str, int]:
        """Count the documents of each tag, by the index of the shard key."""
        found: MongoCollection[Document] = self._db[name]
        return {tag: found.count_documents({"tag": tag}) for tag in sorted(found.distinct("tag"))}

    def is_more_than(self, name: Collection, condition: Mapping[str, Any], most: int) -> bool:
        """Tell whether more documents fulfil a condition, without counting them all."""
        return self._db[name].count_documents(condition, limit=most + 1) > most

    def raw_batches(
        self,
        name: Collection,
        part: Range,
        condition: Mapping[str, Any],
        fields: Sequence[str],
    ) -> Iterator[bytes]:
        """Yield the documents of a range that fulfil a condition, as BSON one after the other."""
        return iter(
            self._db[name].find_raw_batches(
                {**part.filter, **condition},
                dict.fromkeys(fields, 1),
                batch_size=_READ_AT_ONCE,
                hint=[("tag", 1), ("_id", 1)],
            )
        )

    def descriptions(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Read the descriptions of images, of those that have any."""
        return {
            document["_id"]: document["packed"]
            for some in in_some(sorted(set(ids)), _AT_ONCE)
            for document in self._db[Collection.DESCRIPTIONS].find({"_id": {"$in": some}})
        }

    def described(self, ids: Iterable[str]) -> set[str]:
        """Tell which images have a description."""
        return {
            document["_id"]
            for some in in_some(sorted(set(ids)), _AT_ONCE)
            for document in self._db[Collection.DESCRIPTIONS].find(
                {"_id": {"$in": some}}, {"_id": 1}
            )
        }

    def describe(
        self,
        name: Collection,
        document: Document,
        fields: Document,
        packed: bytes | None,
        claims: Sequence[str] = (),
    ) -> bool:
        """Write what is known of an image now, with its description or without any.

        Returns False when the image is gone: deleted, or expired.

        Parameters
        ----------
        name
            ``protected`` or ``detected``.
        document
            Its ``tag`` and its ``_id``.
        fields
            What is written; of a protected image the time of change besides, which the matcher
            reads by.
        packed
        claims
            What a protected image claims now; of an earlier version's claims those go that it held.
        """
        key = {part: document[part] for part in ("tag", "_id")}
        changed: Document = {field: {"$literal": value} for field, value in fields.items()}
        if name is Collection.PROTECTED:
            key["status"] = str(ProtectionStatus.ACTIVE)
            changed["updated_at"] = {"$max": ["$$NOW", {"$add": ["$updated_at", 1]}]}
        descriptions = self._db[Collection.DESCRIPTIONS]
        with self._db.client.start_session() as session:

            def work(session: ClientSession) -> bool:
                known = self._db[name].find_one(key, {"claims": 1}, session=session)
                if known is None:
                    return False
                if claims:
                    changed["claims"] = self._renew_claims(session, known, claims)
                self._db[name].update_one(key, [{"$set": changed}], session=session)
                of_image = {"_id": document["_id"]}
                if packed is None:
                    descriptions.delete_one(of_image, session=session)
                else:
                    descriptions.replace_one(
                        of_image, {"packed": packed}, upsert=True, session=session
                    )
                return True

            return session.with_transaction(work, write_concern=WriteConcern("majority", j=True))

    def _renew_claims(
        self, session: ClientSession, known: Document, claims: Sequence[str]
    ) -> list[str]:
        """Claim things for an image, as far as no other holds them, in place of what it claimed."""
        registry, image_id = self._db[Collection.REGISTRY], known["_id"]
        fields = {"image_id": image_id, "claimed_at": utc_now()}
        for claim in claims:
            registry.update_one(
                {"_id": claim}, {"$setOnInsert": fields}, upsert=True, session=session
            )
        ours = {"_id": {"$in": list(claims)}, "image_id": image_id}
        held = {one["_id"] for one in registry.find(ours, {"_id": 1}, session=session)}
        for claim in set(known.get("claims", ())) - held:
            registry.delete_one({"_id": claim, "image_id": image_id}, session=session)
        return [claim for claim in claims if claim in held]

    def protected_facts(self, ids: Iterable[str], moment: datetime) -> dict[str, ProtectedFacts]:
        """Read what a match says of protected images, of those that are in force."""
        return {
            document["_id"]: ProtectedFacts.of(document)
            for some in in_some(sorted(set(ids)), _AT_ONCE)
            for document in self._db[Collection.PROTECTED].find(
                {"_id": {"$in": some}, **in_force(moment)}, dict.fromkeys(PROTECTED_FIELDS, 1)
            )
        }

    def add_matches(self, matches: Iterable[Match]) -> int:
        """Write matches, unless they are there already; return how many are new.

        They are marked as untold: the matcher tells of them, as it does of its own.
        """
        new = 0
        for some in in_some(matches, _AT_ONCE):
            upserts = [_upsert(match) for match in some]
            new += self._db[Collection.MATCHES].bulk_write(upserts, ordered=False).upserted_count
        return new

    def note_compared(
        self, ids: Mapping[str, Sequence[str]], matched: set[str], expires_at: datetime
    ) -> None:
        """Say of detected images that they were compared, as the crawler would.

        Parameters
        ----------
        ids
            Of each tag that they are stored under.
        matched
            Those that are part of a match: evidence, and kept.
        expires_at
            Until when the others are kept; of those that were compared before it stays.
        """
        searched = {"state": str(DetectedState.SEARCHED), "expires_at": expires_at}
        kept = {"state": str(DetectedState.MATCHED), "expires_at": None}
        waiting = {"state": str(DetectedState.WAITING)}
        updates: list[UpdateMany] = []
        for tag, of_tag in ids.items():
            for some in in_some(of_tag, _AT_ONCE):
                found = [id_ for id_ in some if id_ in matched]
                rest = [id_ for id_ in some if id_ not in matched]
                updates += _state_updates(tag, found, {}, kept)
                updates += _state_updates(tag, rest, waiting, searched)
        if updates:  # all at once: each writing waits until it is in the journal
            self._db[Collection.DETECTED].bulk_write(updates, ordered=False)

    def run(self, run_id: str) -> Run | None:
        """Return a run."""
        document = self._db[Collection.RUNS].find_one({"_id": run_id})
        return from_document(Run, document) if document else None

    def say(self, run_id: str, attempt: int, update: Update) -> bool:
        """Write how far a run is; False when this attempt is not to go on."""
        result = self._db[Collection.RUNS].update_one(of_attempt(run_id, attempt), update)
        return result.matched_count == 1


def _state_updates(
    tag: str, ids: list[str], condition: Mapping[str, Any], fields: Document
) -> list[UpdateMany]:
    of = {"tag": tag, "_id": {"$in": ids}, **condition}
    return [UpdateMany(of, {"$set": fields})] if ids else []


def _upsert(match: Match) -> UpdateOne:
    document = to_document(match)
    key = {name: document.pop(name) for name in ("owner_id", "_id")}
    return UpdateOne(key, {"$setOnInsert": {**document, "untold": True}}, upsert=True)


def in_some(many: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most so many."""
    rest = iter(many)
    while some := list(islice(rest, size)):
        yield some
