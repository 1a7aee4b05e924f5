"""Make the image files of the second tier of golden vectors: needs pillow and scikit-image."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

HERE = Path(__file__).parent / "images"


def main() -> None:
    """Write one small file for each way in which an image comes."""
    photo = Image.fromarray(data.chelsea()).resize((150, 100))
    few = photo.convert("L").quantize(16, dither=Image.Dither.NONE)
    turned = Image.Exif()
    turned[0x112] = 6
    faded = photo.convert("RGBA")
    faded.putalpha(Image.fromarray(np.tile(np.linspace(40, 255, 150).astype(np.uint8), (100, 1))))
    deep = Image.fromarray(np.asarray(photo.convert("L").resize((60, 40))).astype(np.uint16) * 257)
    frames = [few, few.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    save = [
        (photo, "baseline.jpg", {"quality": 80}),
        (photo, "progressive_turned.jpg", {"quality": 80, "progressive": True, "exif": turned}),
        (photo.convert("CMYK"), "cmyk.jpg", {"quality": 60}),
        (photo.convert("L"), "grey.jpg", {"quality": 80}),
        (few, "palette.png", {"bits": 4, "optimize": True}),
        (deep, "sixteen_bits.png", {"optimize": True}),
        (photo, "lossy.webp", {"quality": 80}),
        (faded, "transparent.webp", {"quality": 80}),
        (frames[0], "animated.gif", {"save_all": True, "append_images": frames[1:]}),
        (few, "palette.bmp", {}),
        (few, "palette.tiff", {"compression": "tiff_adobe_deflate"}),
        (photo, "lossy.avif", {"quality": 70, "exif": turned}),
    ]
    for picture, name, options in save:
        file = io.BytesIO()
        kind = {"jpg": "JPEG", "tiff": "TIFF"}.get(name.split(".")[1], name.split(".")[1].upper())
        picture.save(file, kind, **options)
        (HERE / name).write_bytes(file.getvalue())


if __name__ == "__main__":
    main()
