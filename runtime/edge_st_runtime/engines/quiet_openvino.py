"""OpenVINO without its usage data. Whatever imports openvino, or a package that does, imports this before.

When it is imported, and when it converts a model, openvino writes an identifier below the home folder, forks, and sends
events to its makers, by the package openvino_telemetry. It does without where that package cannot be imported.
"""

import sys
from typing import Any, cast

if "openvino" not in sys.modules:
    cast("dict[str, Any]", sys.modules)["openvino_telemetry"] = None  # now its import raises ModuleNotFoundError

import openvino as openvino
