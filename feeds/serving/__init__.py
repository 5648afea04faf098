"""What is in service, in memory, and the one answer to a request for it; combinations that somebody asks for."""
