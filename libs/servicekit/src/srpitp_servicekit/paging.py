"""Lists by cursor: each page starts behind the last item of the one before, whatever was added."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Query

from srpitp_contracts.model import Model
from srpitp_contracts.pages import Page
from srpitp_servicekit.mongo import DESCENDING, DocumentCollection, from_document
from srpitp_servicekit.problems import InvalidRequestError

M = TypeVar("M", bound=Model)

Limit = Annotated[int, Query(ge=1, le=500, description="how many items at most")]
Cursor = Annotated[
    str | None, Query(max_length=200, description="`next_cursor` of the page before")
]


async def find_page(
    collection: DocumentCollection,
    query: Mapping[str, Any],
    model: type[M],
    *,
    limit: int,
    cursor: str | None,
) -> Page[M]:
    """Return the newest items that meet a query, by ``created_at`` and then ``_id``.

    Parameters
    ----------
    collection
        Its documents have ``created_at``.
    query
        A MongoDB filter.
    model
        What an item is.
    limit
        How many at most.
    cursor
        Of the page before, or None for the first page.

    Raises
    ------
    InvalidRequestError
        When the cursor is not one of ours.
    """
    conditions = [dict(query)]
    if cursor is not None:
        created_at, last_id = _decode(cursor)
        conditions.append(
            {
                "$or": [
                    {"created_at": {"$lt": created_at}},
                    {"created_at": created_at, "_id": {"$lt": last_id}},
                ]
            }
        )
    found = collection.find({"$and": conditions})
    found = found.sort([("created_at", DESCENDING), ("_id", DESCENDING)])
    documents = await found.limit(limit + 1).to_list(limit + 1)
    shown = documents[:limit]
    more = len(documents) > limit
    return Page[model](  # type: ignore[valid-type]  # pydantic makes the class for this model
        items=[from_document(model, document) for document in shown],
        next_cursor=_encode(shown[-1]["created_at"], shown[-1]["_id"]) if more else None,
    )


def _encode(created_at: datetime, last_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([created_at.isoformat(), last_id]).encode()).decode()


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        created_at, last_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        moment = datetime.fromisoformat(created_at)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidRequestError("The cursor is not one of ours; start without one.") from error
    if not isinstance(last_id, str) or moment.tzinfo is None:
        raise InvalidRequestError("The cursor is not one of ours; start without one.")
    return moment, last_id
