"""From stored posts to bytes in service: which document has which posts, how it is written, what it must satisfy; and as files."""
