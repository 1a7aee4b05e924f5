"""Draw `blocks.svg`: the blocks of a picture, and the eight pieces of a block."""

from collections.abc import Iterator
from pathlib import Path

INK, FAINT, PAPER = "#263238", "#b0bec5", "#ffffff"
PAIRS = {  # colour, and the places (row, column) of a pair in the grid of pieces
    "D1": ("#d84315", (0, 0), (2, 2)),
    "D2": ("#1565c0", (0, 1), (2, 1)),
    "D3": ("#2e7d32", (0, 2), (2, 0)),
    "D4": ("#6a1b9a", (1, 0), (1, 2)),
}
NUMBERS = {(0, 0): 1, (2, 2): 2, (0, 1): 3, (2, 1): 4, (0, 2): 5, (2, 0): 6, (1, 0): 7, (1, 2): 8}
CELL = 2.5  # of a pixel of the whole
PIXEL = 32  # of a pixel of the block
LEFT, TOP = 440, 50  # of the block


def line(
    x1: float, y1: float, x2: float, y2: float, colour: str, width: float, more: str = ""
) -> str:
    """Draw a line."""
    place = f'x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"'
    return f'<line {place} stroke="{colour}" stroke-width="{width:g}" {more}/>'


def text(
    x: float, y: float, words: str, size: int, colour: str = INK, anchor: str = "middle"
) -> str:
    """Write some words."""
    style = f'font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{words}</text>'


def rectangle(x: float, y: float, width: float, height: float, fill: str, more: str = "") -> str:
    """Draw a filled rectangle."""
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {place} fill="{fill}" {more}/>'


def picture() -> Iterator[str]:
    """Draw the whole: 12 x 12 blocks, one of them marked."""
    width, height = 132 * CELL, 108 * CELL
    yield text(20 + width / 2, 36, "108 rows x 132 columns, 12 x 12 blocks", 15)
    yield rectangle(20, TOP, width, height, "#eceff1")
    yield rectangle(20 + 55 * CELL, TOP + 36 * CELL, 11 * CELL, 9 * CELL, "#ffcc80")
    for block in range(13):
        x, y = 20 + block * 11 * CELL, TOP + block * 9 * CELL
        yield line(x, TOP, x, TOP + height, INK, 0.8)
        yield line(20, y, 20 + width, y, INK, 0.8)
    for corner, at in ((36, TOP), (45, TOP + 9 * PIXEL)):
        more = 'stroke-dasharray="5 4"'
        yield line(20 + 66 * CELL, TOP + corner * CELL, LEFT, at, FAINT, 1.2, more)
    yield text(20 + width / 2, TOP + height + 26, "A: 144 symbols, D1 to D4: 576", 15)


def block() -> Iterator[str]:
    """Draw one block: its pixels, its pieces, and the four differences."""
    width, height = 11 * PIXEL, 9 * PIXEL
    yield text(LEFT + width / 2, 36, "a block: 9 rows x 11 columns, 3 x 3 pieces", 15)
    yield rectangle(LEFT, TOP, width, height, PAPER)
    yield rectangle(LEFT + width / 3, TOP + height / 3, width / 3, height / 3, "#cfd8dc")
    for column in range(12):
        yield line(LEFT + column * PIXEL, TOP, LEFT + column * PIXEL, TOP + height, FAINT, 0.6)
    for row in range(10):
        yield line(LEFT, TOP + row * PIXEL, LEFT + width, TOP + row * PIXEL, FAINT, 0.6)
    for third in range(4):
        x, y = LEFT + third * width / 3, TOP + third * height / 3
        yield line(x, TOP, x, TOP + height, INK, 2)
        yield line(LEFT, y, LEFT + width, y, INK, 2)
    for name, (colour, first, second) in PAIRS.items():
        ends = []
        for sign, (row, column) in (("+", first), ("\N{MINUS SIGN}", second)):
            x, y = LEFT + (column + 0.5) * width / 3, TOP + (row + 0.5) * height / 3
            yield f'<circle cx="{x:g}" cy="{y:g}" r="25" fill="{colour}"/>'
            yield text(x, y - 1, str(NUMBERS[row, column]), 19, PAPER)
            yield text(x, y + 16, f"{sign}{name}", 13, PAPER)
            ends.append((x, y))
        yield between(*ends[0], *ends[1], colour)
    words = "A = mean of 1 to 8; D1 = 1 - 2, D2 = 3 - 4, D3 = 5 - 6, D4 = 7 - 8"
    yield text(LEFT + width / 2, TOP + height + 26, words.replace(" - ", " \N{MINUS SIGN} "), 12)


def between(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    """Draw a line from rim to rim of two circles."""
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    dx, dy = 25 * (x2 - x1) / length, 25 * (y2 - y1) / length
    return line(x1 + dx, y1 + dy, x2 - dx, y2 - dy, colour, 2.5, 'stroke-opacity="0.55"')


def main() -> None:
    """Write the drawing beside this script."""
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 400" font-family="sans-serif">'
    shapes = [rectangle(0, 0, 820, 400, PAPER), *picture(), *block()]
    svg = "\n".join([head, "<title>Blocks and pieces</title>", *shapes, "</svg>"])
    Path(__file__).with_name("blocks.svg").write_text(svg + "\n")


if __name__ == "__main__":
    main()
