"""PyTorch modules to ONNX and OpenVINO graphs; their optimization and quantization by other libraries."""
