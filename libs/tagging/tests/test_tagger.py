"""The rule, and what holds with and without the weights."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpitp_tagging import Head, Tagger, TagScore, kept, united

TAGS = ("people", "animal", "scenic", "other")
shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)


def names(scores):
    return [score.tag for score in scores]


def test_every_tag_above_the_floor_is_kept_best_first():
    assert names(kept(TAGS, [0.06, 0.04, 0.2, 0.7])) == ["other", "scenic", "people"]
    assert names(kept(TAGS, [0.06, 0.04, 0.2, 0.7], floor=0.3)) == ["other"]


@given(shares, st.floats(0, 1), st.sampled_from([None, 1, 2]))
def test_the_best_tag_is_kept_and_all_that_are_reach_the_floor(confidences, floor, at_most):
    scores = kept(TAGS, confidences, floor=floor, at_most=at_most)
    assert scores[0].confidence == max(confidences)
    assert all(score.confidence >= floor for score in scores[1:])
    assert len(scores) <= (at_most or 4)
    if at_most is None:
        left_out = set(TAGS) - set(names(scores))
        assert all(confidences[TAGS.index(tag)] < floor for tag in left_out)


def test_one_tag_is_the_best_one():
    assert names(kept(TAGS, [0.4, 0.3, 0.3, 0.0], at_most=1)) == ["people"]


def test_nothing_is_lost_where_the_classifier_says_nothing():
    assert names(kept(TAGS, [math.nan, 0.1, 0.2, 0.3], at_most=1)) == list(TAGS)


@pytest.fixture(scope="module")
def tagger(classifier):
    return Tagger(Head.read(), classifier)


def test_pictures_are_tagged_in_one_go(tagger, pictures):
    tags = tagger.tags_of(pictures)
    assert len(tags) == len(pictures)
    assert all(set(names(scores)) <= set(TAGS) for scores in tags)
    assert tagger.tags_of([]) == []


def test_a_collage_has_the_tags_of_its_panels_after_its_own(tagger, pictures):
    first, *others = pictures
    tags = tagger.tags_of_collage(first, others)
    [own] = tagger.tags_of([first])
    assert tags[: len(own)] == own
    assert {scores[0].tag for scores in tagger.tags_of(others)} <= set(names(tags))
    assert len(set(names(tags))) == len(tags)
    assert tagger.tags_of_collage(first, []) == own
    single = Tagger(tagger._head, tagger._network, at_most=1)
    assert single.tags_of_collage(first, others) == own[:1]


def test_of_panels_the_surest_counts():
    whole = [TagScore("other", 0.9)]
    panels = [
        [TagScore("people", 0.4), TagScore("scenic", 0.35)],
        [TagScore("scenic", 0.8), TagScore("other", 0.95)],
    ]
    assert united(whole, panels) == [
        TagScore("other", 0.9), TagScore("scenic", 0.8), TagScore("people", 0.4),
    ]  # fmt: skip


def test_without_weights_every_picture_gets_all_tags(pictures):
    tags = Tagger.load(None, at_most=1).tags_of(pictures)
    assert [names(scores) for scores in tags] == [list(TAGS)] * len(pictures)
    assert names(Tagger.load(None).tags_of_collage(pictures[0], pictures)) == list(TAGS)


def test_loads_what_is_installed(weights_file, tagger, pictures):
    loaded = Tagger.load(weights_file, runtime="opencv")
    assert loaded.tags_of(pictures[:1]) == tagger.tags_of(pictures[:1])
