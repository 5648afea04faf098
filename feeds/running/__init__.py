"""The processes of the service: what starts, watches, measures and ends them."""
