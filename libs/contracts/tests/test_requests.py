"""Requests of the wire that have rules of their own."""

from typing import Any

import pytest
from pydantic import ValidationError

from srpitp_contracts.alerting import SubscriptionRequest
from srpitp_contracts.crawling import SiteRequest
from srpitp_contracts.model import Model
from srpitp_contracts.registration import KeyRequest, OwnerRequest, ProtectionPeriod

MOMENT = "2030-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (OwnerRequest, {"name": ""}),
        (OwnerRequest, {"name": "x" * 201}),
        (OwnerRequest, {"name": "\ud800"}),
        (KeyRequest, {"scopes": []}),
        (KeyRequest, {"scopes": ["root"]}),
        (ProtectionPeriod, {"protected_from": MOMENT, "protected_until": MOMENT}),
        (SiteRequest, {"address": "file:///etc/passwd"}),
        (SiteRequest, {"address": "http://site.example", "interval_seconds": 0}),
        (SubscriptionRequest, {"address": "javascript:alert(1)"}),
        (SubscriptionRequest, {"address": "http://a.example/" + "x" * 2000}),
        (SubscriptionRequest, {"address": "http://a.example", "event_types": []}),
        (SubscriptionRequest, {"address": "http://a.example", "image_ids": ["$gt"]}),
    ],
)
def test_refused(model: type[Model], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)
