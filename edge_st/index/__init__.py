"""A corpus that lasts on disk."""
