"""Write the ONNX graph of a transformer straight from its safetensors, with NumPy and onnx only."""
