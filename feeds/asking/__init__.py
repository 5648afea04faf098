"""The ways in: how sources are asked, politely, and with every danger bounded."""
