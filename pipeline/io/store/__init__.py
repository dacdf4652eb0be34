"""The store: facts, results and snapshots of one data source, and what changed in them."""
