"""Models compared on the same data: quality, speed, memory and dimension."""
