"""What this product is for: which posts are in which topic and why, the life of topics, how they combine."""
