"""The matcher: wiring only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from services.matcher.api import router
from services.matcher.measures import Measures
from services.matcher.noting import Noting
from services.matcher.reviews.bulk import BulkReview
from services.matcher.reviews.pictures import Pictures
from services.matcher.reviews.service import ReviewService
from services.matcher.reviews.store import ReviewStore
from services.matcher.runs.launchers import Launcher
from services.matcher.runs.launching import RunParts
from services.matcher.runs.store import RunStore
from services.matcher.search.matching import Matching
from services.matcher.search.service import Search
from services.matcher.search.store import ImageStore
from services.matcher.service import MatcherService
from services.matcher.settings import Settings
from services.matcher.store import INDEXES, MatcherStore
from services.matcher.suppression.judging import Judging
from services.matcher.suppression.rules import Suppression
from services.matcher.suppression.service import ExclusionService
from services.matcher.suppression.store import SuppressionStore
from services.matcher.untold import Untold
from srpitp_contracts.names import ServiceName
from srpitp_servicekit.app import build_app
from srpitp_servicekit.auth import Authenticator
from srpitp_servicekit.mongo import open_database
from srpitp_servicekit.outbox import Outbox
from srpitp_servicekit.peers import open_peers
from srpitp_servicekit.server import serve

_JUDGING_LEASE = timedelta(seconds=30)


def create_app(settings: Settings | None = None, launcher: Launcher | None = None) -> FastAPI:
    """Wire the matcher; its settings name the launcher, if none is given."""
    settings = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Open the store, load the index beside the routes, send the outbox, judge, watch runs.

        All is closed in the reverse order. Until the index is loaded the service is not ready.
        """
        async with (
            open_database(settings, INDEXES, service=ServiceName.MATCHER) as db,
            open_peers(settings) as peers,
        ):
            outbox = Outbox(db, ServiceName.MATCHER, peers)
            outbox.measured_by(app.state.metrics)
            app.state.db = db
            app.state.authenticator = Authenticator(db, settings)
            store = MatcherStore(db)
            measures = Measures(app.state.metrics)
            matching = Matching(ImageStore(db), settings, measures)
            measures.watch(matching.index, store, RunStore(db))
            suppressing = SuppressionStore(
                db, profile=settings.fingerprint_profile, lease=_JUDGING_LEASE
            )
            noting = Noting(store, Suppression(suppressing), outbox)
            judging = Judging(suppressing, noting)
            runs = RunParts(db, settings, launcher)
            app.state.runs = runs.service
            app.state.service = MatcherService(store, matching, noting, runs.handover)
            waiting = ReviewStore(db)
            app.state.reviews = ReviewService(store, waiting, noting)
            app.state.pictures = Pictures(peers)
            app.state.bulk = BulkReview(waiting, app.state.reviews)
            app.state.judging = judging
            app.state.exclusions = ExclusionService(
                store, suppressing, judging, at_most=settings.exclusions_limit
            )
            app.state.settings = settings
            app.state.search = Search(peers, matching)
            app.state.unready = matching.index.unready
            async with (
                matching.index.running(),
                outbox.running(),
                judging.running(),
                Untold(store, noting).running(),
                runs.running(),
            ):
                yield

    return build_app(
        ServiceName.MATCHER,
        router,
        lifespan,
        description="Compares detected images with protected ones; keeps matches and reviews.",
    )


if __name__ == "__main__":
    _settings = Settings()
    serve(create_app(_settings), ServiceName.MATCHER, _settings)
