"""What a task of a match run does: the whole cascade for a batch of detected images.

The protected images are scanned for all of a batch at once; then the local features of the few
that came near are read, and decide. What is decided is the live engine's business as well, so all
of that is in ``srpitp_matching``.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from spark.ahead import ahead
from spark.outcome import Outcome, fault
from spark.shards import Protected
from spark.store import Document, Store
from spark.sweep import Sweep
from srpitp_contracts.matching import Match, MatchingMode
from srpitp_contracts.runs import ImageFault, RunCounts
from srpitp_fingerprint import Description, LocalFeatures
from srpitp_matching import (
    DetectedFacts,
    Looked,
    Rules,
    description_of,
    features_of,
    judge,
    look_through,
    match_of,
)

__all__ = ["match_batches"]


class _Detected(NamedTuple):
    """An image that is looked for."""

    facts: DetectedFacts
    picture: Description


class _Read(NamedTuple):
    """A batch of detected images, and those of it that cannot be read."""

    images: list[_Detected]
    faults: list[ImageFault]


class _Compared(NamedTuple):
    """A batch that was compared: for each of its images what came of it, by which rules."""

    batch: _Read
    looked: list[Looked]
    rules: Rules


def match_batches(
    batches: Iterable[Sequence[Document]],
    protected: Callable[[], Protected],
    store: Store,
    sweep: Sweep,
) -> Iterator[Outcome]:
    """Match detected images, and write what was found; again it comes to the same.

    While a batch is compared, the next one is read and the one before is decided and written.

    Parameters
    ----------
    batches
        Of ``detected``, with `srpitp_matching.DETECTED_FIELDS` at least.
    protected
        Opens the protected images, once there is a batch.
    store, sweep

    Yields
    ------
    Outcome
        Of a batch, once all of it is written.
    """
    read = (_read(documents, store, sweep) for documents in batches)
    compared = (_compared(batch, protected(), sweep) for batch in ahead(read))
    for batch in ahead(compared):
        yield _noted(batch, store, sweep)


def _compared(batch: _Read, protected: Protected, sweep: Sweep) -> _Compared:
    asked = [(one.picture, None if sweep.all_tags else one.facts.tags) for one in batch.images]
    looked = look_through(protected.parts, asked, protected.rules)
    return _Compared(batch, looked, protected.rules)


def _noted(compared: _Compared, store: Store, sweep: Sweep) -> Outcome:
    """Decide, and write what was found."""
    (images, faults), looked, _ = compared
    matches, lost = _decide(compared, store, sweep)
    new = store.add_matches(matches)
    _note_compared([image.facts for image in images], matches, store, sweep)
    counts = RunCounts(
        images=len(images) + len(faults),
        pairs=sum(of.pairs for of in looked),
        candidates=sum(len(of.wanted) for of in looked),
        matches=len(matches),
        new_matches=new,
        lost_by_tags=lost,
        errors=len(faults),
    )
    return Outcome(counts=counts, faults=faults)


def _read(documents: Sequence[Document], store: Store, sweep: Sweep) -> _Read:
    settings = sweep.settings
    described = settings.matching_mode is not MatchingMode.PAPER
    packed = store.descriptions(of["_id"] for of in documents) if described else {}
    images, faults = [], []
    for document in documents:
        id_ = document["_id"]
        try:
            picture = description_of(
                document, packed.get(id_), profile=settings.fingerprint_profile
            )
            images.append(_Detected(DetectedFacts.of(document), picture))
        except (KeyError, TypeError, ValueError) as error:
            faults.append(fault(id_, error))
    return _Read(images, faults)


def _decide(compared: _Compared, store: Store, sweep: Sweep) -> tuple[list[Match], int]:
    """Judge what was found; return the matches, and how many of them tags would have hidden."""
    (images, _), looked, rules = compared
    features = _features({id_ for of in looked for id_ in of.wanted}, store)
    judged = [
        judge(image.picture, of, features, rules) for image, of in zip(images, looked, strict=True)
    ]
    facts = store.protected_facts((one.protected_id for of in judged for one in of), sweep.moment)
    pairs = [
        (image.facts, facts[one.protected_id], one)
        for image, of in zip(images, judged, strict=True)
        for one in of
        if one.protected_id in facts  # else it was deleted since
    ]
    matches = [match_of(one, it, of, rules, sweep.moment) for of, it, one in pairs]
    apart = sum(set(of.tags).isdisjoint(it.tags) for of, it, _ in pairs)
    return matches, apart if sweep.by_tags else 0


def _features(wanted: Collection[str], store: Store) -> dict[str, LocalFeatures | None]:
    packed = store.descriptions(wanted)
    return {id_: features_of(id_, None, packed.get(id_)) for id_ in wanted}


def _note_compared(
    facts: Sequence[DetectedFacts], matches: Sequence[Match], store: Store, sweep: Sweep
) -> None:
    by_tag = defaultdict[str, list[str]](list)
    for one in facts:
        by_tag[one.tag].append(one.id)
    matched = {match.detected_id for match in matches}
    store.note_compared(by_tag, matched, sweep.moment + sweep.settings.retention)
