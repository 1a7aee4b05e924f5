"""The keys of the services under test, for those who import them from here."""

from tests.mongodb import ADMIN_KEY, SERVICE_KEY

__all__ = ["ADMIN_KEY", "SERVICE_KEY"]
