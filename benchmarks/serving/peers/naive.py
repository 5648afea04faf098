"""A Flask view that makes the feed with feedgen at every request."""

import json
import os
from datetime import datetime

from feedgen.feed import FeedGenerator
from flask import Flask, Response, make_response, request

app = Flask(__name__)
with open(os.environ["ENTRIES"], encoding="utf-8") as file:
    entries = json.load(file)


def made(count: int) -> Response:
    generator = FeedGenerator()
    generator.id("https://blog.example/")
    generator.title("Blog")
    generator.link(href="https://blog.example/")
    generator.updated(datetime.fromisoformat(entries[0]["day"]))
    for entry in entries[:count]:
        added = generator.add_entry(order="append")
        added.id(entry["url"])
        added.title(entry["title"])
        added.link(href=entry["url"])
        added.content(entry["text"], type="html")
        added.updated(datetime.fromisoformat(entry["day"]))
    response = make_response(generator.atom_str())
    response.mimetype = "application/atom+xml"
    response.add_etag()
    return response


@app.get("/feeds/<int:count>.atom")
def feed(count: int) -> Response:
    return made(count).make_conditional(request)
