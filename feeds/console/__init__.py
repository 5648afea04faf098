"""What is done and told at a terminal, once a command knows its configuration: setting up, trying, reporting."""
