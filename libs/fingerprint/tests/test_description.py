"""The bytes of a description: from anyone, to be taken whole or refused."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srpitp_fingerprint import Box, Description, LocalFeatures, describe

RANDOM = np.random.default_rng(5)
PICTURE = np.kron(RANDOM.integers(0, 256, (15, 20)), np.ones((12, 12))).astype(np.uint8)
PROTECTED = describe(PICTURE)
DETECTED = describe(np.hstack([PICTURE, 255 - PICTURE[::-1]]), detected=True)
PACKED = PROTECTED.to_bytes()


def test_everything_survives_packing():
    assert len({panel.box for panel in DETECTED.panels}) == len(DETECTED.panels) > 1
    for one in (PROTECTED, DETECTED, replace(PROTECTED, features=None)):
        again = Description.from_bytes(one.to_bytes())
        assert again.extraction == one.extraction
        assert again.to_bytes() == one.to_bytes()
        for mine, theirs in zip((one, *one.panels), (again, *again.panels), strict=True):
            assert (mine.extraction, mine.box) == (theirs.extraction, theirs.box)
            for a, b in ((mine.features, theirs.features), (mine.mirrored, theirs.mirrored)):
                assert (a is None) == (b is None)
                assert a is None or a.to_bytes() == b.to_bytes()


def test_size_is_that_of_its_parts():
    bare = len(replace(PROTECTED, features=None).to_bytes())
    assert len(PACKED) == bare + len(PROTECTED.features.to_bytes())
    assert bare < 1500


@pytest.mark.parametrize("size", range(0, len(PACKED), 97))
def test_cut_bytes_are_refused(size):
    with pytest.raises(ValueError, match=r"short|bytes|version"):
        Description.from_bytes(PACKED[:size])


def test_other_bytes_are_refused():
    for packed, why in (
        (b"SRFD\x01" + PACKED[5:], "version 2"),
        (PACKED[:5] + b"\x09" + PACKED[6:], "version 9"),
        (PACKED + b"\x00", "too many"),
        (PACKED.replace(b"\x05array", b"\x05tarry"), "none of jpeg"),
        (PACKED[:-1] + b"\xff", "panels"),
        (replace(DETECTED, panels=(replace(PROTECTED, box=Box(0, 1, 1, 0)),)).to_bytes(), "panel"),
        (replace(PROTECTED, extraction=replace(PROTECTED.extraction, views=())).to_bytes(), "view"),
        (replace(PROTECTED, extraction=replace(PROTECTED.extraction, width=0)).to_bytes(), "image"),
    ):
        with pytest.raises(ValueError, match=why):
            Description.from_bytes(packed)


@pytest.mark.parametrize("at", [3, 5])  # width and height of the frame
def test_features_that_no_picture_has_are_refused(at):
    packed = bytearray(LocalFeatures.to_bytes(PROTECTED.features))
    packed[at : at + 2] = struct.pack("<H", 0)
    sham = replace(PROTECTED, features=LocalFeatures.from_bytes(bytes(packed)))
    with pytest.raises(ValueError, match="no picture"):
        Description.from_bytes(sham.to_bytes())


@given(st.data())
def test_hostile_bytes_are_refused_or_whole(data):
    packed = bytearray(PACKED[:1600])
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        again = Description.from_bytes(bytes(packed) + PACKED[1600:])
    except ValueError:
        return
    assert Description.from_bytes(again.to_bytes()).extraction == again.extraction
