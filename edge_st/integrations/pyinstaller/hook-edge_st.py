"""What PyInstaller takes along with edge_st: all its modules and data, and every installed model."""

from PyInstaller.utils.hooks import collect_data_files, collect_submodules, copy_metadata

from edge_st.hub.installed import installed_models

_models = installed_models()
_packages = {model.package for model in _models}
_distributions = {model.distribution for model in _models}

# An integration is imported by the program itself, which PyInstaller sees.
hiddenimports = collect_submodules("edge_st", filter=lambda name: not name.startswith("edge_st.integrations"))
hiddenimports += _packages  # a model is found by its package, see edge_st/hub/installed.py
datas = [entry for package in ("edge_st", *_packages) for entry in collect_data_files(package)]
datas += [entry for name in ("edge-st", *_distributions) for entry in copy_metadata(name)]

# Packages that one function of edge_st imports, and for which a program must ask: --hidden-import NAME.
excludedimports = [
    "huggingface_hub",  # downloads
    "faiss",
    "usearch",
    "datasets",
    "matplotlib",
    "torch",
    "candding",  # this one and those below are raced by `edge-st bench --peers`
    "ctranslate2",
    "fastembed",
    "fastretrieval",
    "gguf",
    "llama_cpp",
    "optimum",
    "safetensors",
    "sentence_transformers",
]
