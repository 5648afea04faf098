"""Whatever goes in, what comes out may be written into XML, shown as HTML and sent in a header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from feeds.text import absolute, excerpt, one_line, plain, sanitise, xml_safe

BASE = "https://blog.example/blog/post/"

anything = st.text(st.characters())
"""Any code points, lone surrogates and control characters among them."""

markup = st.lists(
    st.sampled_from(
        [
            "<p>", "</p>", "<a href='", "/x", "'>", "</a>", '<img src="', 'javascript:alert(1)"', " onerror=alert(1)>", "<script>",
            "</script>", "<svg><style>", "<!--", "-->", "<pre>", "&lt;", "&#0;", "&#xFFFE;", "&#8;", "&", "<math><mi>", "\x00",
            "\ud800", "\ufffe", "<textarea>", "<xmp>", '<img srcset="a 1x, ', "內核", "]]>", "<?php",
        ]
    )
    | anything,
    max_size=12,
).map("".join)  # fmt: skip
"""Pieces of HTML in an order that nobody would write."""


def is_fit_for_xml(text: str) -> bool:
    element = etree.Element("x")
    element.text = text  # lxml refuses what XML 1.0 has no place for
    return etree.fromstring(etree.tostring(element, encoding="utf-8")).text == (
        text.replace("\r\n", "\n").replace("\r", "\n") or None
    )


@pytest.mark.parametrize("code_point", [0x0, 0x8, 0xB, 0xC, 0xE, 0x1F, 0x7F, 0x80, 0x9F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])
def test_a_code_point_that_xml_forbids_or_discourages_is_dropped(code_point: int) -> None:
    assert xml_safe(f"a{chr(code_point)}b") == "ab"


@pytest.mark.parametrize(
    "text", ["tab\tline\nreturn\r", "naïve", "内核", "🐧", "\x85", "\ue000", "\ufffd", "\u202e", "chan<- T & <select>"]
)
def test_a_code_point_that_xml_allows_is_kept(text: str) -> None:
    assert xml_safe(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  a  ", "a"),
        ("a\r\n\t b", "a b"),
        ("a\u00a0b\u2028c", "a b c"),
        ("a\x00 \x08 b", "a b"),
        ("\n\t ", ""),
        ("", ""),
    ],
)
def test_one_line_has_single_spaces_and_no_line_ends(text: str, line: str) -> None:
    assert one_line(text) == line


@given(anything)
def test_one_line_is_always_legal_xml_and_encodable_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)
    assert is_fit_for_xml(line)
    assert line.encode("utf-8").decode("utf-8") == line
    assert len(line.splitlines()) <= 1
    assert one_line(line) == line


@given(markup)
def test_sanitised_html_is_always_legal_xml_text_and_encodable(html: str) -> None:
    clean = sanitise(html, BASE)
    assert is_fit_for_xml(clean)
    assert clean.encode("utf-8").decode("utf-8") == clean


@given(markup)
def test_sanitised_html_holds_nothing_that_runs(html: str) -> None:
    tree = LexborHTMLParser(sanitise(html, BASE))
    assert not tree.css("script, style, iframe, object, embed, form, base, meta, link")
    for node in tree.css("*"):
        assert not [name for name in node.attributes if name.startswith("on")]
        assert not [
            v for v in node.attributes.values() if (v or "").strip().lower().startswith(("javascript:", "data:", "vbscript:"))
        ]


@given(markup)
def test_plain_text_is_one_legal_line(html: str) -> None:
    text = plain(html)
    assert is_fit_for_xml(text)
    assert text == one_line(text)


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ("<script>alert(1)</script>text", "text"),
        ("<style>p { color: red }</style>text", "text"),
        ('<p onclick="alert(1)">text</p>', "<p>text</p>"),
        ('<a href="javascript:alert(1)">text</a>', "<a>text</a>"),
        ('<a href=" JaVaScRiPt:alert(1)">text</a>', "<a>text</a>"),
        ('<a href="java&#x0A;script:alert(1)">text</a>', "<a>text</a>"),
        ('<a href="data:text/html,x">text</a>', "<a>text</a>"),
        ('<img src="x.png" onerror="alert(1)">', '<img src="https://blog.example/blog/post/x.png">'),
        ('<img src="data:image/png;base64,AAAA" alt="dot">', '<img alt="dot">'),
        ('<iframe src="https://evil.example/"></iframe>text', "text"),
        ('<form action="/login"><input name="password">text</form>', "text"),
        ('<p style="position:fixed">text</p>', "<p>text</p>"),
        ("<p>open", "<p>open</p>"),
        ("a < b & c", "a &lt; b &amp; c"),
        ("<!-- remark -->text", "text"),
        ('<img src="t.gif" width="1" height="1" alt="">text', "text"),
        ('<a href="/"><img height="0px" width="1px" src="t.gif"></a>', '<a href="https://blog.example/"></a>'),
        ('<img src="t.gif" style="DISPLAY: none">text', "text"),
        ('<img src="t.gif" style="color:red;width: 1px !important">text', "text"),
        ('<img src="x.png" style="width:100%;height:10px">', '<img src="https://blog.example/blog/post/x.png">'),
        (
            '<img alt="width=1 > height=1" src="x.png">',
            '<img alt="width=1 &gt; height=1" src="https://blog.example/blog/post/x.png">',
        ),
        ('<img src="x.png" width="1" height="10">', '<img src="https://blog.example/blog/post/x.png" width="1" height="10">'),
        ("a&#8;b &#xFFFE;&#x1F; c", "ab  c"),
        ('<a title="a&#x1;b">text</a>', '<a title="ab">text</a>'),
        ("", ""),
    ],
)  # fmt: skip
def test_what_could_run_or_deceive_is_taken_out(html: str, clean: str) -> None:
    assert sanitise(html, BASE) == clean


@pytest.mark.parametrize(
    ("html", "clean"),
    [
        ('<a href="/about/">x</a>', '<a href="https://blog.example/about/">x</a>'),
        ('<a href="other/">x</a>', '<a href="https://blog.example/blog/post/other/">x</a>'),
        ('<a href="#note">x</a>', '<a href="https://blog.example/blog/post/#note">x</a>'),
        ('<a href="//cdn.example/x">x</a>', '<a href="https://cdn.example/x">x</a>'),
        ('<a href="?page=2">x</a>', '<a href="https://blog.example/blog/post/?page=2">x</a>'),
        ('<a href="mailto:ann@blog.example">x</a>', '<a href="mailto:ann@blog.example">x</a>'),
        ('<img src="../pic.png">', '<img src="https://blog.example/blog/pic.png">'),
        ('<blockquote cite="/said/">x</blockquote>', '<blockquote cite="https://blog.example/said/">x</blockquote>'),
        (
            '<video src="a.mp4" poster="/a.png"></video>',
            '<video src="https://blog.example/blog/post/a.mp4" poster="https://blog.example/a.png"></video>',
        ),
        (
            '<img srcset="/s.png 480w, /l.png 960w">',
            '<img srcset="https://blog.example/s.png 480w, https://blog.example/l.png 960w">',
        ),
        (
            '<img srcset="https://cdn.example/w_480,c_fit/a.png 1x, b.png 2x">',
            '<img srcset="https://cdn.example/w_480,c_fit/a.png 1x, https://blog.example/blog/post/b.png 2x">',
        ),
        (
            '<img srcset="a.png 1x,b.png 2x">',
            '<img srcset="https://blog.example/blog/post/a.png 1x, https://blog.example/blog/post/b.png 2x">',
        ),
        (
            '<img srcset="a.png, b.png 2x,">',
            '<img srcset="https://blog.example/blog/post/a.png, https://blog.example/blog/post/b.png 2x">',
        ),
        ('<img srcset="data:image/png;base64,AAAA 1x, javascript:alert(1) 2x">', "<img>"),
        (
            '<video><track src="a.vtt" kind="captions"></video>',
            '<video><track src="https://blog.example/blog/post/a.vtt" kind="captions"></video>',
        ),
        (
            '<picture><source srcset="a.avif"></picture>',
            '<picture><source srcset="https://blog.example/blog/post/a.avif"></picture>',
        ),
    ],
)  # fmt: skip
def test_every_url_is_absolute(html: str, clean: str) -> None:
    assert sanitise(html, BASE) == clean


def test_white_space_in_a_code_block_is_kept_to_the_letter() -> None:
    code = '<pre><code class="language-go">func main() {\n\tch := make(chan int)\n\n\t\t  ch &lt;- 1\n}\n</code></pre>'
    assert sanitise(code, BASE) == code


@pytest.mark.parametrize(
    "html",
    [
        '<math display="block"><mfrac linethickness="0"><mi mathvariant="normal">n</mi><mn>2</mn></mfrac></math>',
        (
            '<math alttext="x^2"><semantics><msup><mi>x</mi><mn>2</mn></msup>'
            '<annotation encoding="application/x-tex">x^2</annotation></semantics></math>'
        ),
        (
            '<p>It is so.<sup id="fnref:1"><a href="https://blog.example/blog/post/#fn:1">1</a></sup>'
            '</p><ol start="3"><li id="fn:1">Or not.</li></ol>'
        ),
        (
            '<figure><img src="https://blog.example/a.png" alt="A"><figcaption>See '
            '<time datetime="2026-03-04">then</time></figcaption></figure>'
        ),
        "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody><tfoot><tr><td>c</td></tr></tfoot></table>",
        '<details open=""><summary>More</summary>text</details>',
    ],
)
def test_formulas_footnotes_figures_and_tables_are_kept(html: str) -> None:
    assert sanitise(html, BASE) == html


@given(markup)
def test_sanitising_twice_changes_nothing_more(html: str) -> None:
    once = sanitise(html, BASE)
    assert sanitise(once, BASE) == once


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain & simple", "plain & simple"),
        ("a < b", "a < b"),
        ("Fish &amp; chips", "Fish & chips"),
        ("<p>One.</p><p>Two.</p>", "One. Two."),
        ("un<b>believ</b>able", "unbelievable"),
        ("one<br>two", "one two"),
        ("<p>text</p><script>var x = 1</script><style>p{}</style>", "text"),
        ("<code>chan&lt;- T</code>", "chan<- T"),
        ("<img alt='x'>", ""),
        ("", ""),
    ],
)
def test_plain_text_is_what_a_person_reads(html: str, text: str) -> None:
    assert plain(html) == text


@pytest.mark.parametrize(
    ("url", "resolved"),
    [
        ("https://blog.example/a", "https://blog.example/a"),
        (" /a ", "https://blog.example/a"),
        ("../", "https://blog.example/blog/"),
        ("HTTPS://Blog.example/A", "https://Blog.example/A"),
        ("/ü?q=ö", "https://blog.example/%C3%BC?q=%C3%B6"),
        ("/a b", "https://blog.example/a%20b"),
        ("/%C3%BC", "https://blog.example/%C3%BC"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://bücher.example:8080/x", "https://xn--bcher-kva.example:8080/x"),
        ("", ""),
        ("javascript:alert(1)", ""),
        ("mailto:ann@blog.example", ""),
        ("ftp://blog.example/", ""),
        ("https://blog.example:port/", ""),
        ("https://[::1/", ""),
    ],
)  # fmt: skip
def test_an_absolute_url_can_be_requested_or_there_is_none(url: str, resolved: str) -> None:
    assert absolute(url, BASE) == resolved


@given(anything)
def test_an_absolute_url_is_always_ascii_without_white_space(url: str) -> None:
    resolved = absolute(url, BASE)
    assert resolved == "" or (
        resolved.isascii() and resolved.startswith(("http://", "https://")) and not set(' \t\r\n"<>') & set(resolved)
    )


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("short", 10, "short"),
        ("exactly", 7, "exactly"),
        ("several words here", 12, "several…"),
        ("a sentence, and more", 13, "a sentence…"),
        ("oneverylongword", 8, "onevery…"),
        ("", 5, ""),
        ("A few. Then another one begins", 14, "A few. Then…"),
        ("One whole sentence. Then another one", 24, "One whole sentence. …"),
        ('He said "stop now!" and then it did', 24, 'He said "stop now!" …'),
        ("cafe\u0301 au lait", 4, "caf…"),
        ("ab\U0001f468\u200d\U0001f469\u200d\U0001f467cd", 5, "ab…"),
    ],
)
def test_an_excerpt_ends_after_a_sentence_or_a_word(text: str, limit: int, cut: str) -> None:
    assert excerpt(text, limit) == cut


@pytest.mark.parametrize(
    ("text", "limit", "language", "cut"),
    [
        ("内核里的锁，以及它们的代价很高", 10, "zh-CN", "内核里的锁，以及……"),
        ("内核里的锁很多。代价也很高", 11, "zh", "内核里的锁很多。……"),
        ("カーネルの中のロックについて", 8, "ja", "カーネルの中の…"),
        ("several words here", 12, "de", "several…"),
    ],
)
def test_an_excerpt_ends_as_its_language_does(text: str, limit: int, language: str, cut: str) -> None:
    assert excerpt(text, limit, language=language) == cut


@given(anything, st.integers(2, 60))
def test_an_excerpt_is_never_longer_than_its_limit(text: str, limit: int) -> None:
    assert len(excerpt(text, limit)) <= limit
