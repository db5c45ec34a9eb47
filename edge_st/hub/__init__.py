"""Models by name: a folder, or a repository on the Hub, of which only what the runtime needs is downloaded."""
