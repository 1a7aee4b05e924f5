"""What the database holds: mongod's own list of collections, with counts and indexes."""

from srpitp_servicekit.mongo import open_database
from srpitp_servicekit.settings import ServiceSettings


async def inventory(mongodb_uri: str) -> str:
    """Return the list as text."""
    settings = ServiceSettings(mongodb_uri=mongodb_uri, service_key="unused")
    lines = []
    async with open_database(settings) as db:
        version = (await db.client.server_info())["version"]
        lines.append(f"MongoDB {version}, database {db.name}")
        for name in sorted(await db.list_collection_names()):
            count = await db[name].count_documents({})
            lines.append(f"\n{name}: {count} documents")
            async for index in db[name].list_indexes():
                keys = ", ".join(f"{key} {direction}" for key, direction in index["key"].items())
                traits = [
                    trait
                    for trait in ("unique", "partialFilterExpression", "expireAfterSeconds")
                    if trait in index
                ]
                lines.append(f"    {index['name']}: {keys} {' '.join(traits)}".rstrip())
    return "\n".join(lines) + "\n"
