"""From a model folder to a loaded model: read it, choose a variant for this machine, test it, run it."""
