"""Where int8 graphs stand in a model folder."""

#: by engine, the one that answers a single text sooner first
INT8_FILES = {"onnx": "onnx/model_int8.onnx", "openvino": "openvino/openvino_model_int8.xml"}
