"""Whether a model folder gives what the model it was made from gives: by its record, or against the original."""
