"""The names in the store: collections, their shard keys, and who may write each."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ServiceName(StrEnum):
    """The five services."""

    REGISTRATION = "registration"
    CRAWLER = "crawler"
    FINGERPRINT = "fingerprint"
    MATCHER = "matcher"
    NOTIFICATION = "notification"


class JobName(StrEnum):
    """What writes beside the services."""

    SPARK = "spark"


Writer = ServiceName | JobName
"""Who may write; its connections are known to MongoDB as ``srpitp-<writer>``."""


class Collection(StrEnum):
    """Every collection of the database."""

    OWNERS = "owners"
    API_KEYS = "api_keys"
    ALLOWANCES = "allowances"
    REGISTRY = "registry"
    PROTECTED = "protected"
    SITES = "sites"
    CRAWLS = "crawls"
    CRAWL_STATE = "crawl_state"
    DETECTED = "detected"
    DESCRIPTIONS = "descriptions"
    SIGHTINGS = "sightings"
    MATCHES = "matches"
    EXCLUSIONS = "exclusions"
    JUDGEMENTS = "judgements"
    SUBSCRIPTIONS = "subscriptions"
    ALERTS = "alerts"
    DELIVERIES = "deliveries"
    OUTBOX = "outbox"
    RUNS = "runs"


SHARD_KEYS: Mapping[Collection, tuple[str, ...]] = MappingProxyType(
    {
        Collection.REGISTRY: ("_id",),
        Collection.PROTECTED: ("tag", "_id"),
        Collection.DETECTED: ("tag", "_id"),
        Collection.DESCRIPTIONS: ("_id",),
        Collection.SIGHTINGS: ("image_id",),
        Collection.MATCHES: ("owner_id", "_id"),
        Collection.OUTBOX: ("_id",),
        Collection.ALERTS: ("_id",),
        Collection.DELIVERIES: ("_id",),
        Collection.CRAWL_STATE: ("_id",),
    }
)
"""Shard key of each sharded collection; a single field is hashed, a pair is ranged.

Updates and deletes of one document name the whole key, and unique indexes start with it.
"""

WRITERS: Mapping[Collection, frozenset[Writer]] = MappingProxyType(
    {
        Collection.OWNERS: frozenset({ServiceName.REGISTRATION}),
        Collection.API_KEYS: frozenset({ServiceName.REGISTRATION}),
        Collection.ALLOWANCES: frozenset({ServiceName.REGISTRATION}),
        Collection.REGISTRY: frozenset({ServiceName.REGISTRATION, JobName.SPARK}),
        Collection.PROTECTED: frozenset({ServiceName.REGISTRATION, JobName.SPARK}),
        Collection.SITES: frozenset({ServiceName.CRAWLER}),
        Collection.CRAWLS: frozenset({ServiceName.CRAWLER}),
        Collection.CRAWL_STATE: frozenset({ServiceName.CRAWLER}),
        Collection.DETECTED: frozenset({ServiceName.CRAWLER, JobName.SPARK}),
        Collection.DESCRIPTIONS: frozenset(
            {ServiceName.REGISTRATION, ServiceName.CRAWLER, JobName.SPARK}
        ),
        Collection.SIGHTINGS: frozenset({ServiceName.CRAWLER}),
        Collection.MATCHES: frozenset({ServiceName.MATCHER, JobName.SPARK}),
        Collection.EXCLUSIONS: frozenset({ServiceName.MATCHER}),
        Collection.JUDGEMENTS: frozenset({ServiceName.MATCHER}),
        Collection.SUBSCRIPTIONS: frozenset({ServiceName.NOTIFICATION}),
        Collection.ALERTS: frozenset({ServiceName.NOTIFICATION}),
        Collection.DELIVERIES: frozenset({ServiceName.NOTIFICATION}),
        Collection.OUTBOX: frozenset(
            {ServiceName.REGISTRATION, ServiceName.CRAWLER, ServiceName.MATCHER}
        ),
        Collection.RUNS: frozenset({ServiceName.MATCHER, JobName.SPARK}),
    }
)
"""The one place that says who writes what. All services read ``api_keys`` to know their callers;
the matcher reads ``protected``, ``detected``, ``descriptions``, ``sightings``, ``allowances`` and,
for their alert policy, ``owners``. A Spark job adds matches, says of detected images that they were
compared, and describes images anew."""

UNTAGGED = "untagged"
"""The tag of an image that no classifier has looked at."""

TAGS: tuple[str, ...] = ("people", "animal", "scenic", "other")
"""What the fingerprint service says of an image (paper, Algorithm 1), unless the administrator's
own head says more; an image that no classifier has looked at has them all."""
