"""What a subscriber can be told of."""

from enum import StrEnum


class EventType(StrEnum):
    """What happened to a match of one of the owner's images."""

    MATCH_IN_REVIEW = "match.in_review"
    """it waits for a reviewer; told to owners who want to hear of everything"""
    MATCH_CONFIRMED = "match.confirmed"
    """it is a copy"""
    MATCH_WITHDRAWN = "match.withdrawn"
    """what was told of it before does not hold: a confirmation was undone, or it is no copy"""
    PING = "ping"
