"""Images for tests, all made here: good ones, odd ones, broken ones and hostile ones."""

import io
import struct
import zlib
from collections.abc import Sequence
from importlib.metadata import distribution

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

TEXT = b"This is a text file that someone called photo.jpg.\n" * 20
_EXIF_ORIENTATION = 0x0112
_TURN_RIGHT_TO_SEE_UPRIGHT = 6


def photo(seed: int = 0, width: int = 640, height: int = 480) -> Pixels:
    """Return what looks like a photo to a fingerprint: large and small shapes, all over (RGB)."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((3, 0.5), (8, 0.3), (24, 0.2)):
        coarse = random.random((cells, cells, 3), np.float32) * 255
        pixels += strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def real_photo(file: str) -> Pixels:
    """Return a photo that scikit-image ships (RGB)."""
    path = distribution("scikit-image").locate_file(f"skimage/data/{file}")
    return np.asarray(Image.open(str(path)).convert("RGB"))


def plain(width: int = 640, height: int = 480, grey: int = 200) -> Pixels:
    """Return an image with nothing on it."""
    return np.full((height, width, 3), grey, np.uint8)


def jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    return _saved(Image.fromarray(pixels), "JPEG", quality=quality)


def png(pixels: Pixels) -> bytes:
    return _saved(Image.fromarray(pixels), "PNG")


def png_with_alpha(pixels: Pixels) -> bytes:
    opaque = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    return _saved(Image.fromarray(np.concatenate([pixels, opaque], axis=2)), "PNG")


def png_of_16_bits(pixels: Pixels) -> bytes:
    deep = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR).astype(np.uint16) * 257
    return cv2.imencode(".png", deep)[1].tobytes()


def cmyk_jpeg(pixels: Pixels) -> bytes:
    return _saved(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=95)


def jpeg_turned_by_exif(pixels: Pixels) -> bytes:
    """Return a JPEG that lies on its side, and says so in its EXIF orientation."""
    exif = Image.Exif()
    exif[_EXIF_ORIENTATION] = _TURN_RIGHT_TO_SEE_UPRIGHT
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(pixels)))
    return _saved(lying, "JPEG", quality=90, exif=exif)


def animated_gif(frames: Sequence[Pixels]) -> bytes:
    first, *others = (Image.fromarray(frame) for frame in frames)
    return _saved(first, "GIF", save_all=True, append_images=others, duration=100)


def truncated(data: bytes) -> bytes:
    """Return the first half of a file."""
    return data[: len(data) // 2]


def png_bomb() -> bytes:
    """Return a valid PNG of under a megabyte that is 900 megabytes once decoded."""
    return black_png(30_000)


def slow_png() -> bytes:
    """Return a valid PNG with nearly as many pixels as we take: it keeps a worker busy."""
    return black_png(9_900)


def deep_png() -> bytes:
    """Return a valid PNG with nearly as many pixels as we take, of 8 bytes each."""
    return black_png(9_900, bits=16, channels=4)


def black_png(side: int, *, bits: int = 8, channels: int = 1) -> bytes:
    """Return a square black PNG of grey, or of colour and alpha; ``side`` is a multiple of 100."""
    row = 1 + side * channels * bits // 8  # each row is a filter type, 0, and its pixels
    rows = bytes(100 * row)
    colour_type = {1: 0, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", side, side, bits, colour_type, 0, 0, 0)
    packed = _packed_zeros(rows, times=side // 100)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", packed), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _packed_zeros(zeros: bytes, *, times: int) -> bytes:
    """Return the zlib stream of ``zeros * times``, packing the zeros only once."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    adler = len(zeros) * times % 65_521 << 16 | 1  # what RFC 1950 comes to when all bytes are 0
    last_block = b"\x03\x00"
    return b"\x78\xda" + block * times + last_block + struct.pack(">I", adler)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", _crc(kind, content))


def _crc(kind: bytes, content: bytes) -> int:
    return zlib.crc32(content, zlib.crc32(kind))


def _saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()
