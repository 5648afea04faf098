"""The same view, with its response kept by Flask-Caching."""

from flask import Response, request
from flask_caching import Cache
from naive import app, made

cache = Cache(app, config={"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 3600})


@app.get("/cached/<int:count>.atom")
def cached(count: int) -> Response:
    return kept(count).make_conditional(request)


@cache.memoize()
def kept(count: int) -> Response:
    return made(count)
