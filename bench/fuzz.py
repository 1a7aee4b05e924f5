"""Feed mutated image files to the fingerprint: no crash, no hang, no hunger for memory.

Every file comes from one that is sound, of every format, by flipped bits, cuts, foreign headers,
repeated or removed parts, and large numbers where sizes stand. Each batch runs in a process of its
own, whose memory is measured; a crash would end it.

    python bench/fuzz.py --count 10000
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from srpitp_fingerprint import ImageError, describe

SOUND = Path(__file__).parents[1] / "libs" / "fingerprint" / "tests" / "vectors" / "images"
BATCH = 500
SLOW_SECONDS, LARGE_MIB = 2.0, 500
NUMBERS = (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\xff\xff")


def sound_files() -> list[bytes]:
    """Read the golden vectors' files, and make larger ones of every kind that OpenCV writes."""
    files = [path.read_bytes() for path in sorted(SOUND.iterdir())]
    y, x = np.indices((600, 800))
    picture = np.stack([x * y // 1900, x // 4, y // 3], axis=-1).astype(np.uint8)
    for kind in (".jpg", ".png", ".webp", ".bmp", ".tiff", ".avif", ".gif"):
        done, data = cv2.imencode(kind, picture)
        files += [data.tobytes()] if done else []
    return files


def mutate(files: list[bytes], random: np.random.Generator) -> bytes:
    """Spoil one file, in one to three ways."""
    data = bytearray(files[random.integers(len(files))])
    for _ in range(random.integers(1, 4)):
        at = int(random.integers(len(data)) if random.random() < 0.5 else random.integers(200))
        at = min(at, len(data) - 1)
        match random.integers(6):
            case 0:
                for bit in random.integers(8 * len(data), size=random.integers(1, 40)):
                    data[bit // 8] ^= 1 << bit % 8
            case 1:
                del data[max(at, 1) :]
            case 2:
                head = files[random.integers(len(files))]
                data[: len(head[:at])] = head[:at]
            case 3:
                data[at : at + 4] = NUMBERS[random.integers(len(NUMBERS))]
            case 4:
                data[at:at] = data[at : at + int(random.integers(1, 2000))]
            case _:
                del data[at : at + int(random.integers(1, 2000))]
        if not data:
            return b"\0"
    return bytes(data)


def batch(seed: int, count: int) -> tuple[Counter[str], NDArray[np.float64], float]:
    """Try some files: what came of them, seconds of each, and the most memory in MiB."""
    cv2.setNumThreads(1)
    files = sound_files()
    random = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    seconds = np.zeros(count)
    for number in range(count):
        data = mutate(files, random)
        start = time.perf_counter()
        try:
            describe(data, detected=True)
            outcomes["fingerprint"] += 1
        except ImageError as error:
            outcomes[error.code] += 1
        except Exception as error:
            outcomes[f"UNFORESEEN {type(error).__name__}"] += 1
        seconds[number] = time.perf_counter() - start
    return outcomes, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def batches(count: int, seed: int) -> Iterator[tuple[Counter[str], NDArray[np.float64], float]]:
    """Run batch after batch, each in a new process."""
    context = multiprocessing.get_context("spawn")
    for start in range(0, count, BATCH):
        with context.Pool(1) as pool:
            result = pool.apply_async(batch, (seed + start, min(BATCH, count - start)))
            try:
                yield result.get(timeout=BATCH * SLOW_SECONDS)
            except multiprocessing.TimeoutError:
                yield Counter({"CRASH OR HANG of a batch": 1}), np.full(1, np.inf), 0.0


def main() -> int:
    """Print what came of all files; fail if one did harm."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    outcomes: Counter[str] = Counter()
    all_seconds, memory = [], 0.0
    for found, seconds, mib in batches(arguments.count, arguments.seed):
        outcomes += found
        all_seconds.append(seconds)
        memory = max(memory, mib)
    times = np.concatenate(all_seconds) * 1000
    print(f"{arguments.count:,} files, seed {arguments.seed}")
    for outcome, number in outcomes.most_common():
        print(f"  {outcome:28} {number:8,}")
    print(f"  median {np.median(times):.1f} ms, longest {times.max():.0f} ms; {memory:.0f} MiB")
    harm = any(outcome[0].isupper() for outcome in outcomes)
    return int(harm or times.max() > 1000 * SLOW_SECONDS or memory > LARGE_MIB)


if __name__ == "__main__":
    sys.exit(main())
