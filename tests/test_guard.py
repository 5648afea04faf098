"""The guard: no request reaches an address that the owner did not open, whatever names, notations, redirects or DNS say."""

import socket
from datetime import timedelta

import pytest

from feeds.asking.fetch import Fetcher
from feeds.errors import FetchError
from feeds.operation import Fetching
from tests.fakes import Names, Origin, Page, redirect

OPEN = "127.0.0.2"
"""Stands for a public address: the owner opened it, and nothing else of this machine."""


@pytest.fixture
def names(monkeypatch):
    """A name server that says what a test wants, at the boundary of the process."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


@pytest.fixture
def fetcher(tmp_path):
    return Fetcher(Fetching(timeout=timedelta(seconds=2), allow_networks=(f"{OPEN}/32",)), cache=tmp_path / "cache.sqlite")


def refusal_of(fetcher, url):
    with pytest.raises(FetchError) as caught:
        fetcher.get(url)
    assert caught.value.cause == "refused", caught.value
    return str(caught.value)


# What leads to this machine, or to its neighbours, in every notation that a resolver takes.
NOTATIONS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "0.0.0.0", "0", "localhost",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[::ffff:169.254.169.254]", "2852039166",
    "[fd00:ec2::254]", "[fe80::1]", "[fc00::1]", "224.0.0.1", "255.255.255.255", "198.18.0.1", "192.0.0.192",
]  # fmt: skip


@pytest.mark.parametrize("host", NOTATIONS)
def test_an_address_that_is_not_public_is_refused_before_a_byte_is_sent(origin, fetcher, host):
    port = origin.server_address[1]
    refusal_of(fetcher, f"http://{host}:{port}/secret")
    assert origin.requests == []


@pytest.mark.parametrize("host", NOTATIONS)
def test_so_is_a_redirect_to_it(origin, tmp_path, host):
    """The origin itself is of the configuration, hence open: its host and port, in the notation of the configuration."""
    port = origin.server_address[1] if host != "127.0.0.1" else 1
    fetcher = Fetcher(Fetching(timeout=timedelta(seconds=2)), cache=tmp_path / "cache.sqlite", own=[origin.url])
    origin.pages["/"] = redirect(f"http://{host}:{port}/secret")
    refusal_of(fetcher, f"{origin.url}/")
    assert [request.path for request in origin.requests] == ["/"]


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "http://blog.example@127.0.0.1/"]
)
def test_a_redirect_to_another_scheme_or_with_a_user_name_is_refused(origin, tmp_path, target):
    fetcher = Fetcher(Fetching(timeout=timedelta(seconds=2)), cache=tmp_path / "cache.sqlite", own=[origin.url])
    origin.pages["/"] = redirect(target)
    refusal_of(fetcher, f"{origin.url}/")


@pytest.mark.parametrize("hop", [301, 302, 303, 307, 308])
def test_every_hop_is_vetted(origin, tmp_path, hop):
    fetcher = Fetcher(Fetching(timeout=timedelta(seconds=2)), cache=tmp_path / "cache.sqlite", own=[origin.url])
    origin.pages |= {"/": redirect("/2", hop), "/2": redirect("/3", hop), "/3": redirect("http://[::ffff:10.0.0.1]/", hop)}
    refusal_of(fetcher, f"{origin.url}/")
    assert [request.path for request in origin.requests] == ["/", "/2", "/3"]


# -- names -------------------------------------------------------------------------------------------------------------


def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_vetted(origin, fetcher, names):
    """Rebinding: public while it is looked at, this machine when it is connected to."""
    port = origin.server_address[1]
    names.answers["rebind.example"] = [[OPEN], ["127.0.0.1"]]
    with pytest.raises(FetchError) as caught:
        fetcher.get(f"http://rebind.example:{port}/secret")  # nobody listens at the address that was vetted
    assert caught.value.cause == "connection"
    assert names.asked == ["rebind.example"]
    assert origin.requests == []


def test_a_name_that_moves_between_two_requests_is_vetted_again(fetcher, names, origin):
    port = origin.server_address[1]
    with Origin((OPEN, port)) as public:
        public.put("/index.xml", b"here", connection="close")
        names.answers["rebind.example"] = [[OPEN], ["127.0.0.1"]]
        assert fetcher.get(f"http://rebind.example:{port}/index.xml").document.body == b"here"
        assert "127.0.0.1" in refusal_of(fetcher, f"http://rebind.example:{port}/index.xml")
        assert public.requests[0].headers["Host"] == f"rebind.example:{port}"
    assert origin.requests == []


def test_a_name_that_moves_between_two_hops_is_vetted_again(fetcher, names, origin):
    port = origin.server_address[1]
    with Origin((OPEN, port)) as public:
        public.pages["/index.xml"] = Page(status=302, headers={"Location": "/secret", "Connection": "close"})
        names.answers["rebind.example"] = [[OPEN], ["127.0.0.1"]]
        refusal_of(fetcher, f"http://rebind.example:{port}/index.xml")
    assert origin.requests == []


@pytest.mark.parametrize(
    "private", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1", "fd00:ec2::254", "0.0.0.0"]
)
def test_a_name_for_a_private_address_is_refused_and_said(origin, fetcher, names, private):
    names.answers["inside.example"] = [[private]]
    said = refusal_of(fetcher, f"http://inside.example:{origin.server_address[1]}/")
    assert private in said
    assert "fetch.allow_networks" in said
    assert origin.requests == []


def test_of_several_addresses_only_the_public_are_taken(origin, fetcher, names):
    port = origin.server_address[1]
    with Origin((OPEN, port)) as public:
        public.put("/", b"here")
        names.answers["both.example"] = [["127.0.0.1", OPEN]]
        assert fetcher.get(f"http://both.example:{port}/").document.body == b"here"
    assert origin.requests == []


def test_a_name_of_the_configuration_opens_no_private_address(origin, tmp_path, names):
    """Only a configured address that says by itself that it is local is open: who owns a name decides where it leads."""
    url = f"http://mine.example:{origin.server_address[1]}/"
    names.answers["mine.example"] = [["127.0.0.1"]]
    refusal_of(Fetcher(Fetching(timeout=timedelta(seconds=2)), cache=tmp_path / "cache.sqlite", own=[url]), url)
    assert origin.requests == []
