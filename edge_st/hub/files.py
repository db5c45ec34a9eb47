"""Which files of a model repository the runtime needs: pure functions over a list of names."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from edge_st_runtime.errors import DamagedFileError, MissingFileError
from edge_st_runtime.files import inside, read_json_list
from edge_st_runtime.folder import STATIC, TRANSFORMER
from edge_st_runtime.graphs import Wish, choose_graph
from edge_st_runtime.record import Record

#: the files that decide about the others
HEADS = ("modules.json", "edge_st.json", "config.json")
_CONFIGS = (*HEADS, "config_*.json", "sentence_*_config.json", "tokenizer*.json", "special_tokens_map.json")
_WEIGHTS = "model.safetensors"
_GRAPH_FOLDERS = ("", "onnx", "openvino")


@dataclass(frozen=True)
class ModuleEntry:
    """A row of modules.json: the last part of its class name, and its folder ("" is the root)."""

    kind: str
    path: str

    @property
    def prefix(self) -> str:
        """What the names of this module's files start with."""
        return f"{self.path}/" if self.path else ""


def read_modules(folder: Path) -> list[ModuleEntry]:
    """The rows of ``folder``'s modules.json; where there is none, a Transformer in the root.

    Raises DamagedFileError, and UnsafePathError for a module outside the folder.
    """
    path = folder / "modules.json"
    if not path.is_file():
        return [ModuleEntry(TRANSFORMER, "")]
    rows = read_json_list(path)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise DamagedFileError(f"{path} names no modules; expected a list of objects with path and type")
    entries = [ModuleEntry(str(row.get("type", "")).rpartition(".")[2], str(row.get("path", ""))) for row in rows]
    for entry in entries:
        inside(folder, entry.path)
    return entries


def config_files(names: Collection[str], modules: Sequence[ModuleEntry]) -> list[str]:
    """Configuration and tokenizer, and all of the modules after the first.

    Raises MissingFileError where the first module has no tokenizer.json, or another only weights that are a pickle.
    """
    first, *others = modules
    tokenizer = f"{first.prefix}tokenizer.json"
    if tokenizer not in names:
        raise MissingFileError(
            f"it has no {tokenizer}, the kind of tokenizer that is read here; "
            "make one on a build machine: pip install edge-st-export && edge-st export MODEL FOLDER"
        )
    for module in others:
        if f"{module.prefix}pytorch_model.bin" in names:
            _required(module.prefix + _WEIGHTS, names)
    return sorted(
        name
        for name in names
        if _is_config(name, "") or _is_config(name, first.prefix) or any(_belongs(name, module) for module in others)
    )


def weight_files(
    names: Collection[str], modules: Sequence[ModuleEntry], record: Record | None, wish: Wish
) -> list[str]:
    """The graph that `choose_graph` takes, after the weights it keeps in other files; a static model's table.

    Raises what `choose_graph` raises, and MissingFileError where a file that must be there is not.
    """
    first = modules[0]
    if first.kind == STATIC:
        return [_required(first.prefix + _WEIGHTS, names)]
    own = [name.removeprefix(first.prefix) for name in names if name.startswith(first.prefix)]
    graphs = [name for name in own if name.rpartition("/")[0] in _GRAPH_FOLDERS]
    graph = first.prefix + choose_graph(graphs, record, wish).file
    if graph.endswith(".xml"):
        return [_required(graph.removesuffix(".xml") + ".bin", names), graph]
    return [*sorted(name for name in names if name.startswith((f"{graph}_data", f"{graph}.data"))), graph]


def _required(name: str, names: Collection[str]) -> str:
    if name not in names:
        raise MissingFileError(
            f"it has no {name}, the weights in a form that is read here; "
            "make it on a build machine: pip install edge-st-export && edge-st export MODEL FOLDER"
        )
    return name


def _is_config(name: str, prefix: str) -> bool:
    rest = name.removeprefix(prefix)
    in_folder = name.startswith(prefix) and "/" not in rest
    return in_folder and any(fnmatchcase(rest, pattern) for pattern in _CONFIGS)


def _belongs(name: str, module: ModuleEntry) -> bool:
    in_folder = bool(module.path) and name.startswith(module.prefix)
    return in_folder and (name.endswith(".json") or name.rpartition("/")[2] == _WEIGHTS)
