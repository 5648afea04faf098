"""The application of topicfeeds without its wrapper: every answer comes from a Flask view."""

from app import create_app

app = create_app()
app.wsgi_app = app.wsgi_app._application  # type: ignore[method-assign, attr-defined]
