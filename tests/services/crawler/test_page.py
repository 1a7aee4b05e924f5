"""What is read from a page: pure functions of bytes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.crawler.addresses import absolute, candidates, identity, same_place
from services.crawler.page import PageImage, read_page
from services.crawler.statements import time_statement

PAGE = "https://site.example/dir/page.html"


def images_of(html: str) -> list[str]:
    page = read_page(html.encode(), PAGE)
    return [image.address.removeprefix("https://site.example") for image in page.images]


def image_of(html: str) -> PageImage:
    """Return the image called a.jpg."""
    page = read_page(html.encode(), PAGE)
    return next(image for image in page.images if image.address.endswith("/a.jpg"))


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img src="a.jpg">', ["/dir/a.jpg"]),
        ('<base href="/other/"><img src="a.jpg#x">', ["/other/a.jpg"]),
        ('<base><base href="/other/"><img src="a.jpg">', ["/other/a.jpg"]),
        ('<img src="data:image/gif;base64,R0" data-src="a.jpg">', ["/dir/a.jpg"]),
        ('<img src="tiny.jpg" data-original="a.jpg">', ["/dir/a.jpg"]),
        ('<img src="s.jpg" srcset="s.jpg 100w, a.jpg 2000w,m.jpg 800w">', ["/dir/a.jpg"]),
        ('<img src="s.jpg" data-srcset="s.jpg 1x, a.jpg 2x">', ["/dir/a.jpg"]),
        ('<img srcset="/w_1,h_2/a.jpg 2x, /b.jpg">', ["/w_1,h_2/a.jpg"]),
        (
            '<picture><source srcset="a.webp 900w"><img src="s.jpg" srcset="s.jpg 90w"></picture>',
            ["/dir/a.webp"],
        ),
        (
            '<picture><source srcset="x.webp 9w"><img srcset="a.jpg 9w"></picture>',
            ["/dir/a.jpg"],
        ),
        ('<picture><source srcset="a.png 9w"><img src="s.jpg"></picture>', ["/dir/a.png"]),
        ('<noscript><img src="a.jpg"></noscript>', ["/dir/a.jpg"]),
        ('<a href="a.JPG?x=1">full</a>', ["/dir/a.JPG?x=1"]),
        ('<meta property="og:image" content="a.jpg">', ["/dir/a.jpg"]),
        ('<meta name="twitter:image" content="a.jpg">', ["/dir/a.jpg"]),
        ('<link rel="image_src" href="a.jpg">', ["/dir/a.jpg"]),
        ('<input type="image" src="a.jpg"><input type="text" src="b.jpg">', ["/dir/a.jpg"]),
        ('<video poster="a.jpg"></video>', ["/dir/a.jpg"]),
        ("<div style=\"background: red url('a.jpg')\">", ["/dir/a.jpg"]),
        ("<style>div { background: url(a.jpg) }</style>", ["/dir/a.jpg"]),
        ('<img src="a.jpg"><img src="/dir/a.jpg">', ["/dir/a.jpg"]),
        ('<img src="logo.svg"><img src="x.ico"><img src="file:///a.jpg"><img>', []),
        ('<img src="javascript:x()"><img src="http://[/a.jpg"><img src="http://h:x/">', []),
        (
            '<script type="application/ld+json">{"@type": "Product", "image": ["a.jpg", '
            '{"@type": "ImageObject", "contentUrl": "/b.jpg"}]}</script>',
            ["/dir/a.jpg", "/b.jpg"],
        ),
        (
            '<div itemscope itemtype="https://schema.org/Product">'
            '<link itemprop="image" href="/a.jpg"></div>',
            ["/a.jpg"],
        ),
    ],
)
def test_images(html: str, expected: list[str]) -> None:
    assert images_of(html) == expected


def test_links_are_pages() -> None:
    html = """<title>A &amp;
        B</title><a href="two#part">2</a><a href="two">2</a><a href="x.pdf">p</a>
        <a href="mailto:a@b">m</a><a href="https://other.example/x">o</a><a href="big.jpg">i</a>"""
    page = read_page(html.encode(), PAGE)
    assert page.title == "A & B"
    assert page.links == ("https://site.example/dir/two", "https://other.example/x")


OWN = (
    '{"@type": "ImageObject", "contentUrl": "a.jpg", "author": {"@type": "Person", "name": "Own"},'
    ' "uploadDate": "2024-05-05T10:00:00+02:00"}'
)
ARTICLE = (
    '{"@type": "NewsArticle", "image": "a.jpg", "author": [{"@id": "#p"}],'
    ' "datePublished": "2024-01-02T00:00:00Z"}, {"@id": "#p", "@type": "Person", "name": "Editor"}'
)


def linked(*things: str) -> str:
    return f'<script type="application/ld+json">{{"@graph": [{", ".join(things)}]}}</script>'


BROKEN = '<script type="application/ld+json">{"author": </script>'
NOTHING = '<img src="a.jpg">'


@pytest.mark.parametrize(
    ("html", "uploader", "source"),
    [
        (linked(ARTICLE, OWN), "Own", "json-ld:ImageObject.author"),
        (BROKEN + linked(ARTICLE), "Editor", "json-ld:NewsArticle.author"),
        (
            linked(ARTICLE.replace("a.jpg", "b.jpg")) + NOTHING,
            "Editor",
            "json-ld:NewsArticle.author",
        ),
        (
            '<div itemscope itemtype="http://schema.org/ImageObject"><img itemprop="contentUrl" '
            'src="a.jpg"><b itemprop="creator">Ann</b></div>',
            "Ann",
            "microdata:ImageObject.creator",
        ),
        (
            '<meta property="article:author" content="Meta">' + NOTHING,
            "Meta",
            "meta:article:author",
        ),
        ('<meta name="Author" content="Meta">' + NOTHING, "Meta", "meta:author"),
        ('<meta name="DCTERMS.creator" content="DC">' + NOTHING, "DC", "meta:dcterms.creator"),
        (
            '<figure><img src="a.jpg"><figcaption>A dog. Photo: Bob Smith / AP</figcaption>',
            "Bob Smith / AP",
            "figure:figcaption",
        ),
        (
            '<figure><img src="a.jpg"><figcaption><span class="photo-credit">Photo by Cy</span>'
            "</figcaption></figure>",
            "Cy",
            "figure:byline",
        ),
        (
            '<ul><li><img src="a.jpg"><a rel="author" href="/u">dan</a></li>'
            '<li><img src="b.jpg"><a rel="author" href="/u">eve</a></li></ul>',
            "dan",
            "card:rel=author",
        ),
        (
            '<p><a rel="author">Only</a></p><main><img src="a.jpg"></main>',
            "Only",
            "page:rel=author",
        ),
        ('<p class="byline">By Fay</p><main><img src="a.jpg"></main>', "Fay", "page:byline"),
    ],
)
def test_uploader(html: str, uploader: str, source: str) -> None:
    stated = image_of(html).uploader
    assert stated is not None
    assert (stated.value, stated.source) == (uploader, source)


@pytest.mark.parametrize(
    ("html", "when", "source"),
    [
        (linked(ARTICLE, OWN), "2024-05-05T08:00:00Z", "json-ld:ImageObject.uploadDate"),
        (linked(ARTICLE), "2024-01-02T00:00:00Z", "json-ld:NewsArticle.datePublished"),
        (
            '<meta property="article:published_time" content="2024-03-04T05:06:07+0100">' + NOTHING,
            "2024-03-04T04:06:07Z",
            "meta:article:published_time",
        ),
        (
            '<meta name="dc.date" content="2024-03-04">' + NOTHING,
            "2024-03-04T00:00:00Z",
            "meta:dc.date",
        ),
        (
            '<figure><img src="a.jpg"><time datetime="2024-03-04T05:06Z">x</time></figure>',
            "2024-03-04T05:06:00Z",
            "figure:time",
        ),
        (
            '<time datetime="2024-03-04T05:06Z">x</time><main><img src="a.jpg"></main>',
            "2024-03-04T05:06:00Z",
            "page:time",
        ),
    ],
)
def test_upload_time(html: str, when: str, source: str) -> None:
    stated = image_of(html).uploaded_at
    assert stated is not None
    assert (stated.value, stated.source) == (when, source)


def test_what_is_said_of_one_image_is_not_said_of_another() -> None:
    html = """<div><img src="b.jpg"><b class="author">ann</b><time datetime="2024-01-01">x</time>
        </div><img src="a.jpg">"""
    image = image_of(html)
    assert (image.uploader, image.uploaded_at) == (None, None)
    two = '<p class="byline">ann</p><p class="byline">bob</p><main><img src="a.jpg"></main>'
    assert image_of(two).uploader is None


def test_the_nearest_of_several_statements_is_trusted() -> None:
    html = linked(ARTICLE) + '<meta name="author" content="M"><p class="byline">By P</p>' + NOTHING
    assert image_of(html).uploader == image_of(linked(ARTICLE)).uploader


@pytest.mark.parametrize(
    ("text", "value", "confidence"),
    [
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00Z", 1.0),
        ("2024-05-01 10:00:00 +0200", "2024-05-01T08:00:00Z", 1.0),
        ("2024-05-01T10:00:00", "2024-05-01T10:00:00Z", 0.8),
        ("2024-05-01", "2024-05-01T00:00:00Z", 0.7),
        ("Wed, 01 May 2024 10:00:00 GMT", "2024-05-01T10:00:00Z", 1.0),
    ],
)
def test_times(text: str, value: str, confidence: float) -> None:
    stated = time_statement(text, "here", 1.0)
    assert stated is not None
    assert (stated.value, stated.confidence) == (value, confidence)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "1970-01-01T00:00:00Z", "0001-01-01T00:00+14:00"]
)
def test_no_times(text: str) -> None:
    assert time_statement(text, "here", 1.0) is None


def test_addresses() -> None:
    assert absolute(" HTTP://Site.Example/a b.jpg#x ", PAGE) == "http://site.example/a%20b.jpg"
    assert absolute("//cdn.example/ä.jpg", PAGE) == "https://cdn.example/%C3%A4.jpg"
    assert absolute("?b=2&a=1", PAGE) == PAGE + "?b=2&a=1"
    assert identity(PAGE + "?b=2&a=1") == identity(PAGE + "?a=1&b=2")
    assert identity(PAGE + "?a=") != identity(PAGE)
    assert same_place("http://www.site.example/", "https://site.example:443/x")
    assert not same_place("http://site.example:81/", "http://site.example/")
    assert not same_place("http://site.example.evil.example/", "http://site.example/")


def test_srcset_without_spaces_or_descriptors() -> None:
    assert list(candidates("a.jpg 1x,b.jpg 2x")) == [("a.jpg", 1.0), ("b.jpg", 2.0)]
    assert list(candidates("a.jpg, b.jpg 300w 200h")) == [("a.jpg", 1.0), ("b.jpg", 300.0)]
    assert list(candidates(" , a.jpg , ")) == [("a.jpg", 1.0)]


def test_charsets() -> None:
    latin = '<meta charset="iso-8859-1"><title>Café</title>'.encode("latin-1")
    assert read_page(latin, PAGE).title == "Café"
    assert read_page("<title>Café</title>".encode("utf-16"), PAGE).title == "Café"
    cyrillic = "<title>Фото</title>".encode("cp1251")
    assert read_page(cyrillic, PAGE, "text/html; charset=windows-1251").title == "Фото"


@pytest.mark.parametrize(
    "html",
    [
        b"<div>" * 1_000_000,
        b"<div itemscope itemprop=b>" * 200 + b"<p itemprop=a>x</p>" * 20_000,
        b"<div itemscope id=a itemref='" + b"a " * 10_000 + b"'>",
        b"<img src=a.jpg>" * 50_000,
        b"<div>" * 200 + b"<img src=a.jpg>" * 20_000,
        b"<img srcset='" + b"," * 2_000_000 + b"'>",
        b"<script type='application/ld+json'>" + b"[" * 400_000 + b"</script>",
        b"<div style='" + b"url(" * 500_000 + b"'>",
        b"<figure><img src=a.jpg><figcaption>" + b"photo by " * 200_000 + b"</figcaption>",
        b"<b class=author>" * 200 + b"<b class=author>x</b>" * 20_000,
        b"\0" * 1000,
        b"",
    ],
    ids=lambda html: html[:24].decode(),
)
def test_hostile_pages_are_read_soon(html: bytes) -> None:
    begun = time.process_time()
    read_page(html, PAGE)
    assert time.process_time() - begun < 3


def test_halves_of_surrogate_pairs_can_be_stored() -> None:
    html = linked(OWN.replace("Own", "O\\ud800wn"))
    uploader = image_of(html).uploader
    assert uploader is not None
    assert uploader.value.encode() == b"Own"


_PIECES = st.sampled_from(
    [
        *("<img src=", "a.jpg", ">", "<a href='", "'", "<div itemscope itemprop=x>", "</div>"),
        *("<figure>", "<script type=application/ld+json>", "</script>", '{"@id":', '"image":'),
        *("[", "]", "}", ",", "<time datetime=", "2024", "\U0001f600", "http://", "\x00", "1x,"),
    ]
)


@given(st.lists(_PIECES).map("".join))
def test_no_page_raises(html: str) -> None:
    page = read_page(html.encode("utf-8", "surrogatepass"), PAGE)
    assert all(image.address.startswith(("http://", "https://")) for image in page.images)
