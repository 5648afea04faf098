"""Sets logging up once per process: structlog for us and for libraries, as lines for people on a terminal and JSON elsewhere."""

from __future__ import annotations

import logging
import sys

import structlog

from feeds.redaction import redact_event


def configure(*, level: int = logging.INFO) -> None:
    """One line per event on standard error, from ``level`` on. Calling it again changes only the level."""
    logging.getLogger().setLevel(level)
    if structlog.is_configured():
        return
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[structlog.typing.Processor] = [redact_event, structlog.dev.ConsoleRenderer(colors=True)]
    if not sys.stderr.isatty():
        rendering = [structlog.processors.format_exc_info, redact_event, structlog.processors.JSONRenderer(ensure_ascii=False)]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for noisy in ("apscheduler", "alembic", "requests_cache", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
