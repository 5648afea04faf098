"""The commands about sources as a person runs them: try, sources, explain-id, init; none of them tells a secret."""

import pytest

from feeds.settings import load
from feeds.store import open_store
from tests.conftest import topicfeeds, write_config
from tests.fakes import BLOG, Item, html, refusal, rss

LISTING = """<!doctype html><title>Archive</title><ul>
<li class="post"><h2><a href="/raft/">Raft reads</a></h2><time datetime="2026-08-30">30.8.</time><p class="sum">A quorum.</p></li>
<li class="post"><h2><a href="/goroutines/">Goroutines</a></h2><span class="when">yesterday</span></li>
<li class="post"><h2>Nothing to follow</h2></li>
<li class="post"><h2><a href="/about/">About me</a></h2></li>
</ul><a rel="next" href="/archive/2/">older</a>"""
SELECTORS = {"item": "li.post", "link": "h2 a", "title": "h2", "date": "time, .when", "summary": ".sum", "next": "a[rel=next]"}


def run(folder, *arguments):
    done = topicfeeds(*arguments, "-c", str(folder / "topicfeeds.toml"), folder=folder)
    assert "Traceback" not in done.stderr
    return done


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def test_try_shows_the_items_of_a_feed_as_read_and_stores_nothing(tmp_path, blog):
    write_config(tmp_path, blog.url)
    done = run(tmp_path, "try", "blog")
    assert done.returncode == 0
    assert "chan<- T & <select>" in done.stdout
    assert f"url    {blog.url}/blog/channels/" in done.stdout
    assert "date   2026-08-29 12:00" in done.stdout
    assert "tags   Go" in done.stdout
    assert "blog: 3 posts, 0 set aside; nothing was stored" in done.stdout
    assert files(tmp_path) == ["topicfeeds.toml"]


def test_try_shows_what_each_selector_of_a_listing_found_item_by_item(tmp_path, blog):
    blog.put("/archive/", LISTING, content_type="text/html")
    source = {"id": "archive", "kind": "listing", "url": f"{blog.url}/archive/", "exclude": ["/about/"], "listing": SELECTORS}
    write_config(tmp_path, blog.url, sources=[source])
    done = run(tmp_path, "try", "archive")
    assert done.returncode == 0, done.stderr
    first, second, third, fourth = done.stdout.split("title   'h2'")[1:]
    assert ': "Raft reads"' in first
    assert f"""link    'h2 a': "/raft/" → {blog.url}/raft/""" in first
    assert """date    'time, .when': "2026-08-30" → 2026-08-30 12:00 UTC""" in first
    assert """summary '.sum': "A quorum.\"""" in first
    assert '"yesterday" → no date' in second
    assert "summary '.sum': nothing" in second
    assert "link    'h2 a': nothing → no URL" in third
    assert "set aside: has no link" in third
    assert "left out by include and exclude" in fourth
    assert f"next page: {blog.url}/archive/2/ (listing.next = 'a[rel=next]')" in done.stdout
    assert "archive: 2 posts, 1 left out by include and exclude, 1 set aside; nothing was stored" in done.stdout
    assert files(tmp_path) == ["topicfeeds.toml"]


def test_try_says_why_nothing_can_be_read(tmp_path, blog):
    blog.put("/archive/", LISTING, content_type="text/html")
    listing = {"id": "archive", "kind": "listing", "url": f"{blog.url}/archive/", "listing": {**SELECTORS, "item": "div.entry"}}
    write_config(tmp_path, blog.url, sources=[listing])
    done = run(tmp_path, "try", "archive")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing in it matches listing.item = 'div.entry'" in done.stderr


def test_sources_lists_state_cause_next_check_and_what_was_set_aside(tmp_path, blog):
    blog.pages |= {"/bad.xml": refusal(503, Retry_After="7200"), "/gone.xml": refusal(410)}
    nameless = "<item><pubDate>Fri, 28 Aug 2026 00:00:00 GMT</pubDate></item>"
    blog.put("/index.xml", rss(blog.url, *BLOG).replace("</channel>", f"{nameless}</channel>"))
    paths = {"blog": "/index.xml", "bad": "/bad.xml", "gone": "/gone.xml"}
    write_config(tmp_path, blog.url, sources=[{"id": name, "url": blog.url + path} for name, path in paths.items()])
    assert run(tmp_path, "refresh").returncode == 1
    done = run(tmp_path, "sources")
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line and line.split()[0] in paths}
    assert "ok" in rows["blog"].split()
    assert "failing (1)" in rows["bad"]
    assert "answered 503" in rows["bad"]
    assert "stopped" in rows["gone"]
    assert "not asked again until its configuration changes" in rows["gone"]
    assert "blog: 1 set aside" in done.stdout
    assert "has no guid, link, title or text" in done.stdout


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_explain_id_tells_the_history_of_a_post_by_what_once_named_it(tmp_path, assemble, blog):
    pipeline = assemble()
    for path in ("/raft/", "/raft-reads/"):
        blog.put("/index.xml", rss(blog.url, Item(path, "Raft", guid="urn:x:1")))
        pipeline.refresh("blog")
    done, again = (run(tmp_path, "explain-id", name) for name in (f"{blog.url}/raft/", "urn:x:1"))
    assert (done.returncode, done.stdout) == (0, again.stdout)
    assert done.stdout.count("url:") == 2
    assert f"now at      {blog.url}/raft-reads/" in done.stdout
    unknown = run(tmp_path, "explain-id", f"{blog.url}/none/")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "nothing is known" in unknown.stderr


def test_init_takes_the_best_source_and_never_overwrites_without_being_told(tmp_path, blog):
    blog.put("/", html("Blog").replace("<head>", '<head><link rel="alternate" type="application/rss+xml" href="/index.xml">'))
    first = topicfeeds("init", "--yes", f"{blog.url}/", folder=tmp_path)
    assert first.returncode == 0, first.stderr
    written = (tmp_path / "topicfeeds.toml").read_text()
    assert f"{blog.url}/index.xml" in written
    assert load(tmp_path / "topicfeeds.toml", environ={}).sources
    (tmp_path / "topicfeeds.toml").write_text(mine := written + "# mine\n")
    again = topicfeeds("init", "--yes", f"{blog.url}/", folder=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert (tmp_path / "topicfeeds.toml").read_text() == mine


SECRET = "s3cr3t0123456789abcdef0123"
SECRETIVE = {
    "ghost": {"kind": "ghost", "url": "/", "key": SECRET},
    "token": {"url": f"/feed.xml?token={SECRET}"},
    "api-key": {"kind": "json", "url": f"/api?x=1&api_key={SECRET}", "fields": {"posts": "posts"}},
    "wordpress": {"kind": "wordpress", "url": f"/wp-json/?access_token={SECRET}"},
}


def test_no_command_and_no_error_that_is_kept_tells_a_secret(tmp_path, blog):
    sources = [{"id": name, **keys, "url": blog.url + keys["url"]} for name, keys in SECRETIVE.items()]
    config = write_config(tmp_path, blog.url, sources=sources)
    told = [run(tmp_path, "refresh"), run(tmp_path, "sources"), run(tmp_path, "try", "ghost")]
    assert sum(SECRET in request.path for request in blog.requests) == len(SECRETIVE) + 1
    for done in told:
        assert SECRET not in done.stdout + done.stderr
        assert "***" in done.stdout + done.stderr
    errors = [state.error for state in open_store(load(config, environ={}).database_url).sources().values()]
    assert len(errors) == len(SECRETIVE)
    assert all(errors)
    assert not any(SECRET in error for error in errors)


def test_a_mistake_in_an_address_is_told_without_its_password(tmp_path):
    write_config(
        tmp_path, "https://blog.example", sources=[{"id": "blog", "url": f"htps://me:{SECRET}@blog.example/x?token={SECRET}"}]
    )
    done = run(tmp_path, "check")
    assert done.returncode == 2
    assert "sources.0.url" in done.stderr
    assert SECRET not in done.stderr
