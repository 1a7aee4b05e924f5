"""What the matcher is told of detected images, and what becomes of these when it has answered."""

from collections.abc import Sequence
from datetime import datetime

from srpitp_contracts.crawling import DetectedImage, DetectedState, Sighting
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.matching import DetectedEvent
from srpitp_contracts.names import Collection, ServiceName
from srpitp_servicekit.mongo import Database, Document, Session, transaction
from srpitp_servicekit.outbox import Outbox

MESSAGE_SUBJECT = "detected"


def message_key(tag: str, id_: str, first_seen: datetime, *why: str) -> str:
    """Return the outbox key of what is told of a detected image.

    Parameters
    ----------
    tag, id_
        Of the image.
    first_seen
        An image that expired and is found anew must be compared anew.
    *why
        What else it is told for: the same thing is told once.
    """
    return "/".join((tag, id_, first_seen.isoformat(), *why))


def read_message_key(key: str) -> tuple[str, str]:
    """Return the tag and the id of the detected image that a key tells of."""
    tag, id_, *_ = key.split("/")
    return tag, id_


class Telling:
    """Tells the matcher of detected images, in the transactions that write them.

    A match may raise no alert because its owner allows all pages that show the image. So the
    matcher must hear of every further page, and look again. Until an image is known to be part of
    a match there is nothing to look at; but the matcher may be at it, and may have read the pages
    before the latest one. So that there was one is noted, and told as soon as the image matches.
    """

    def __init__(self, db: Database, outbox: Outbox) -> None:
        self._db = db
        self._outbox = outbox
        self._detected = db[Collection.DETECTED]

    def wake(self) -> None:
        """Send now what was written."""
        self._outbox.wake()

    async def of_new(self, image: DetectedImage, session: Session) -> None:
        """Tell that an image is to be compared."""
        await self._tell(
            image.tag, image.id, message_key(image.tag, image.id, image.first_seen), session
        )

    async def of_pages(
        self, tag: str, id_: str, sightings: Sequence[Sighting], session: Session
    ) -> None:
        """Tell that pages show an image that did not before, or name another uploader."""
        if not sightings:
            return
        key = {"tag": tag, "_id": id_}
        document = await self._detected.find_one(key, session=session)
        if document is None:
            return
        if document["state"] == DetectedState.MATCHED:
            news = (f"{one.id}:{one.last_seen.isoformat()}" for one in sightings)
            await self._tell_again(document, derived_id(*sorted(news)), session)
        else:
            await self._detected.update_one(key, {"$set": {"resighted": True}}, session=session)

    async def note_searched(self, tag: str, id_: str, expires_at: datetime) -> None:
        """Note that nothing matched an image, unless it is known to match by now."""
        await self._detected.update_one(
            {"tag": tag, "_id": id_, "state": str(DetectedState.WAITING)},
            {"$set": {"state": str(DetectedState.SEARCHED), "expires_at": expires_at}},
        )

    async def retain(self, tag: str, id_: str) -> None:
        """Keep an image as evidence for ever: it is part of a match."""
        matched = {"state": str(DetectedState.MATCHED), "expires_at": None}

        async def work(session: Session) -> None:
            before = await self._detected.find_one_and_update(
                {"tag": tag, "_id": id_},
                {"$set": matched, "$unset": {"resighted": True}},
                session=session,
            )
            if before and before.get("resighted"):
                await self._tell_again(before, "retained", session)

        await transaction(self._db, work)
        self.wake()

    async def _tell_again(self, document: Document, why: str, session: Session) -> None:
        tag, id_ = document["tag"], document["_id"]
        await self._tell(tag, id_, message_key(tag, id_, document["first_seen"], why), session)

    async def _tell(self, tag: str, id_: str, key: str, session: Session) -> None:
        await self._outbox.add(
            session,
            to=ServiceName.MATCHER,
            subject=MESSAGE_SUBJECT,
            key=key,
            path=f"/v1/detected/{id_}",
            body=DetectedEvent(tag=tag),
        )
