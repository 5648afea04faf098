"""A web server as processes over a store in which there is something, and what can be seen of them."""

import re
import socket
from contextlib import closing
from http.client import HTTPConnection

import psutil

from tests.conftest import COMMAND, find_port, running, sent

COMBINED = "/feeds/distributed-systems,go-concurrency.atom"
HEAD = b"Host: feeds.example\r\nConnection: close\r\n"


def started(config, *, command=(*COMMAND, "web"), **variables):
    port = find_port()
    named = {"TOPICFEEDS_CONFIG": str(config), "TOPICFEEDS_SERVE__PORT": str(port), **variables}
    return running(list(command), config.parent, port=port, **named)


def workers(service):
    """The processes that a web server keeps: as many with connections as with the application."""
    return {child.pid for child in psutil.Process(service.process.pid).children()}


def fronts(service):
    """Those of them that hold connections; the others have the application."""
    started = {int(pid) for pid in re.findall(r'"pid": (\d+), "event": "front.started"', service.output)}
    return workers(service) & started


def workers_left(service):
    return [each for each in service.tree("feeds") if each.pid != service.process.pid and each.status() != "zombie"]


def living(service):
    return [child for child in psutil.Process(service.process.pid).children(recursive=True) if child.status() != "zombie"]


def poll(port, target, over):
    """What comes of requests over one connection."""
    answers = []
    with closing(HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        while not over.is_set():
            answers.append(sent(connection, "GET", target, {})[0])
    return answers


def polling(port):
    """A connection that asks once, and stays open."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    return connection


def answered(connection, *, within=10):
    connection.settimeout(within)
    try:
        return int(connection.recv(4096).split(b" ")[1])
    except TimeoutError:
        return 0
