"""The page at `/`: for a person who wants to see what is served and to try it."""
