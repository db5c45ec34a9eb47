"""Compare a model folder with the original model: by the folder's record, or with the original itself."""
