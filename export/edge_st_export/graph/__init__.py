"""From PyTorch modules to ONNX and OpenVINO graphs."""
