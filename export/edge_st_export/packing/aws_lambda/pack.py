"""Pack a model, edge-st and what they need for AWS Lambda."""

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

import edge_st
import edge_st_runtime
from edge_st.hub.resolve import resolve
from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.folder import ModelFolder, read_folder
from edge_st_runtime.model.variants import Choice, Criteria, choose_graph

from ...folder.atomic import new_folder
from ..names import name_of
from ..project import check_new, copy_model
from ..selection import Selection, select
from .archives import write_zip
from .byte_code import compile_modules, find_python
from .platforms import FEATURES, Platform
from .sizes import check_limit, sizes_of
from .texts import DOCKERFILE, MODELS, OPT, PACKAGES, Function
from .trimming import trim
from .wheels import install, needed

DEFAULT_HANDLER = "lambda_function.lambda_handler"
LAYER, FUNCTION = "layer.zip", "function.zip"
_HANDLER = re.compile(r"[A-Za-z_]\w*\.[A-Za-z_]\w*", re.ASCII)
_ENDINGS = {".onnx": "onnx", ".xml": "openvino"}
_NOT_COPIED = ("__pycache__", "bundled")


@dataclass(frozen=True)
class Packed:
    """What was written: the unpacked bytes of each part, and whether the modules have byte code."""

    path: Path
    sizes: Mapping[str, int]
    has_byte_code: bool


def pack_lambda(
    model: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    arch: str = "x86_64",
    python: str = "3.13",
    handler: str = DEFAULT_HANDLER,
    graphs: Sequence[str] | None = None,
    container: bool = False,
) -> Packed:
    """Write ``layer.zip`` and ``function.zip`` to the folder ``out``; with ``container`` what an image is built from.

    ``model`` is a folder, an installed model or a name on the Hub. By default the graph is packed that would run on
    such a machine; ``graphs`` names others. ``handler`` is Lambda's setting of this name, "module.function".
    Dependencies come as wheels for ``arch`` and ``python``, without what never runs there.

    Raises OptionError for an argument that cannot be used and for an ``out`` that is there, ExportError where a package
    has no wheel for the platform and where Lambda's limit is exceeded, and what `select` raises. After any exception
    nothing is written.
    """
    platform, target = Platform(arch, python), Path(out)
    if not _HANDLER.fullmatch(handler):
        raise OptionError(f"the handler is {handler!r}; expected a module and a function, such as {DEFAULT_HANDLER}")
    folder = resolve(model)
    selection = select(folder, graphs if graphs is not None else _default_graphs(read_folder(folder), platform))
    check_new(target)
    name = name_of(folder, None).short
    function = Function(handler, f"{OPT}/{MODELS}/{name}", _dtype(selection))
    with new_folder(target, force=False) as made, tempfile.TemporaryDirectory(dir=made) as temporary:
        layer = made if container else Path(temporary)
        has_byte_code = _fill(layer / PACKAGES, selection, platform)
        copy_model(selection, layer / MODELS / name)
        source = made / function.file
        source.write_text(function.source(), encoding="utf-8", newline="\n")
        sizes = sizes_of(layer, source)
        if container:
            (made / DOCKERFILE).write_text(function.dockerfile(platform), encoding="utf-8", newline="\n")
        else:
            check_limit(sizes, selection.model.record, frozenset(selection.graphs), _again(model, out, platform))
            _write_zips(made, layer, source)
    return Packed(target, sizes, has_byte_code)


def _fill(packages: Path, selection: Selection, platform: Platform) -> bool:
    """Write edge-st and what it needs to the folder ``packages``; return whether there is byte code."""
    extras = {_ENDINGS[Path(graph).suffix] for graph in selection.graphs}
    if any(route.messages is not None for route in selection.model.routes.values()):
        extras.add("chat")
    install(needed(sorted(extras)), platform, packages)
    trim(packages)
    for module in (edge_st, edge_st_runtime):
        source = Path(str(module.__file__)).parent
        shutil.copytree(source, packages / source.name, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    _copy_licence(packages)
    python = find_python(platform.python)
    if python is not None:
        compile_modules(packages, python, f"{OPT}/{PACKAGES}")
    return python is not None


def _copy_licence(packages: Path) -> None:
    own = distribution("edge-st")
    for name in ("METADATA", "licenses/LICENSE"):
        copy = packages / f"edge_st-{own.version}.dist-info" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(own.read_text(name) or "", encoding="utf-8", newline="\n")


def _write_zips(made: Path, layer: Path, source: Path) -> None:
    write_zip(made / LAYER, layer)
    with tempfile.TemporaryDirectory(dir=made) as alone:
        source.rename(Path(alone, source.name))
        write_zip(made / FUNCTION, Path(alone))


def _default_graphs(model: ModelFolder, platform: Platform) -> list[str] | None:
    """The graph of each route that the runtime would choose on ``platform``, with ONNX Runtime where there is one.

    None leaves the refusal of models without a record to `select`.
    """
    if model.record is None:
        return None
    chosen = [_choice(model, route.graph_names(), platform) for route in model.routes.values() if route.needs_graph]
    return list(dict.fromkeys(choice.file for choice in chosen))


def _choice(model: ModelFolder, names: Sequence[str], platform: Platform) -> Choice:
    assert model.record is not None
    recorded = {entry.engine for entry in model.record.graphs}
    engines = ["onnx"] if "onnx" in recorded else ["openvino"]
    return choose_graph(names, model.record, Criteria(engines=engines, features=FEATURES[platform.arch]))


def _dtype(selection: Selection) -> str | None:
    """What the graphs compute in, if that is one dtype."""
    record = selection.model.record
    found = {entry.dtype for entry in record.graphs if entry.file in selection.graphs} if record is not None else set()
    return found.pop() if len(found) == 1 else None


def _again(model: str | os.PathLike[str], out: str | os.PathLike[str], platform: Platform) -> str:
    words = ["edge-st", "pack", "lambda", os.fspath(model), os.fspath(out)]
    return shlex.join([*words, "--arch", platform.arch, "--python", platform.python, "--container"])
