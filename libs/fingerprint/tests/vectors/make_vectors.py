"""Write the golden vectors anew. They may change with `FP_VERSION` only."""

import json
import sys
from pathlib import Path

from srpitp_fingerprint import extract

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from conftest import IMAGES, make_scene  # noqa: E402

SIZES = [(375, 500), (216, 264), (108, 132), (1080, 1920), (90, 400), (400, 90), (31, 47), (1, 1)]


def main() -> None:
    """Fingerprint every scene and every file, with both profiles."""
    luma = [
        {"height": height, "width": width, "seed": seed}
        | {
            p: extract(make_scene(height, width, seed), profile=p).views[0].fingerprint.hex()
            for p in ("paper", "robust")
        }
        for seed, (height, width) in enumerate(SIZES)
    ]
    files = {}
    for path in sorted(IMAGES.iterdir()):
        e = extract(path)
        files[path.name] = {"about": [e.width, e.height, e.format, e.frames]} | {
            p: extract(path, profile=p).views[0].fingerprint.hex() for p in ("paper", "robust")
        }
    (HERE / "luma.json").write_text(json.dumps(luma, indent=1) + "\n")
    (HERE / "files.json").write_text(json.dumps(files, indent=1) + "\n")


if __name__ == "__main__":
    main()
