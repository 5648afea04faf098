"""Remembers everything: sources and their due times, posts and the ledger of their ids, memberships, and the bytes in service.

``Store`` reads, ``Transaction`` writes, on SQLite and PostgreSQL alike; ``migrate`` brings the tables into shape. The package
decides nothing about posts, and knows nothing of fetching, formats or HTTP.
"""

from feeds.store.entries import Archive, ArchiveFile, ArchiveName, Candidate, Entries, Member
from feeds.store.reading import Store, open_store
from feeds.store.revisions import Revision
from feeds.store.rows import Publication, SourceState, TopicCount, TopicRow, TopicState
from feeds.store.writing import Transaction

__all__ = [
    "Archive", "ArchiveFile", "ArchiveName", "Candidate", "Entries", "Member", "Publication", "Revision", "SourceState", "Store",
    "TopicCount", "TopicRow", "TopicState", "Transaction", "open_store",
]  # fmt: skip
