"""The routes of the notification service."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.notification.service import NotificationService
from srpitp_contracts.alerting import (
    Alert,
    AlertRequest,
    Delivery,
    DeliveryState,
    IssuedSubscription,
    Subscription,
    SubscriptionRequest,
)
from srpitp_contracts.model import Identifier
from srpitp_contracts.pages import Page
from srpitp_servicekit.auth import OwnerCaller, ReaderCaller, ServiceCaller
from srpitp_servicekit.idempotency import IdempotencyKey
from srpitp_servicekit.paging import Cursor, Limit
from srpitp_servicekit.problems import responses

router = APIRouter()


def _service(request: Request) -> NotificationService:
    service: NotificationService = request.app.state.service
    return service


Service = Annotated[NotificationService, Depends(_service)]


@router.post("/subscriptions", status_code=201, tags=["subscriptions"], responses=responses(409))
async def create_subscription(
    request: SubscriptionRequest,
    service: Service,
    caller: OwnerCaller,
    idempotency_key: IdempotencyKey = None,
) -> IssuedSubscription:
    """Subscribe an address to alerts; the answer shows the secret that signs them, only now."""
    return await service.subscribe(request, caller, idempotency_key)


@router.get("/subscriptions", tags=["subscriptions"], responses=responses())
async def list_subscriptions(
    service: Service, caller: OwnerCaller, limit: Limit = 100, cursor: Cursor = None
) -> Page[Subscription]:
    """List your subscriptions, newest first."""
    return await service.subscriptions(caller, limit=limit, cursor=cursor)


@router.get("/subscriptions/{subscription_id}", tags=["subscriptions"], responses=responses(404))
async def get_subscription(
    subscription_id: Identifier, service: Service, caller: OwnerCaller
) -> Subscription:
    """Show a subscription."""
    return await service.subscription(subscription_id, caller)


@router.delete(
    "/subscriptions/{subscription_id}",
    status_code=204,
    tags=["subscriptions"],
    responses=responses(404),
)
async def delete_subscription(
    subscription_id: Identifier, service: Service, caller: OwnerCaller
) -> None:
    """Delete a subscription; what waits to be delivered to it is given up."""
    await service.unsubscribe(subscription_id, caller)


@router.post(
    "/subscriptions/{subscription_id}/secret",
    tags=["subscriptions"],
    responses=responses(404, 409),
)
async def rotate_secret(
    subscription_id: Identifier, service: Service, caller: OwnerCaller
) -> IssuedSubscription:
    """Replace the secret; for a day both sign, so change over without losing an alert."""
    return await service.rotate_secret(subscription_id, caller)


@router.post(
    "/subscriptions/{subscription_id}/ping",
    status_code=202,
    tags=["subscriptions"],
    responses=responses(404, 409),
)
async def ping_subscription(
    subscription_id: Identifier, service: Service, caller: OwnerCaller
) -> Delivery:
    """Send a test event; follow the delivery to see what the subscriber answered."""
    return await service.ping(subscription_id, caller)


@router.post(
    "/subscriptions/{subscription_id}/enable", tags=["subscriptions"], responses=responses(404)
)
async def enable_subscription(
    subscription_id: Identifier, service: Service, caller: OwnerCaller
) -> Subscription:
    """Enable a subscription that was disabled since its address answered 410 Gone."""
    return await service.enable(subscription_id, caller)


@router.put("/alerts/{alert_id}", tags=["internal"], responses=responses())
async def put_alert(
    alert_id: Identifier, request: AlertRequest, service: Service, _: ServiceCaller
) -> Alert:
    """Take an alert, once, and deliver it to whoever subscribed to it."""
    return await service.alert(alert_id, request)


@router.get("/alerts", tags=["alerts"], responses=responses())
async def list_alerts(
    service: Service,
    caller: ReaderCaller,
    protected_id: Annotated[
        Identifier | None, Query(description="of this protected image only")
    ] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Alert]:
    """List alerts, newest first, also those that nobody subscribed to."""
    return await service.alerts(caller, protected_id=protected_id, limit=limit, cursor=cursor)


@router.get("/alerts/{alert_id}", tags=["alerts"], responses=responses(404))
async def get_alert(alert_id: Identifier, service: Service, caller: ReaderCaller) -> Alert:
    """Show an alert."""
    return await service.shown_alert(alert_id, caller)


@router.get("/deliveries", tags=["deliveries"], responses=responses())
async def list_deliveries(
    service: Service,
    caller: ReaderCaller,
    alert_id: Annotated[Identifier | None, Query()] = None,
    subscription_id: Annotated[Identifier | None, Query()] = None,
    state: Annotated[DeliveryState | None, Query()] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Delivery]:
    """List deliveries with their attempts, newest first."""
    return await service.deliveries(
        caller,
        alert_id=alert_id,
        subscription_id=subscription_id,
        state=state,
        limit=limit,
        cursor=cursor,
    )


@router.get("/deliveries/{delivery_id}", tags=["deliveries"], responses=responses(404))
async def get_delivery(delivery_id: Identifier, service: Service, caller: ReaderCaller) -> Delivery:
    """Show a delivery with its attempts."""
    return await service.delivery(delivery_id, caller)


@router.post(
    "/deliveries/{delivery_id}/redeliver",
    status_code=202,
    tags=["deliveries"],
    responses=responses(404, 409),
)
async def redeliver(delivery_id: Identifier, service: Service, caller: OwnerCaller) -> Delivery:
    """Deliver again, under the same webhook-id, whatever came of it before."""
    return await service.redeliver(delivery_id, caller)
