"""``python -m feeds`` is ``topicfeeds``."""

from feeds.cli import main

main()
