"""What happens at a refresh, from a document that was read to posts that are stored: when, who is who, in which order."""
