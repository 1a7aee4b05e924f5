"""Which pages lie on a site or below an address; hostile look-alikes do not."""

from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from srpitp_contracts.places import PagePrefix, Site, read_page_prefix, read_site, same_page

SITE = read_site("example.org")
BLOG = read_page_prefix("https://example.org/blog/")


@pytest.mark.parametrize(
    "page",
    [
        "https://example.org",
        "http://example.org/",
        "https://EXAMPLE.org./a?b=c#d",
        "https://www.example.org/",
        "https://a.b.example.org/x",
        "https://example.org:443/x",
        "https://example.org/?next=https://evil.com/",
    ],
)
def test_pages_of_a_site(page: str) -> None:
    assert SITE.holds(page)


@pytest.mark.parametrize(
    "page",
    [
        "https://example.org.evil.com/",
        "https://example.org@evil.com/",
        "https://user@example.org/",
        "https://@example.org/",
        "https://example.org\\@evil.com/",
        "https://evil.com/example.org",
        "https://evil.com?example.org",
        "https://evil.com#example.org",
        "https://notexample.org/",
        "https://example.org:8443/",
        "https://example.com/",
        "https://ex\u0430mple.org/",  # a Cyrillic letter
        "https://example。org.evil.com/",
        "ftp://example.org/",
        "javascript:example.org",
        "//example.org/",
        "example.org",
        " https://example.org/ /",
        "https://exam\nple.org/",
        "",
    ],
)
def test_pages_of_other_sites(page: str) -> None:
    assert not SITE.holds(page)


def test_a_port_that_is_named_counts() -> None:
    site = read_site("127.0.0.1:8080")
    assert site.holds("http://127.0.0.1:8080/a")
    assert not site.holds("http://127.0.0.1/a")
    assert not site.holds("http://127.0.0.1:80801/a")
    assert str(site) == "127.0.0.1:8080"


def test_nothing_lies_below_an_ip_address_or_a_top_level_name() -> None:
    assert not read_site("org").holds("https://example.org/")
    assert read_site("intranet").holds("http://intranet/x")
    assert not read_site("[::1]").has_subdomains
    assert not read_site("127.0.0.1").has_subdomains


@pytest.mark.parametrize(
    "page",
    [
        "https://example.org/blog",
        "http://example.org/blog/",
        "https://example.org/blog?page=2",
        "https://example.org/%62log/2024/x.html#top",
        "https://example.org/other/../blog/x",
        "https://example.org/blog/b%C3%BCcher;v=1",
    ],
)
def test_pages_below_an_address(page: str) -> None:
    assert BLOG.holds(page)


@pytest.mark.parametrize(
    "page",
    [
        "https://example.org/",
        "https://example.org/blogger",
        "https://example.org/blog.html",
        "https://example.org/Blog/",
        "https://example.org/blog/../other",
        "https://example.org/blog/%2e%2e/other",
        "https://example.org/blog/..%2fother",
        "https://example.org/blog/..%252fother",
        "https://example.org/blog/%5c../other",
        "https://example.org/blog/..;/other",
        "https://example.org/blog%2fother",
        "https://www.example.org/blog/",
        "https://example.org.evil.com/blog/",
        "https://example.org@evil.com/blog/",
        "https://example.org:8443/blog/",
        "https://evil.com/https://example.org/blog/",
    ],
)
def test_pages_elsewhere(page: str) -> None:
    assert not BLOG.holds(page)


@pytest.mark.parametrize(
    "value",
    ["", "*.example.org", "example.org/blog", "user@example.org", "a b", ".", "ftp://example.org"],
)
def test_what_is_no_site(value: str) -> None:
    with pytest.raises(ValueError, match="host"):
        read_site(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("example.org/blog", "starts with"),
        ("https://user@example.org/", "starts with"),
        ("https://example.org/blog?user=5", "leave out"),
        ("https://example.org/blog#top", "leave out"),
        ("https://example.org/a%2fb", "plainly"),
    ],
)
def test_what_is_no_page_prefix(value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_page_prefix(value)


LABELS = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
HOSTS = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
PATHS = st.lists(st.text(min_size=1, max_size=8), max_size=4)


@given(HOSTS, st.text(st.characters(max_codepoint=127), max_size=30))
def test_only_pages_of_the_host_are_held(host: str, rest: str) -> None:
    """Whatever follows the host in an address, it is held only if its host is this one."""
    page = f"https://{host}{rest}"
    if read_site(host).holds(page):
        seen = (urlsplit(page).hostname or "").rstrip(".")
        assert seen == host or seen.endswith(f".{host}")
        assert urlsplit(page).username is None


@given(HOSTS, HOSTS)
def test_sites_hold_their_subdomains_only(host: str, other: str) -> None:
    site = read_site(host)
    assert site.holds(f"http://{other}.{host}/")
    assume(other != host and not other.endswith(f".{host}"))
    assert not site.holds(f"http://{other}/")
    assert not site.holds(f"http://{host}.{other}/") or other.endswith(host)


@given(HOSTS, st.from_regex(r"(/[a-z0-9%. ü;_-]{1,8}){0,3}/?", fullmatch=True), st.integers(0, 9))
def test_a_prefix_is_read_as_it_is_written(host: str, path: str, number: int) -> None:
    try:
        prefix = read_page_prefix(f"https://{host}{path}")
    except ValueError:
        return
    assert read_page_prefix(str(prefix)) == prefix
    assert prefix.holds(str(prefix))
    assert prefix.holds(f"{prefix}{number}")
    bare = str(prefix).rstrip("/")
    assert not prefix.path or not prefix.holds(f"{bare}{number}")
    assert isinstance(prefix, PagePrefix)


def test_the_same_page() -> None:
    assert same_page("http://Example.org:80/a/../b#top", "http://example.org/b")
    assert not same_page("http://example.org/b?x", "http://example.org/b")
    assert not same_page("nonsense", "nonsense")


def test_a_site_reads_as_it_is_written() -> None:
    assert str(read_site(" http://Example.ORG:80/ ")) == "example.org"
    assert read_site("bücher.de") == Site("xn--bcher-kva.de")
