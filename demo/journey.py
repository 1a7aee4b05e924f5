"""The journey: the paper's ten steps through the REST interface, as an owner and a reviewer go."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from demo import copies
from demo.copies import Copy
from demo.judge import Pair, Told, judge, judge_recrawl, judge_robots, judge_sightings
from demo.pages import FORBIDDEN, Website
from demo.patience import JourneyError, Patience
from demo.photos import LATE, PROTECTED, Photo
from demo.receiver import Arrival, Receiver
from srpitp import ApiError, Client
from srpitp_contracts.alerting import DeliveryState, SubscriptionRequest
from srpitp_contracts.crawling import Crawl, CrawlState, DetectedState, Site, SiteRequest
from srpitp_contracts.matching import Match, MatchState, MatchWithSightings, ReviewDecision
from srpitp_contracts.names import ServiceName
from srpitp_contracts.problems import ProblemCode
from srpitp_contracts.registration import KeyRequest, ProtectedImage, Scope


@dataclass(frozen=True)
class Step:
    """Something that was done, which of the paper's steps it is, and how long it took."""

    numbers: str
    text: str
    found: str
    seconds: float


@dataclass(frozen=True)
class Row:
    """What became of one copy."""

    copy: Copy
    match: MatchWithSightings
    delay_ms: int
    """To the webhook, from when the site sent the bytes, or the owner the late photo."""

    @property
    def late(self) -> bool:
        """Whether the photo was registered when its copy had long been crawled."""
        return self.copy is copies.LATE


def is_noted_at_once(match: Match) -> bool:
    """Return whether a match needed no reviewer."""
    return (match.decided_by or "").startswith("rule:")


class Journey:
    """One owner, one site, and what happens between them.

    Parameters
    ----------
    urls
        Where the services are.
    admin_key
        The administrator's key.
    website
        The site that shows the copies.
    receiver
        The owner's webhook.
    originals
        The photos' bytes, by their keys.
    report
        Told of each step when it is done.
    check
        Called between steps and while waiting; raises when there is nothing to go on for.
    """

    def __init__(
        self,
        urls: Mapping[ServiceName, str],
        admin_key: str,
        website: Website,
        receiver: Receiver,
        originals: Mapping[str, bytes],
        *,
        report: Callable[[Step], None] = lambda _: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.protected: dict[str, ProtectedImage] = {}
        self.crawls: list[Crawl] = []
        self.steps: list[Step] = []
        self.rejected: list[Match] = []
        self.complaints: list[str] = []
        self._urls = urls
        self._website = website
        self._receiver = receiver
        self._originals = originals
        self._report = report
        self._check = check
        self._patience = Patience(check)
        self._clients = ExitStack()
        self._admin = self._client(admin_key)
        self._late_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clients.close()

    def run(self) -> None:
        """Go all the way."""
        self.prepare()
        self.register(PROTECTED)
        self.crawl()
        self.await_alerts(copies.COPIES)
        self.crawl_again()
        self.await_alerts([copies.NEW])
        self.register_late()
        self.await_alerts([copies.LATE])
        self.finish()

    def prepare(self) -> None:
        """Make an owner with keys and a webhook."""
        with self._step(
            "", "The administrator makes an owner with keys; she adds her webhook"
        ) as say:
            owner = self._admin.owners.create("Studio Northlight")
            self._owner = self._client(self._admin.owners.issue_key(owner.id).secret)
            reviewing = KeyRequest(scopes=frozenset({Scope.REVIEWER}), note="reviewer")
            self._reviewer = self._client(self._admin.keys.issue(reviewing).secret)
            request = SubscriptionRequest.model_validate({"address": self._receiver.address})
            subscription = self._owner.subscriptions.add(request)
            self._receiver.trust(subscription.secret)
            self._owner.subscriptions.ping(subscription.id)
            self._patience.until(lambda: len(self._receiver.receptions) > 0, "the ping's arrival")
            say("the ping arrived, rightly signed")

    def register(self, wanted: Sequence[Photo]) -> None:
        """Protect photos, and see that one is not taken twice."""
        with self._step("1-3", f"The owner registers {len(wanted)} photos") as say:
            for photo in wanted:
                self.protected[photo.key] = self._protect(photo)
            again = wanted[0]
            try:
                self._owner.images.protect(self._originals[again.key], title=again.title)
            except ApiError as error:
                if error.problem.code is not ProblemCode.ALREADY_PROTECTED:
                    raise
            else:
                self.complaints.append(f"{again.title} was registered twice")
            say("fingerprinted and stored; the same photo once more is refused")

    def crawl(self) -> None:
        """Have the site monitored, and wait for the first crawl."""
        with self._step("4-7", "The administrator adds a site; it is crawled") as say:
            request = {"address": self._website.address, "name": "Pixel Attic"}
            site = self._admin.sites.add(SiteRequest.model_validate(request))
            counts = self._crawl(site).counts
            self._site = site
            say(
                f"{counts.pages_fetched} pages and {counts.images_fetched} images fetched; "
                "each image fingerprinted and stored"
            )
        self.complaints += judge_robots(self._website.log.since(0), FORBIDDEN)

    def crawl_again(self) -> None:
        """Put a new copy on one page, and see that nothing else is fetched again."""
        with self._step("4-7", "A new copy appears on one page; the site is crawled again") as say:
            before = len(self._website.log.entries)
            changed = self._website.add_copy(copies.NEW)
            self._crawl(self._site)
            log = self._website.log.since(before)
            self.complaints += judge_recrawl(log, changed)
            unchanged = sum(entry.status == HTTPStatus.NOT_MODIFIED for entry in log)
            say(f"the page and the image were sent; {unchanged} times 304 Not Modified")
        self.complaints += judge_robots(log, FORBIDDEN)

    def register_late(self) -> None:
        """Protect a photo whose copy was crawled long before."""
        with self._step("1-3", "A photo is registered whose copy was crawled before") as say:
            self._late_at = time.monotonic()
            self.protected[LATE.key] = self._protect(LATE)
            say(f"{LATE.title}: compared with what was found so far")

    def await_alerts(self, awaited: Collection[Copy]) -> None:
        """Review what needs it, until the copies are alerted."""
        pairs = {self._pair(copy) for copy in awaited}
        what = "copies are" if len(pairs) > 1 else "copy is"
        with self._step("8-10", f"{len(pairs)} {what} matched, reviewed and alerted") as say:

            def told() -> bool:
                self._review()
                return pairs <= {told.pair for told in self.told()}

            self._patience.until(told, "the alerts")
            noted = [item.event.data for item in self._receiver.alerts if item.event.data]
            awaited_ones = [match for match in noted if self._pair_of(match) in pairs]
            at_once = sum(is_noted_at_once(match) for match in awaited_ones)
            say(f"{at_once} at once, {len(pairs) - at_once} when the reviewer had confirmed")

    def finish(self) -> None:
        """Wait until there is nothing more to come, then judge."""
        with self._step("", "Nothing more is to come") as say:
            self._patience.until(self._is_settled, "the end of all work")
            expected = {self._pair(copy): copy for copy in self._all_copies()}
            self.complaints += judge(expected, self.told())
            for row in self.rows():
                pages = self._website.pages_showing(row.copy.name)
                sightings = row.match.sightings
                self.complaints += judge_sightings(pages, self._website.stated, sightings)
            say(f"{len(self._receiver.alerts)} alerts, {self._receiver.repeats} repeated")

    def told(self) -> list[Told]:
        """Return every webhook that told of a match, repeats included."""
        return [
            Told(item.webhook_id, self._pair_of(item.event.data))
            for item in self._receiver.receptions
            if item.event.data is not None
        ]

    def rows(self) -> list[Row]:
        """Return what became of each copy that was alerted."""
        arrivals = {
            self._pair_of(arrival.event.data): arrival
            for arrival in reversed(self._receiver.alerts)
            if arrival.event.data is not None
        }
        rows = []
        for copy in self._all_copies():
            arrival = arrivals.get(self._pair(copy))
            if arrival and arrival.event.data:
                match = self._owner.matches.get(arrival.event.data.id)
                rows.append(Row(copy, match, self._delay_ms(copy, arrival)))
        return rows

    def _client(self, key: str) -> Client:
        return self._clients.enter_context(Client(urls=self._urls, key=key))

    @contextmanager
    def _step(self, numbers: str, text: str) -> Iterator[Callable[[str], None]]:
        self._check()
        began, found = time.monotonic(), [""]
        yield lambda said: found.append(said)
        self.steps.append(Step(numbers, text, found[-1], time.monotonic() - began))
        self._report(self.steps[-1])

    def _protect(self, photo: Photo) -> ProtectedImage:
        """Register a photo; when the answer was lost, find what was registered."""
        data = self._originals[photo.key]
        try:
            return self._patience.stubbornly(
                lambda: self._owner.images.protect(data, title=photo.title)
            )
        except ApiError as error:
            if error.problem.code is not ProblemCode.ALREADY_PROTECTED:
                raise
            mine = self._patience.stubbornly(lambda: list(self._owner.images.list()))
            return next(image for image in mine if image.title == photo.title)

    def _crawl(self, site: Site) -> Crawl:
        crawl = self._admin.sites.crawl(site.id)

        def ended() -> bool:
            nonlocal crawl
            self._review()  # a reviewer does not wait for the end of a crawl
            crawl = self._admin.crawls.get(crawl.id)
            return crawl.state in {CrawlState.FINISHED, CrawlState.FAILED}

        self._patience.until(ended, "the end of the crawl")
        if crawl.state is CrawlState.FAILED:
            raise JourneyError(f"the crawl failed: {crawl.error}")
        self.crawls.append(crawl)
        return crawl

    def _review(self) -> int:
        """Do a reviewer's work, who sees at a glance what is a copy and what is not."""
        true = {self._pair(copy) for copy in self._all_copies()}
        waiting = list(self._reviewer.matches.list(state=MatchState.IN_REVIEW))
        for match in waiting:
            is_copy = self._pair_of(match) in true
            decision = ReviewDecision.CONFIRM if is_copy else ReviewDecision.REJECT
            self._reviewer.matches.review(match.id, decision)
            if not is_copy:
                self.rejected.append(match)
        return len(waiting)

    def _is_settled(self) -> bool:
        self._review()
        if any(image.state is DetectedState.WAITING for image in self._admin.detected.list()):
            return False
        confirmed = list(self._owner.matches.list(state=MatchState.CONFIRMED))
        alerts = [alert for alert in self._owner.alerts.list() if alert.match is not None]
        deliveries = list(self._owner.deliveries.list())
        return len(confirmed) == len(alerts) and all(
            delivery.state is not DeliveryState.WAITING for delivery in deliveries
        )

    def _all_copies(self) -> list[Copy]:
        return [*copies.COPIES, copies.NEW, copies.LATE]

    def _pair(self, copy: Copy) -> Pair:
        return Pair(copy.original, self._website.image_address(copy.name))

    def _pair_of(self, match: Match) -> Pair:
        keys = {image.id: key for key, image in list(self.protected.items())}
        return Pair(keys.get(match.protected_id, match.protected_title), match.image_address)

    def _delay_ms(self, copy: Copy, arrival: Arrival) -> int:
        began = self._website.log.sent_at(self._website.image_address(copy.name)) or 0.0
        return round((arrival.at - max(began, self._late_at * (copy is copies.LATE))) * 1000)
