"""Bytes from the network are hostile: nothing but an `ImageError`, and nothing dear."""

import struct
import time
import zlib
from contextlib import suppress

import cv2
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from srpitp_fingerprint import (
    ORIENTATIONS,
    BrokenImageError,
    ImageError,
    TooManyPixelsError,
    UnsupportedImageError,
    distance,
    extract,
)
from srpitp_fingerprint.formats import read_header
from srpitp_fingerprint.orientation import orient

FORMATS = ["baseline.jpg", "progressive_turned.jpg", "palette.png", "lossy.webp"]
FORMATS += ["transparent.webp", "animated.gif", "palette.bmp", "palette.tiff", "lossy.avif"]


def chunk(kind, content):
    return struct.pack(">I4s", len(content), kind) + content + bytes(4)


def png(width, height, *, rows=b""):
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = {b"IHDR": head, b"IDAT": zlib.compress(rows), b"IEND": b""}
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks.items():
        data += chunk(kind, content)[:-4] + struct.pack(">I", zlib.crc32(kind + content))
    return data


def box(kind, content):
    return struct.pack(">I4s", 8 + len(content), kind) + content


def avif(width, height):
    ispe = box(b"ispe", struct.pack(">III", 0, width, height))
    meta = box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", ispe)))
    return box(b"ftyp", b"avif" + bytes(4) + b"avif") + meta


def tiff(width, height, **more):
    tags = {256: width, 257: height, **{int(tag[1:]): value for tag, value in more.items()}}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def jpeg_head(width, height, bits=8, frame=0xC0):
    head = struct.pack(">HBHHB", 11, bits, height, width, 1) + b"\x01\x11\x00"
    return (
        b"\xff\xd8\xff"
        + bytes([frame])
        + head
        + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\xff\xd9"
    )


SIDE = 30_000
BOMBS = {
    "jpeg": jpeg_head(SIDE, SIDE),
    "png": png(SIDE, SIDE, rows=bytes(10**6)),
    "gif": b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0, 0, 0) + b"\x3b",
    "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, SIDE, -SIDE) + bytes(28),
    "tiff": tiff(SIDE, SIDE),
    "avif": avif(SIDE, SIDE),
    "webp": b"RIFF\x12\0\0\0WEBPVP8X" + struct.pack("<II", 10, 0) + (b"\x2f\x75\x00" * 2),
    "webp lossless": b"RIFF\x11\0\0\0WEBPVP8L" + struct.pack("<IBI", 5, 47, 2**28 - 1),
    "webp lossy": b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_known_from_its_header(bomb):
    start = time.process_time()
    with pytest.raises(TooManyPixelsError, match=r"30,000 x 30,000|16,38\d x 16,38\d") as caught:
        extract(bomb)
    assert caught.value.code == "image_too_many_pixels"
    assert time.process_time() - start < 0.1


@pytest.mark.parametrize("name", FORMATS)
def test_every_truncation_is_an_error(image_files, name):
    whole = image_files[name].read_bytes()
    for length in {*range(1, 40), *range(40, len(whole), len(whole) // 60), len(whole) - 1}:
        with pytest.raises((BrokenImageError, UnsupportedImageError)):
            extract(whole[:length])


@pytest.mark.parametrize("name", ["baseline.jpg", "progressive_turned.jpg", "palette.png"])
def test_bytes_after_the_end_do_no_harm(image_files, name):
    whole = image_files[name].read_bytes()
    assert extract(whole + b"\0\xff\xdamore").views == extract(whole).views


@pytest.mark.parametrize(
    "data",
    [b"hello, this is a text called photo.jpg", b"<html><body>404</body></html>", b"%PDF-1.7"],
)
def test_what_is_no_image_is_named(data):
    with pytest.raises(UnsupportedImageError, match="not a JPEG") as caught:
        extract(data)
    assert caught.value.code == "image_unsupported"


@pytest.mark.parametrize(
    ("data", "error", "says"),
    [
        (jpeg_head(64, 64, bits=12), UnsupportedImageError, "12 bits"),
        (b"\xff\xd8\xff\xd9", BrokenImageError, "no picture"),
        (
            jpeg_head(64, 64).replace(b"\xc0", b"\xc2") + b"\xff\xda" * 100,
            BrokenImageError,
            "scans",
        ),
        (tiff(64, 64, _322=2**16, _323=2**16), BrokenImageError, "tiles"),
    ],
)
def test_what_no_decoder_should_see(data, error, says):
    with pytest.raises(error, match=says):
        extract(data)


def test_a_stream_larger_than_its_container_says_is_known():
    done, data = cv2.imencode(".avif", np.zeros((2000, 2000, 3), np.uint8))
    assert done
    assert extract(data.tobytes()).width == 2000
    lying = data.tobytes().replace(struct.pack(">II", 2000, 2000), struct.pack(">II", 64, 64))
    with pytest.raises(BrokenImageError, match="far larger"):
        extract(lying)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(avif(0, 0) + box(b"free", b"") * 10**6, id="boxes"),
        pytest.param(avif(9, 9)[:24] + b"".join(
            struct.pack(">I4s4x", 12 * (5000 - i), b"meta") for i in range(5000)
        ), id="depth"),
        pytest.param(avif(9, 9) + box(b"meta", bytes(4) + box(
            b"iloc", bytes(6) + b"\xff\xff" + (bytes(4) + b"\xff\xff") * 65535
        )), id="extents"),
        pytest.param(b"II*\0\x08\0\0\0" + b"".join(
            struct.pack("<HI", 0, 14 + 6 * i) for i in range(10**6)
        ), id="pages"),
    ],
)  # fmt: skip
def test_a_header_without_end_costs_little(data):
    start = time.process_time()
    with pytest.raises(BrokenImageError):
        extract(data)
    assert time.process_time() - start < 1


def test_a_circle_of_tiff_pages_ends():
    circle = bytearray(tiff(10, 10))
    circle[-4:] = struct.pack("<I", 8)
    assert read_header(bytes(circle)).frames == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(FORMATS),
    places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    beginning=st.booleans(),
    cut=st.floats(0, 0.2),
)
def test_a_corrupt_file_is_an_image_or_an_image_error(image_files, name, places, beginning, cut):
    data = bytearray(image_files[name].read_bytes())
    reach = 200 if beginning else len(data)
    for place, value in places:
        data[int(place * (reach - 1))] = value
    del data[len(data) - int(cut * cut * len(data)) :]
    with suppress(ImageError):
        assert len(extract(bytes(data)).views[0].fingerprint) == 180


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([bomb[:12] for bomb in BOMBS.values()]), st.binary(max_size=300))
def test_any_bytes_are_an_image_or_an_image_error(beginning, rest):
    with suppress(ImageError):
        assert len(extract(beginning + rest).views[0].fingerprint) == 180


def exif(orientation):
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)


def jpeg_turned(luma, orientation):
    data, tag = cv2.imencode(".jpg", luma)[1].tobytes(), b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(tag)) + tag + data[2:]


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_exif_orientation_is_applied(scene, kind, orientation):
    luma = np.ascontiguousarray(scene(150, 200))
    shown = {
        2: np.fliplr(luma), 3: np.rot90(luma, 2), 4: np.flipud(luma), 5: luma.T,
        6: np.rot90(luma, -1), 7: np.rot90(luma, 2).T, 8: np.rot90(luma),
    }.get(orientation, luma)  # fmt: skip
    data = cv2.imencode("." + kind, luma)[1].tobytes()
    tag = exif(orientation)
    if kind == "jpeg":
        data = jpeg_turned(luma, orientation)
    elif kind == "png":
        crc = struct.pack(">I", zlib.crc32(b"eXIf" + tag))
        data = data[:33] + chunk(b"eXIf", tag)[:-4] + crc + data[33:]
    elif kind == "webp":
        data += b"EXIF" + struct.pack("<I", len(tag)) + tag
        data = data[:4] + struct.pack("<I", len(data) - 8) + data[8:]
    else:
        (at,) = struct.unpack_from("<I", data, 4)
        (entries,) = struct.unpack_from("<H", data, at)
        old = data[at + 2 : at + 2 + 12 * entries]
        tags = [old[i : i + 12] for i in range(0, len(old), 12)]
        tags = [one for one in tags if struct.unpack_from("<H", one) != (0x112,)]
        tags.append(struct.pack("<HHIHH", 0x112, 3, 1, orientation, 0))
        directory = struct.pack("<H", len(tags)) + b"".join(sorted(tags, key=lambda t: t[1::-1]))
        data = data[:4] + struct.pack("<I", len(data)) + data[8:] + directory + bytes(4)
    e = extract(data)
    assert (e.height, e.width) == shown.shape
    expected = extract(np.ascontiguousarray(shown)).views[0].fingerprint
    assert distance(e.views[0].fingerprint, expected) <= 0.01


@pytest.mark.parametrize("height", [750, 751])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_loses_nothing_to_reduced_decoding(scene, orientation, height):
    luma = np.ascontiguousarray(scene(height, 1000))
    shown = orient(luma, ORIENTATIONS[orientation - 1])
    data = jpeg_turned(luma, orientation)
    expected = extract(np.ascontiguousarray(shown)).views[0].fingerprint
    assert distance(extract(data).views[0].fingerprint, expected) <= 0.01
