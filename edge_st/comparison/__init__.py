"""Models and variants side by side on the same data: quality, speed, memory and dimension."""
