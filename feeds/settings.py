"""Reads the configuration once: one TOML file, overridden by ``TOPICFEEDS_…`` environment variables, validated as a whole.

Every mistake is reported together with its key path; what comes out is frozen and passed down. Nothing below the drivers
reads the environment.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from pydantic import ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from feeds.configuration import Compression, Override, Site, Source, Table, Topic
from feeds.errors import Problem, SettingsError
from feeds.model import ALL
from feeds.operation import Fetching, Purging, Serving
from feeds.slugs import with_slugs
from feeds.sources import KINDS
from feeds.sources.requirements import mistakes
from feeds.topics import lifecycle
from feeds.topics.exceptions import mistakes as exceptions

PREFIX = "TOPICFEEDS_"
CONFIG_VARIABLE = "TOPICFEEDS_CONFIG"
DEFAULT_NAME = "topicfeeds.toml"


class Settings(BaseSettings):
    """The whole configuration. ``data`` is where the service keeps its files; ``database`` an SQLAlchemy URL."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, env_nested_delimiter="__", nested_model_default_partial_update=True
    )

    site: Site
    sources: tuple[Source, ...] = ()
    topics: tuple[Topic, ...] = ()
    overrides: tuple[Override, ...] = ()
    fetch: Fetching = Fetching()
    serve: Serving = Serving()
    compression: Compression = Compression()
    purge: Purging = Purging()
    data: Path = Path("var")
    database: str = ""

    @property
    def database_url(self) -> str:
        """The store's URL; without one of the owner's, an SQLite file in ``data``."""
        return self.database or f"sqlite:///{self.data / 'topicfeeds.db'}"

    @model_validator(mode="wrap")
    @classmethod
    def _report_all(cls, data: Any, validate: ModelWrapValidatorHandler[Settings]) -> Settings:
        """Join what is wrong within tables with what is wrong between them, so that one run reports it all."""
        data, unnamed = with_slugs(data)
        problems = [*unnamed, *_between_tables(data)]
        try:
            settings = validate(data)
        except ValidationError as error:
            problems += _within_tables(error)
        if problems:
            raise _UnsoundError(tuple(replace(problem, name=_name_at(problem.where, data)) for problem in problems))
        return settings


class _UnsoundError(Exception):
    """Carries problems out of the validation, past pydantic's own error handling."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems


def load(path: Path | str | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read and validate the configuration.

    Without ``path``, the file named by ``TOPICFEEDS_CONFIG``, else ``./topicfeeds.toml``, else the bundled default
    publication. Raises SettingsError with every mistake found.
    """
    file = locate(path, environ=environ)
    tables = _with_overrides(_read_toml(file), file)
    variables = _read_secrets(environ)
    try:
        return _in_rhythm(_settings_of(tables, variables))
    except _UnsoundError as unsound:
        raise SettingsError(str(file), unsound.problems) from None
    except SourceError as error:
        name = PREFIX + str(error).partition('field "')[2].partition('"')[0].upper()
        raise SettingsError("environment", (Problem(name, "must be JSON, as the table in the file would be"),)) from None


def _in_rhythm(settings: Settings) -> Settings:
    """With ``site.max_age`` from how often the most eager source is looked at, unless the owner gives one.

    A sixth of that time: caches add little to the delay with which a post is noticed anyway.
    """
    site = settings.site
    if "max_age" in site.model_fields_set or not settings.sources:
        return settings
    age = min(source.every for source in settings.sources) / 6
    age = max(site.max_age_min, min(site.max_age_max, age))
    return settings.model_copy(update={"site": site.model_copy(update={"max_age": age})})


def locate(path: Path | str | None = None, *, environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration file that ``load`` would read."""
    if named := path or environ.get(CONFIG_VARIABLE):
        return Path(named)
    local = Path(DEFAULT_NAME)
    return local if local.exists() else bundled() / DEFAULT_NAME


def bundled() -> Path:
    """The folder of the bundled configuration: beside the package in a checkout, inside it once installed."""
    package = Path(__file__).resolve().parent
    installed = package / "config"
    return installed if installed.is_dir() else package.parent / "config"


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problem = Problem("file", f"cannot be read: {error.strerror or error}; name another with --config")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = Problem("file", f"is not valid TOML: {error}")
    raise SettingsError(str(file), (problem,))


def _with_overrides(tables: dict[str, Any], file: Path) -> dict[str, Any]:
    """The tables with the overrides of the file beside them, ``topicfeeds.overrides.toml`` for ``topicfeeds.toml``."""
    beside = file.with_name(f"{file.stem}.overrides.toml")
    if not beside.exists():
        return tables
    more = _read_toml(beside)
    problems = tuple(
        Problem(key, f"has no place in {beside.name}, which holds overrides only") for key in sorted(more) if key != "overrides"
    )
    if problems:
        raise SettingsError(str(beside), problems)
    return tables | {"overrides": [*tables.get("overrides", ()), *more.get("overrides", ())]}


def _read_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with ``TOPICFEEDS_X_FILE=path`` replaced by ``TOPICFEEDS_X=contents of path``."""
    variables = {name.upper(): value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    variables.pop(CONFIG_VARIABLE, None)
    problems = []
    for name in [name for name in variables if name.endswith("_FILE")]:
        file = variables.pop(name)
        try:
            variables[name.removesuffix("_FILE")] = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem(name, f"{file} cannot be read: {error}"))
    known = {PREFIX + key.upper() for key in Settings.model_fields}
    problems += [
        Problem(name, "is no setting" + _suggestion(name.split("__")[0], sorted(known)))
        for name in variables
        if name.split("__")[0] not in known
    ]
    if problems:
        raise SettingsError("environment", tuple(problems))
    return variables


def _settings_of(tables: Mapping[str, Any], variables: Mapping[str, str]) -> Settings:
    """Validate TOML tables under environment variables, the latter winning key by key."""

    class FromTables(PydanticBaseSettingsSource):
        def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
            return tables.get(field_name), field_name, False

        def __call__(self) -> dict[str, Any]:
            return dict(tables)

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            env_settings.env_vars = {name.lower(): value for name, value in variables.items()}  # type: ignore[attr-defined]
            return env_settings, FromTables(settings_cls)

    return Loaded()


def _between_tables(data: Mapping[str, Any]) -> Iterator[Problem]:
    """What no single table can know: values that must differ, and names that must exist."""
    sources, topics = _tables(data.get("sources")), _tables(data.get("topics"))
    yield from _repeated("sources", "id", sources)
    yield from _repeated("topics", "slug", topics)
    yield from lifecycle.mistakes(topics)
    for n, topic in topics:
        if topic.get("slug") == ALL:
            yield Problem(f"topics.{n}.slug", f"'{ALL}' is the built-in topic of every post; choose another slug")
    yield from exceptions(_tables(data.get("overrides")))
    yield from _unknown_topics(_tables(data.get("overrides")), sorted(str(topic.get("slug")) for _, topic in topics))
    for n, source in sources:
        kind = source.get("kind", "feed")
        if isinstance(kind, str) and kind not in KINDS:
            hint = _suggestion(str(kind), sorted(KINDS))
            yield Problem(f"sources.{n}.kind", f"'{kind}' is no source kind{hint}; allowed: {', '.join(sorted(KINDS))}")
            continue
        yield from (Problem(f"sources.{n}.{key}", message) for key, message in mistakes(kind, source))


def _unknown_topics(overrides: list[tuple[int, Mapping[str, Any]]], known: list[str]) -> Iterator[Problem]:
    for n, override in overrides:
        for key in ("topics", "add", "remove"):
            named = override.get(key)
            for slug in named if isinstance(named, list) else ():
                if str(slug) not in known:
                    yield Problem(f"overrides.{n}.{key}", f"'{slug}' is no topic{_suggestion(str(slug), known)}")


def _tables(value: Any) -> list[tuple[int, Mapping[str, Any]]]:
    return [(n, item) for n, item in enumerate(value) if isinstance(item, Mapping)] if isinstance(value, list) else []


def _repeated(table: str, key: str, tables: list[tuple[int, Mapping[str, Any]]]) -> Iterator[Problem]:
    first: dict[Any, int] = {}
    for n, item in tables:
        if (value := item.get(key)) is None:
            continue
        if str(value) in first:
            yield Problem(f"{table}.{n}.{key}", f"'{value}' is already the {key} of {table}.{first[str(value)]}")
        first.setdefault(str(value), n)


def _within_tables(error: ValidationError) -> Iterator[Problem]:
    for detail in error.errors():
        yield Problem(_key_path(detail), _message(detail))


def _key_path(detail: ErrorDetails) -> str:
    return ".".join(str(part) for part in detail["loc"]) or "file"


def _message(detail: ErrorDetails) -> str:
    kind, message = detail["type"], detail["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        allowed = sorted(_table_at(detail["loc"][:-1]).model_fields)
        return f"is no key{_suggestion(str(detail['loc'][-1]), allowed)}; allowed: {', '.join(allowed)}"
    if kind in ("tuple_type", "list_type"):
        return "must be a list"
    given = detail.get("input")
    return f"{message[0].lower()}{message[1:]}" + (f" (is {given!r})" if isinstance(given, str | int | float) else "")


def _name_at(where: str, data: Mapping[str, Any]) -> str:
    """What the owner calls the table of a list that a key path leads into: a topic's slug, a source's id, an override's post."""
    table, _, rest = where.partition(".")
    found = dict(_tables(data.get(table))).get(int(number)) if (number := rest.partition(".")[0]).isdigit() else None
    return next((found[key] for key in ("slug", "id", "post") if isinstance(found.get(key), str)), "") if found else ""


def _table_at(loc: tuple[int | str, ...]) -> type[Table | Settings]:
    """The model that describes the table at a key path."""
    model: type[Any] = Settings
    for part in loc:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return model


def _model_in(annotation: Any) -> type[Any]:
    for argument in get_args(annotation):
        if isinstance(argument, type) and issubclass(argument, Table):
            return argument
    return annotation  # type: ignore[no-any-return]  # a table itself


def _suggestion(given: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(given, allowed, n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""
