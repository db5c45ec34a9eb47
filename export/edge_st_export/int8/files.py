"""Where int8 graphs stand in a model folder."""

#: by engine
INT8_FILES = {"openvino": "openvino/openvino_model_int8.xml", "onnx": "onnx/model_int8.onnx"}
