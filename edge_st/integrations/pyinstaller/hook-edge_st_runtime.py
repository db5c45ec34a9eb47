"""What PyInstaller takes along with edge_st_runtime: all its modules, and OpenVINO's libraries."""

from importlib.util import find_spec

from PyInstaller.utils.hooks import collect_dynamic_libs, collect_submodules

hiddenimports = collect_submodules("edge_st_runtime")  # engines are imported by name
excludedimports = ["scipy"]  # see hook-edge_st.py

_libraries = ["*.dll", "lib*.dylib", "lib*.so*"]  # OpenVINO opens its plugins and readers by name
binaries = collect_dynamic_libs("openvino", search_patterns=_libraries) if find_spec("openvino") else []
