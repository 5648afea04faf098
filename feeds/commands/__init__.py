"""The groups of commands that have modules of their own, and what every command shares: the configuration it is run with."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from feeds.errors import SettingsError, StoreError
from feeds.settings import CONFIG_VARIABLE, load

UNUSABLE = 2
"""Exit code of a configuration or a call that cannot be used."""


config_option = click.option(
    "--config",
    "-c",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Configuration file. Default: ${CONFIG_VARIABLE}, else ./topicfeeds.toml, else the bundled publication.",
)


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--config`` and hand it the settings; a configuration that is not sound ends it with exit code 2."""

    @config_option
    @wraps(command)
    def wrapped(config: Path | None, **options: Any) -> Any:
        take(config)
        try:
            return command(load(config), **options)
        except (SettingsError, StoreError) as error:
            unusable(error)

    return wrapped


def take(config: Path | None) -> None:
    """Make a configuration file that was named the one of this process and of those that it starts."""
    if config is not None:
        os.environ[CONFIG_VARIABLE] = str(config.absolute())


def unusable(error: Exception) -> NoReturn:
    """End with exit code 2 and the error's own words."""
    click.echo(str(error), err=True)
    sys.exit(UNUSABLE)


def work() -> Any:
    """The commands' work, imported when it is done: ``--help`` and ``web`` need none of what fetches and parses."""
    return import_module("feeds.console.work")
