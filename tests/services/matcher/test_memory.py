"""What the matcher loads, which stays in its memory beside the protected photos."""

import subprocess
import sys

# Others in the same environment need these: 15 MB for the client of Kubernetes alone.
_OF_OTHERS = ("kubernetes", "pyspark", "scrapy", "skimage", "sklearn", "typer")


def test_the_matcher_loads_nothing_that_only_others_need() -> None:
    program = f"""if True:
        import sys
        import services.matcher.main
        from srpitp_fingerprint import load_backend
        load_backend()
        print(sorted(sys.modules.keys() & {set(_OF_OTHERS)!r}))
    """
    loaded = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert loaded == "[]\n"
