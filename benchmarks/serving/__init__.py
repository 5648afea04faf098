"""Feeds over HTTP against the peers that people would otherwise use: the same entries, one machine, one run, in turns."""
