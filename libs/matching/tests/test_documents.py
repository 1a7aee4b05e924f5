import logging

import numpy as np
import pytest

from srpitp_fingerprint import describe
from srpitp_matching import DetectedFacts, ProtectedFacts, description_of, picture_of, scanned


@pytest.fixture(scope="module")
def collage(photo):
    return describe(np.hstack([photo(1), photo(2)]), detected=True)


def test_a_detected_image_comes_back_as_it_was_described(collage, document):
    stored = document(collage, "found", "people", "animal")
    whole = description_of(stored, collage.to_bytes())
    assert whole.extraction.views == collage.extraction.views
    assert [p.extraction.views for p in whole.panels] == [
        p.extraction.views for p in collage.panels
    ]
    assert len(whole.features) == len(collage.features)
    assert whole.mirrored is not None


def test_a_scan_needs_no_description(collage, document):
    without = scanned(document(collage, "found"))
    assert len(collage.panels) == 2
    assert [p.extraction.views for p in without.panels] == [
        p.extraction.views for p in collage.panels
    ]
    assert without.features is None


@pytest.mark.parametrize("packed", [b"", b"SRFD\x02nonsense", None], ids=["empty", "broken", "no"])
def test_a_broken_description_leaves_the_fingerprint(collage, document, caplog, packed):
    with caplog.at_level(logging.ERROR):
        read = description_of(document(collage, "found"), packed)
    assert read.extraction.views == collage.extraction.views
    assert read.features is None
    assert bool(caplog.records) == (packed is not None)


def test_a_description_of_other_bytes_is_broken(collage, protected, document, caplog):
    read = picture_of(document(protected[0], "photo"), protected[1].to_bytes())
    assert read.description.features is None
    assert "of other bytes" in caplog.text


@pytest.mark.parametrize(
    "changes",
    [{"fp_version": 99}, {"profile": "paper"}, {"views": []}],
    ids=["version", "profile", "no views"],
)
def test_what_cannot_be_compared_is_matched_by_its_bytes_only(protected, document, changes):
    of = picture_of(document(protected[0], "photo", **changes)).description.extraction
    assert of.textureless
    assert of.digest == protected[0].extraction.digest
    assert of.views[0].fingerprint != protected[0].extraction.views[0].fingerprint


def test_a_view_without_a_sketch_is_still_compared(protected, document):
    stored = document(protected[0], "photo")
    for view in stored["views"]:
        view["sketch"] = None
    [first, *_] = picture_of(stored).description.extraction.views
    assert first.fingerprint == protected[0].extraction.views[0].fingerprint
    assert len(first.sketch) == 32


def test_fingerprints_of_another_size_are_refused(protected, document):
    stored = document(protected[0], "photo", views=[{"name": "whole", "fingerprint": b"short"}])
    with pytest.raises(ValueError, match="5 bytes"):
        picture_of(stored)


def test_the_tag_of_the_shard_is_among_the_tags(protected, document):
    stored = document(protected[0], "photo", "people", "animal", tag="scenic")
    assert ProtectedFacts.of(stored).tags == ("people", "animal", "scenic")
    assert DetectedFacts.of(stored).tags == ("people", "animal", "scenic")
    assert picture_of(stored).tags == {"people", "animal", "scenic"}
