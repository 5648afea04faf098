"""topicfeeds: one mixed stream of posts in, a feed per topic out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("topicfeeds")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
