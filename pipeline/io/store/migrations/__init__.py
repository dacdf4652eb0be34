"""Steps from each older schema of the store to the next one, as Alembic runs them."""
