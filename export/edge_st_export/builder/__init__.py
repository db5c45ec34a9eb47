"""Write the ONNX graph of a BERT-like encoder straight from its safetensors, with NumPy and onnx only."""
