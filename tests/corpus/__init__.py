"""Runs the readers over real files kept outside of this repository, a module for each kind of file, and counts what was met."""
