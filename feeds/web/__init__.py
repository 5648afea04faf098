"""The web, by audience: ``readers`` (feeds), ``people`` (pages), ``machines`` (health, metrics, directory for the site).

``serving`` answers what is on the shelf before Flask is entered; the views here answer the same way for every other server.
Nothing in this package imports what fetches, parses or renders.
"""
