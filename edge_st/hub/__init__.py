"""Models by name: a folder, an installed one, or a repository on the Hub, of which only what is needed is fetched."""
