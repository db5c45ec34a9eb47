"""Operations on finished embeddings: normalize, quantize, compare."""
