"""Which texts of which requests are computed together, and when."""
