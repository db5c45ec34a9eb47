"""Find models by name: a folder, an installed model, or a repository on the Hub."""
