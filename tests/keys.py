"""The keys of the services under test, and those that a test makes."""

from typing import Any

from srpitp_contracts.identifiers import random_id
from srpitp_contracts.names import Collection
from srpitp_contracts.registration import Scope
from srpitp_servicekit.auth import hash_secret, new_secret
from srpitp_servicekit.mongo import Database

ADMIN_KEY = "srpitp_test-admin-key"
SERVICE_KEY = "srpitp_test-service-key"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def add_key(db: Database, owner_id: str | None, *scopes: Scope, **fields: Any) -> str:
    """Add a key to the store, and return its secret."""
    secret = new_secret()
    document = {
        "_id": random_id(),
        "hash": hash_secret(secret),
        "owner_id": owner_id,
        "scopes": [str(scope) for scope in scopes],
        "revoked_at": None,
    }
    await db[Collection.API_KEYS].insert_one(document | fields)
    return secret
