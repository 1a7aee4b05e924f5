"""The engine against the definition, pair by pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matcher.engine import Bank, Candidate, Pair, Rule, compare
from srpitp_contracts.matching import Verdict
from srpitp_fingerprint import decision_distance, distance

ROBUST = Rule(profile="robust", threshold=0.43, candidates=100)
PAPER = Rule(profile="paper", threshold=0.4258, candidates=100)


def fingerprint(seed: int) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, 180, dtype=np.uint8).tobytes()


def altered(original: bytes, share: float, seed: int = 0) -> bytes:
    """A fingerprint in which about ``share`` of the bytes are others."""
    rng = np.random.default_rng(seed)
    row = np.frombuffer(original, np.uint8).copy()
    places = rng.random(180) < share
    row[places] = rng.integers(0, 256, int(places.sum()), dtype=np.uint8)
    return row.tobytes()


def candidate(
    id_: str, *views: bytes, digest: str | None = None, textureless: bool = False
) -> Candidate:
    return Candidate(id_, digest or f"digest of {id_}", textureless, views)


@st.composite
def banks(draw: st.DrawFn) -> tuple[list[Candidate], list[Candidate]]:
    """Detected and protected images: strangers, near copies, same files, several views."""
    origins = [fingerprint(seed) for seed in range(4)]

    def side(prefix: str) -> list[Candidate]:
        images = []
        for number in range(draw(st.integers(0, 5))):
            views = [
                altered(
                    draw(st.sampled_from(origins)), draw(st.floats(0, 1)), draw(st.integers(0, 9))
                )
                for _ in range(draw(st.integers(1, 3)))
            ]
            digest = draw(st.sampled_from(["a", "b", f"{prefix}{number}"]))
            textureless = draw(st.booleans())
            images.append(
                candidate(f"{prefix}{number}", *views, digest=digest, textureless=textureless)
            )
        return images

    return side("detected"), side("protected")


def by_definition(detected: list[Candidate], protected: list[Candidate], rule: Rule) -> list[Pair]:
    """Formulas (1) and (2), written out."""
    pairs = []
    decide = distance if rule.profile == "paper" else decision_distance
    for image in detected:
        for other in protected:
            views = [(a, b) for a in image.fingerprints for b in other.fingerprints]
            if image.textureless or other.textureless:
                views = []
            nearness = [(0.0, 0.0) if a == b else (decide(a, b), distance(a, b)) for a, b in views]
            if image.digest == other.digest:
                nearness.append((0.0, 0.0))
            if nearness and min(nearness)[0] <= rule.threshold:
                nearest, plain = min(nearness)
                verdict = Verdict.EXACT if plain == 0 else Verdict.SIMILAR
                pairs.append(Pair(image.id, other.id, verdict, plain, nearest))
    return sorted(
        pairs, key=lambda pair: (pair.detected_id, pair.decision_distance, pair.protected_id)
    )


@pytest.mark.parametrize("rule", [ROBUST, PAPER], ids=["robust", "paper"])
@given(sides=banks())
def test_compares_as_the_formulas_say(
    rule: Rule, sides: tuple[list[Candidate], list[Candidate]]
) -> None:
    detected, protected = sides
    assert compare(Bank(detected), Bank(protected), rule) == by_definition(
        detected, protected, rule
    )


@given(sides=banks())
def test_the_same_pairs_come_out_one_by_one(
    sides: tuple[list[Candidate], list[Candidate]],
) -> None:
    detected, protected = sides
    together = compare(Bank(detected), Bank(protected), ROBUST)
    forward = [pair for one in detected for pair in compare(Bank([one]), Bank(protected), ROBUST)]
    backward = [pair for one in protected for pair in compare(Bank(detected), Bank([one]), ROBUST)]
    assert set(forward) == set(together)
    assert set(backward) == set(together)


def test_nearest_first_and_ties_by_id() -> None:
    original = fingerprint(1)
    near, far = altered(original, 0.1), altered(original, 0.3)
    protected = [candidate("c", near), candidate("a", far), candidate("b", near)]
    pairs = compare(Bank([candidate("d", original)]), Bank(protected), ROBUST)
    assert [pair.protected_id for pair in pairs] == ["b", "c", "a"]


def test_nothing_to_compare_with() -> None:
    assert compare(Bank([]), Bank([candidate("p", fingerprint(1))]), ROBUST) == []
    assert compare(Bank([candidate("d", fingerprint(1))]), Bank([]), ROBUST) == []
