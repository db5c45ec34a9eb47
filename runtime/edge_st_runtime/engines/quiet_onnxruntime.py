"""ONNX Runtime without its usage data. Whatever imports onnxruntime takes it from here.

From version 1.29 on, onnxruntime sends usage data to its makers, in a thread that also keeps a forked child process
from ending. The environment variable ORT_DISABLE_TELEMETRY, where it is set, has precedence.
"""

from ..machine.process import default_environment

with default_environment("ORT_DISABLE_TELEMETRY", "1"):
    import onnxruntime as onnxruntime
