"""Renders a post's Markdown, with what generators of static sites add to it, as HTML that is not yet sanitised.

A shared helper of the readers. Shortcodes that stand for something to see become that (code blocks, figures, links to videos);
other Hugo and Liquid tags are dropped and what they enclose is kept. Fenced code is shown as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import escape

from markdown_it import MarkdownIt

from feeds.text import one_line

_HEAD = 64 * 1024
_MARKER = re.compile(r"<!--+\s*(?:more|truncate|excerpt)\s*--+>|\{/\*\s*truncate\s*\*/\}")
_ENCLOSED = re.compile(r"\{\{%\s*(/?)\s*summary\s*%\}\}")
_HIGHLIGHT = re.compile(
    r"^[ \t]*\{(?:%-?|\{[<%])[ \t]*highlight[ \t]+\"?([\w+#.-]{0,40})\"?[^\n}]{0,200}\}{1,2}[ \t]*\n?"
    r"([^{]*(?:\{(?!(?:%-?|\{[<%])\s*highlight\b)[^{]*)*?)"
    r"\{(?:%-?[ \t]*endhighlight|\{[<%][ \t]*/[ \t]*highlight)\b[^}\n]{0,40}\}{1,2}",
    re.MULTILINE,
)
_FENCE = re.compile(r"(?:[ \t]|>|[-*+][ \t]|\d{1,9}[.)][ \t])*+(`{3,}+(?=[^`\n]*$)|~{3,}+)", re.MULTILINE)
_PRE = re.compile(r"<pre\b[^<]*(?:<(?!/?pre\b)[^<]*)*</pre>", re.IGNORECASE)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)[^`\n]*\1(?!`)|^(?: {4}|\t)[^\n]*$", re.MULTILINE)
_LITERAL = re.compile(r"\{\{([<%])/\*([^{}]*)\*/([>%])\}\}")
_SHORTCODE = re.compile(r"\{\{[<%]-?[ \t\n]*+(/?)[ \t]*+([\w./-]{1,60}+)([^{}]*)[>%]\}\}")
_GO_RAW = re.compile(r"\{\{raw `([^`]*)`\s*\}\}")
_GO_LINE = re.compile(r"^\{\{(image|video|play|code|raw)\s([^{}`]*+(?:`[^`\n]*`[^{}`]*+)*+)\}\}", re.MULTILINE)
_GO = re.compile(r"\{\{(image|video|play|code|raw)\s([^{}]*)\}\}")
_RAW = re.compile(r"\{%-?\s*(?:end)?raw\s*-?%\}")
_SITE = re.compile(r"\{\{\s*site\.(?:base)?url\s*\}\}")
_FILTER = re.compile(r"\{\{\s*([\"'])([^\"'{}]*)\1\s*\|\s*(?:relative|absolute)_url\s*\}\}")
_LIQUID = re.compile(r"(?<!\{)\{%[^%]{0,500}%\}")
_ATTRIBUTES = re.compile(r"^[ \t]*\{:[^}\n]*\}[ \t]*$", re.MULTILINE)
_VALUE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|`([^`]*)`)""")
_BARE = re.compile(r"\"([^\"]*)\"|'([^']*)'|(\S+)")
_VIDEOS = {"youtube": "https://www.youtube.com/watch?v={}", "vimeo": "https://vimeo.com/{}"}


def render(text: str, *, is_html: bool = False) -> str:
    """A post's text as HTML. HTML within it passes; a post that is HTML already only loses its shortcodes."""
    prepared = _without_shortcodes(text, is_html=is_html)
    return prepared.strip() if is_html else str(_parser().render(prepared)).strip()


def render_phrase(text: str) -> str:
    """A summary from the front matter as HTML: Markdown, in which ``<T>`` is text unless something there closes an element."""
    is_html = re.search(r"</\w+>", text) is not None
    return str(_parser(html=is_html).render(text)).strip() if text else ""


def lead(text: str, separator: str = "") -> str:
    """What stands above the summary marker (Hugo's, Zola's, Docusaurus's or Jekyll's ``excerpt_separator``); nothing without one.

    Link definitions from below it come along, so that the links above still lead somewhere.
    """
    marks = list(_ENCLOSED.finditer(text))[:2]
    if [mark[1] for mark in marks] == ["", "/"]:
        return text[marks[0].end() : marks[1].start()].strip()
    if separator.strip() and separator in text:
        above, below = text.split(separator, 1)
    elif marker := _MARKER.search(text):
        above, below = text[: marker.start()], text[marker.end() :]
    else:
        return ""
    definitions = re.findall(r"^ {0,3}\[[^\]\n]+\]:[^\n]+$", below, re.MULTILINE)
    return "\n\n".join((above.rstrip(), "\n".join(definitions))).strip()


def heading(text: str, *, is_html: bool = False) -> str:
    """The first heading as plain Markdown text; nothing where there is none."""
    if is_html:
        found = re.search(r"<h[1-6]\b[^>]{0,200}>(.{0,500}?)</h[1-6]>", text, re.DOTALL | re.IGNORECASE)
        return found[1] if found else ""
    tokens = _parser().parse(text[:_HEAD])
    inline = next((tokens[i + 1] for i, token in enumerate(tokens) if token.type == "heading_open"), None)
    return str(_parser().renderInline(inline.content)) if inline else ""


def _parser(*, html: bool = True) -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])


def _without_shortcodes(text: str, *, is_html: bool) -> str:
    text = _HIGHLIGHT.sub(_pre if is_html else _fenced, _GO_RAW.sub(r"\1", text))
    if is_html:
        return _outside((found.span() for found in _PRE.finditer(text)), text, _prose)
    return _outside(_fences(text), text, _markdown)


def _markdown(text: str) -> str:
    """What stands outside of fences; a Go template function on a line of its own may have code among its arguments."""
    text = _GO_LINE.sub(_go, text)
    return _outside((found.span() for found in _SPAN.finditer(text)), text, _prose)


def _outside(code: Iterable[tuple[int, int]], text: str, change: Callable[[str], str]) -> str:
    """Apply ``change`` to what stands between pieces of code, which lose the marks that kept a generator from reading them.

    A line that is merely indented may stand in a list: of it Hugo's shortcodes are taken, which Hugo would run in code as well.
    """
    parts, end = [], 0
    for start, stop in code:
        piece = _RAW.sub("", text[start:stop])
        parts += [change(text[end:start]), _literal(_SHORTCODE.sub(_hugo, piece) if piece[:1] in (" ", "\t") else piece)]
        end = stop
    return "".join((*parts, change(text[end:])))


def _fences(text: str) -> Iterable[tuple[int, int]]:
    """Where fenced code begins and ends (CommonMark 0.31 §4.5), in quotations and lists too; an open fence lasts to the end."""
    mark, start, position = "", 0, 0
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if found and not mark:
            mark, start = found[1], position
        elif found and found[1].startswith(mark) and not line[found.end() :].strip():
            yield start, position + len(line)
            mark = ""
        position += len(line)
    if mark:
        yield start, len(text)


def _prose(text: str) -> str:
    text = _FILTER.sub(r"\2", _SITE.sub("", text))
    text = _SHORTCODE.sub(_hugo, _GO.sub(_go, text))
    return _literal(_LIQUID.sub("", _ATTRIBUTES.sub("", text)))


def _literal(text: str) -> str:
    return _LITERAL.sub(r"{{\1\2\3}}", text)


def _fenced(found: re.Match[str]) -> str:
    longest = max((len(run) for run in re.findall(r"~+", found[2])), default=0)
    fence = "~" * max(3, longest + 1)
    return f"\n{fence}{found[1]}\n{found[2].rstrip()}\n{fence}\n"


def _pre(found: re.Match[str]) -> str:
    language = f' class="language-{escape(found[1])}"' if found[1] else ""
    return f"<pre><code{language}>{escape(found[2], quote=False)}</code></pre>"


def _hugo(found: re.Match[str]) -> str:
    name, arguments = found[2].lower(), found[3]
    if found[1]:
        return ""
    named = {key.lower(): double or single or ticks for key, double, single, ticks in _VALUE.findall(arguments)}
    first = _first(arguments)
    if name in _VIDEOS and (video := named.get("id") or first):
        return _link(_VIDEOS[name].format(video))
    if name in ("figure", "img", "image") and (image := named.get("src") or first):
        return _figure(image, named.get("alt", ""), named.get("caption") or named.get("title", ""))
    return first if name in ("ref", "relref") and "=" not in first else ""


def _go(found: re.Match[str]) -> str:
    """The Go site's template functions (golang/website, internal/web): programs that it includes from files are not to be had."""
    first = _first(found[2])
    if found[1] == "image":
        return _figure(first, "", "")
    return _link(first) if found[1] == "video" else ""


def _first(arguments: str) -> str:
    found = _BARE.search(arguments)
    return one_line(found[1] or found[2] or found[3] or "") if found else ""


def _figure(image: str, alt: str, caption: str) -> str:
    below = f"<figcaption>{escape(caption, quote=False)}</figcaption>" if caption else ""
    return f'<figure><img src="{escape(image)}" alt="{escape(alt)}">{below}</figure>'


def _link(url: str) -> str:
    return f'<a href="{escape(url)}">{escape(url, quote=False)}</a>'
