"""The best rows of a corpus, exactly or by codes, and the fusion of rankings."""
