from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srpitp_contracts.matching import MatchingMode
from srpitp_fingerprint import Description, Gallery, candidates, describe
from srpitp_matching import Budgets, Picture, Pictures, judge, look_through
from srpitp_matching.ids import Ids

RULES = Budgets().rules(12, 72)
TAGS = [("people",), ("people", "animal"), ("animal",), ("scenic", "other"), ("other",)]


@pytest.fixture(scope="module")
def tagged(protected):
    return [
        Picture(f"photo-{n}", frozenset(TAGS[n % len(TAGS)]), one)
        for n, one in enumerate(protected)
    ]


@pytest.fixture
def pictures(tagged):
    made = Pictures()
    made.add(tagged)
    return made


@pytest.fixture(scope="module")
def copy(photo):
    return describe(photo(1)[10:-10, 10:-20], detected=True)


def found(looked):
    return {looked.ids[one.place] for one in looked.found}


def test_an_image_is_looked_for_where_a_tag_is_shared(pictures, tagged, copy):
    for tags in (["people"], ["animal", "scenic"], ["other"], ["unheard"], TAGS[1]):
        looked = pictures.look(copy, tags, RULES)
        meeting = {id_ for id_, of, _ in tagged if of & set(tags)}
        assert looked.images == len(meeting)
        assert found(looked) <= meeting
        assert ("photo-1" in found(looked)) == ("photo-1" in meeting)
    assert pictures.look(copy, None, RULES).images == len(tagged)


def test_tags_part_nothing_unless_they_are_to(tagged, protected, copy):
    made = Pictures(by_tags=False)
    made.add(tagged)
    assert made.look(copy, ["unheard"], RULES) == made.look(copy, None, RULES)
    assert made.look(copy, None, RULES).images == len(tagged)
    one = candidates(copy, Gallery(protected), RULES.steps)
    wanted = {f"photo-{c.place}" for c in one if c.wanted}
    assert set(made.look(copy, None, RULES).wanted) == wanted


def test_galleries_by_tags_look_as_closely_as_one_of_all(pictures, protected, copy):
    one = candidates(copy, Gallery(protected), RULES.steps)
    looked = pictures.look(copy, None, RULES)
    nearest = {f"photo-{c.place}" for c in one if c.wanted or c.nearness <= RULES.steps.tight}
    assert nearest & found(looked)
    assert len(looked.wanted) <= RULES.steps.nearest + RULES.steps.sharing
    assert looked.pairs == pictures.views * 4 * len(copy.extraction.views)


def test_many_images_and_many_parts_come_to_what_one_by_one_does(pictures, tagged, copy, photo):
    asked = [
        (copy, TAGS[1]),
        (describe(photo(3)[:, ::-1], detected=True), ["scenic", "other"]),
        (describe(photo(99), detected=True), None),
        (describe(np.hstack([photo(5), photo(6)]), detected=True), None),
        (copy, ["unheard"]),
    ]
    parts = [Pictures(), Pictures()]
    for number, one in enumerate(reversed(tagged)):
        parts[number % 2].add([Picture(*one)])
    expected = [pictures.look(of, tags, RULES) for of, tags in asked]
    seen = look_through([pictures], asked, RULES)
    assert [one.ids for one in seen] == [one.ids for one in expected]
    assert [set(one.found) for one in seen] == [set(one.found) for one in expected]
    # Points are shared out within a part: they are left out where there are several.
    rules = replace(RULES, steps=replace(RULES.steps, index=False))
    whole = look_through([pictures], asked, rules)
    for one, other in zip(whole, look_through(parts, asked, rules), strict=True):
        assert (one.images, one.pairs, one.wanted) == (other.images, other.pairs, other.wanted)
        assert {*judgements(one, asked[0][0], rules)} == {*judgements(other, asked[0][0], rules)}


def judgements(looked, picture, rules):
    return [(of.protected_id, of.verdict) for of in judge(picture, looked, {}, rules)]


def test_of_equally_near_images_the_first_ids_are_looked_at_closely(protected, copy):
    """Six owners hold the same photo, as different files: four are verified, whoever came first."""
    same = [
        Picture(f"id-{number}", frozenset(TAGS[1]), renamed(protected[1], number))
        for number in range(6)
    ]
    rules = replace(RULES, steps=replace(RULES.steps, tight=-1.0, index=False))
    for order in (same, same[::-1]):
        pictures = Pictures()
        for one in order:
            pictures.add([one])
        assert pictures.look(copy, None, rules).wanted == ["id-0", "id-1", "id-2", "id-3"]


def renamed(description, number):
    extraction = replace(description.extraction, digest=f"{number:064x}")
    return replace(description, extraction=extraction)


def test_what_is_added_again_is_changed(pictures, tagged, protected, copy):
    views = pictures.views
    pictures.add([Picture("photo-1", frozenset(["scenic"]), protected[1])])
    assert len(pictures) == 12
    assert pictures.views == views
    assert "photo-1" not in found(pictures.look(copy, ["people"], RULES))
    assert "photo-1" in found(pictures.look(copy, ["scenic"], RULES))


def test_what_is_removed_is_not_found(pictures, copy):
    assert "photo-1" in pictures
    assert pictures.remove(["photo-1", "unheard"]) == 1
    assert pictures.remove(["photo-1"]) == 0
    assert "photo-1" not in pictures
    assert "photo-1" not in found(pictures.look(copy, None, RULES))


def test_compacting_changes_nothing(pictures, tagged, copy, monkeypatch):
    monkeypatch.setattr("srpitp_matching.pictures._FEWEST_REMOVED", 1)
    pictures.remove(id_ for id_, *_ in tagged if id_ not in ("photo-1", "photo-6"))
    before = pictures.look(copy, None, RULES)
    assert pictures.compact()
    assert not pictures.compact()
    after = pictures.look(copy, None, RULES)
    assert found(before) == found(after) == {"photo-1", "photo-6"}
    assert [before.ids[c.place] for c in before.found if c.wanted] == [
        after.ids[c.place] for c in after.found if c.wanted
    ]
    assert "photo-6" in pictures


def test_points_are_forgotten_beyond_the_limit(tagged, copy):
    made = Pictures(points_limit=5)
    made.add(tagged[:5])
    assert made.has_points
    assert max(c.points for c in made.look(copy, None, RULES).found) > 0
    made.add(tagged[5:6])
    assert not made.has_points
    assert max(c.points for c in made.look(copy, None, RULES).found) == 0


def test_paper_mode_compares_one_fingerprint(photo, paper_extract):
    made = Pictures(MatchingMode.PAPER)
    made.add(
        Picture(f"p{n}", frozenset(["other"]), Description(paper_extract(photo(n))))
        for n in range(5)
    )
    rules = Budgets(mode=MatchingMode.PAPER).rules(5, 5)
    looked = made.look(Description(paper_extract(photo(3))), ["other"], rules)
    assert found(looked) == {"p3"}
    assert looked.found[0].exact
    assert (looked.images, looked.pairs, looked.wanted) == (5, 5, [])
    made.remove(["p3"])
    assert not made.look(Description(paper_extract(photo(3))), ["other"], rules).found


ids = st.one_of(
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.text("abcXYZ-_", min_size=1, max_size=64),
)


@settings(max_examples=50)
@given(st.lists(ids, unique=True, max_size=30), st.sets(st.integers(0, 29)))
def test_ids_are_found_by_place_and_back(names, gone):
    kept = Ids()
    kept.extend(names)
    gone = {place for place in gone if place < len(names)}
    kept.forget(np.array(sorted(gone), np.int64))
    for place, name in enumerate(names):
        assert kept[place] == name
        assert kept.places([name]).tolist() == ([] if place in gone else [place])
    left = [place for place in range(len(names)) if place not in gone]
    assert sorted(kept.places(names)) == left
    kept.keep(np.array(left, np.int64))
    assert [kept[new] for new in range(len(left))] == [names[old] for old in left]
    assert [kept.places([names[old]]).tolist() for old in left] == [[n] for n in range(len(left))]
