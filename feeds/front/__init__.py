"""The side towards readers: their connections, of which those that ask for what is on the shelf are answered right here.

All else is passed on to the application, which a WSGI server runs behind a Unix socket. ``heads`` reads HTTP/1.1, ``hits`` has the
answers, ``clients`` and ``upstream`` are the connections, which are ``streams``; ``relays`` pass on, and ``loop`` waits for all at
once.
"""
