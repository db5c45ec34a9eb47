"""Search a corpus exactly, or by quantized codes; fuse rankings."""
