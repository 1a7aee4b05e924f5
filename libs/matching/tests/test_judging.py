from datetime import UTC, datetime

import numpy as np
import pytest

from srpitp_contracts.matching import MatchingMode, MatchState, Verdict
from srpitp_fingerprint import Description, describe
from srpitp_matching import (
    Budgets,
    DetectedFacts,
    Picture,
    Pictures,
    ProtectedFacts,
    Worth,
    judge,
    judge_pair,
    match_of,
    the_worthiest,
    worth_judging,
)

NOW = datetime(2025, 1, 1, tzinfo=UTC)
RULES = Budgets().rules(12, 72)
EVERYWHERE = frozenset(["other"])


@pytest.fixture(scope="module")
def pictures(protected):
    made = Pictures()
    made.add(Picture(f"photo-{n}", EVERYWHERE, one) for n, one in enumerate(protected))
    return made


@pytest.fixture(scope="module")
def features(protected):
    return {f"photo-{n}": one.features for n, one in enumerate(protected)}


def judged(image, pictures, features, rules=RULES):
    looked = pictures.look(image, None, rules)
    return judge(image, looked, {id_: features[id_] for id_ in looked.wanted}, rules)


def test_the_same_pixels_are_exact(photo, pictures, features):
    [first, *_] = judged(describe(photo(3), detected=True), pictures, features)
    assert (first.protected_id, first.verdict, first.confident) == ("photo-3", Verdict.EXACT, True)
    assert first.verification is None
    assert first.distance == first.decision_distance == 0


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_part_is_confirmed_by_its_local_features(photo, pictures, features, mirrored):
    part = photo(3)[60:230, 80:300]
    image = describe(np.ascontiguousarray(part[:, ::-1] if mirrored else part), detected=True)
    [first] = judged(image, pictures, features)
    assert (first.protected_id, first.verdict) == ("photo-3", Verdict.SIMILAR)
    assert first.confident
    assert first.verification.score > RULES.alarm.bar
    aligned = first.verification.alignment
    assert aligned.mirrored == mirrored
    assert aligned.inliers > 10
    # The middle of the part lies here in the photo.
    place = np.array(aligned.transform) @ [0.5, 0.5, 1]
    assert place == pytest.approx([190 / 320, 145 / 240], abs=0.02)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_photo_of_a_collage_is_placed_in_it(photo, pictures, features, mirrored):
    part = photo(3)[60:230, 80:300]
    part = part[:, ::-1] if mirrored else part
    collage = describe(np.hstack([photo(100)[:170, :220], part]), detected=True)
    assert len(collage.panels) > 1
    [first] = judged(collage, pictures, features)
    assert first.protected_id == "photo-3"
    aligned = first.verification.alignment
    assert aligned.mirrored == mirrored
    # The middle of the right half, after a flip of the left one, lies here in the photo.
    place = np.array(aligned.transform) @ [0.25 if mirrored else 0.75, 0.5, 1]
    assert place == pytest.approx([190 / 320, 145 / 240], abs=0.02)


def test_without_local_features_the_fingerprint_decides(photo, pictures):
    lighter = np.clip(photo(3).astype(int) + 12, 0, 255).astype(np.uint8)
    near = describe(lighter[2:-2, 3:-3], detected=True)
    [first] = judged(near, pictures, dict.fromkeys(f"photo-{n}" for n in range(12)))
    assert (first.protected_id, first.confident) == ("photo-3", True)
    assert first.verification.score is None
    far = describe(photo(3)[60:230, 80:300], detected=True)
    assert judged(far, pictures, dict.fromkeys(f"photo-{n}" for n in range(12))) == []


def test_strangers_show_nothing(photo, pictures, features):
    for seed in range(100, 110):
        assert judged(describe(photo(seed), detected=True), pictures, features) == []


def test_what_passes_the_review_only_goes_to_a_reviewer(photo, pictures, features):
    image = describe(photo(3)[60:230, 80:300], detected=True)
    strict = Budgets(alarm=1e-30, review=1000).rules(12, 72)
    [first] = judged(image, pictures, features, strict)
    assert not first.confident
    assert first.verification.alignment.inliers > 10


def test_a_fixed_threshold_sends_all_to_a_reviewer(photo, pictures, features):
    rules = Budgets(threshold=0.4).rules(12, 72)
    [first] = judged(describe(photo(3)[6:-6, 8:-8], detected=True), pictures, features, rules)
    assert (first.protected_id, first.verdict, first.confident) == (
        "photo-3",
        Verdict.SIMILAR,
        False,
    )
    assert judged(describe(photo(3)[60:230, 80:300], detected=True), pictures, {}, rules) == []


def test_a_photo_of_a_collage_is_found(photo, pictures, features):
    image = describe(np.hstack([photo(3), photo(200)]), detected=True)
    [first] = judged(image, pictures, features)
    assert (first.protected_id, first.verdict, first.confident) == (
        "photo-3",
        Verdict.SIMILAR,
        True,
    )


def test_every_owner_of_the_same_photo_is_a_candidate(photo, protected, features):
    twice = Pictures()
    twice.add(Picture(id_, EVERYWHERE, protected[3]) for id_ in ("b", "a"))
    image = describe(photo(3)[2:-2, 3:-3], detected=True)
    found = judged(image, twice, {"a": protected[3].features, "b": protected[3].features})
    assert [one.protected_id for one in found] == ["a", "b"]


def test_a_pair_is_judged_as_among_all(photo, pictures, features, protected):
    image = describe(photo(3)[60:230, 80:300], detected=True)
    [among_all] = judged(image, pictures, features)
    alone = judge_pair(image, Picture("photo-3", EVERYWHERE, protected[3]), RULES)
    assert (alone.verdict, alone.confident) == (among_all.verdict, among_all.confident)
    assert alone.verification.alignment == among_all.verification.alignment
    assert judge_pair(image, Picture("photo-4", EVERYWHERE, protected[4]), RULES) is None


def test_a_late_photo_is_worth_judging_against_its_copies(photo, protected):
    detected = [describe(photo(seed), detected=True) for seed in range(100, 130)]
    copies = {
        7: describe(photo(3)[2:-2, 3:-3], detected=True),
        19: describe(photo(3), detected=True),
    }
    for place, copy in copies.items():
        detected[place] = copy
    worth = worth_judging(protected[3], detected, RULES)
    assert {one.place for one in worth if one.is_near} == copies.keys()
    assert len(worth) < len(detected)
    assert [one.place for one in worth[:2]] == [19, 7]


def test_copies_are_worth_judging_however_many_there_are(photo, protected, monkeypatch):
    monkeypatch.setattr("srpitp_matching.backwards._AT_FIRST", 5)
    detected = [describe(photo(3)[n : 230 + n // 2, n:], detected=True) for n in range(9)] + [
        describe(photo(seed), detected=True) for seed in range(100, 120)
    ]
    worth = worth_judging(protected[3], detected, RULES)
    assert {one.place for one in worth if one.is_near} == set(range(9))


def test_all_that_are_near_are_judged_and_the_nearest_others():
    gathered = [(Worth(n, n % 50 == 0, 1 - n / 1000), n) for n in range(1000)]
    chosen = [n for _, n in the_worthiest(gathered)]
    near = [n for n in range(999, -1, -1) if n % 50 == 0]
    assert chosen[:20] == near
    assert chosen[20:] == [n for n in range(999, -1, -1) if n % 50][:100]


def test_the_match_says_who_decided(photo, pictures, features, protected, document):
    image = describe(photo(3)[60:230, 80:300], detected=True)
    detected = DetectedFacts.of(document(image, "found", "animal", "people"))
    facts = ProtectedFacts.of(document(protected[3], "photo-3", "people", "animal"))
    [one] = judged(image, pictures, features)
    match = match_of(one, facts, detected, RULES, NOW)
    assert (match.tag, match.state, match.decided_by, match.decided_at) == (
        "animal",
        MatchState.CONFIRMED,
        "rule:confident",
        NOW,
    )
    assert match.verification == one.verification
    [exact, *_] = judged(describe(photo(3), detected=True), pictures, features)
    assert match_of(exact, facts, detected, RULES, NOW).decided_by == "rule:exact"


def test_algorithm_2_notes_the_exact_and_reviews_the_nearest(photo, paper_extract):
    rules = Budgets(mode=MatchingMode.PAPER).rules(4, 4)
    lighter = np.clip(photo(3).astype(int) + 20, 0, 255).astype(np.uint8)
    cropped = photo(3)[3:-3, 3:-3]
    made = Pictures(MatchingMode.PAPER)
    made.add(
        Picture(id_, EVERYWHERE, Description(paper_extract(of)))
        for id_, of in {"exact": photo(3), "near": lighter, "far": cropped}.items()
    )
    first, second = judge(
        image := Description(paper_extract(photo(3))), made.look(image, None, rules), {}, rules
    )
    assert (first.protected_id, first.verdict, first.confident) == ("exact", Verdict.EXACT, True)
    assert (second.verdict, second.confident) == (Verdict.SIMILAR, False)
    assert second.distance <= 0.4258
    assert second.verification is None
