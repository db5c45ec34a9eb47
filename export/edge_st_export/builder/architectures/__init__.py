"""The architectures, one shape a module: how config.json is read, and which nodes are written."""
