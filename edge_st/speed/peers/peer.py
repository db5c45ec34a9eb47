"""What a peer is, and what it is opened with."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Encode = Callable[[Any], Any]


@dataclass(frozen=True)
class Setting:
    """The arguments to open a peer.

    ``task`` chooses the inputs of the function that comes back: "dense" and "sparse" take a text or a list of texts,
    "rerank" takes (query, documents) pairs and gives (document, score) pairs for each, best first. ``folder`` is the
    exported model, ``original`` the folder of the model with its weights. ``graph`` is the graph's file within
    ``folder``. ``threads`` is None where the process' affinity already limits an engine to the right cores; otherwise
    the engine is told the number in its own way. ``name`` is the model's name on the Hub, for peers that know only
    such names. A peer that needs files of its own keeps them below ``made``. ``texts`` are for calibration.
    """

    task: str
    folder: str
    original: str
    graph: str
    threads: int | None
    name: str = ""
    made: str = ""
    texts: tuple[str, ...] = ()

    @property
    def weights(self) -> Path:
        """The folder of the original."""
        return Path(self.original)


@dataclass(frozen=True)
class Peer:
    """A library that runs models.

    ``packages`` are the distributions that it takes, by name on PyPI. ``needs`` is what it reads: "onnx" and "openvino"
    graphs of ``Setting.folder``, or the "weights" of ``Setting.original``. ``make``, where there is one, writes the
    files that it runs into an empty folder, and ``graph`` is the file to run among them.
    """

    packages: tuple[str, ...]
    needs: str
    tasks: frozenset[str]
    open: Callable[[Setting], Encode]
    make: Callable[[Setting, Path], None] | None = None
    graph: str = ""

    @property
    def package(self) -> str:
        """The package that is the peer; it runs with the others."""
        return self.packages[0]

    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [name for name in self.packages if _version(name) is None]

    def versions(self) -> Mapping[str, str]:
        """The versions of the installed packages."""
        return {name: found for name in self.packages if (found := _version(name)) is not None}

    def lacks(self, setting: Setting) -> str | None:
        """Why the peer cannot run this model; None where nothing is missing."""
        if setting.task not in self.tasks:
            return f"runs no model of the kind {setting.task!r}"
        if self.needs == "weights" and not list(setting.weights.glob("*.safetensors")):
            return f"no model.safetensors in {setting.original}; name the folder that has it with --original"
        if self.needs == "openvino" and not list(Path(setting.folder).glob("openvino/*.xml")):
            return f"no openvino/*.xml in {setting.folder}"
        if self.needs == "onnx" and not Path(setting.folder, setting.graph).is_file():
            return f"no {setting.graph} in {setting.folder}"
        return None


def made_folder(label: str, setting: Setting) -> Path:
    """The folder for the files that the peer ``label`` makes for itself."""
    return Path(setting.made, label.replace(" ", "-").replace(",", ""))


def prepare(label: str, peer: Peer, setting: Setting) -> None:
    """Make the peer's own files, if it needs some and they are not there yet."""
    target = made_folder(label, setting)
    if peer.make is None or target.is_dir():
        return
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    peer.make(setting, part)
    part.rename(target)


def opened(label: str, peer: Peer, setting: Setting) -> Encode:
    """Open the peer, with the files that `prepare` has made."""
    if peer.make is not None:
        setting = replace(setting, folder=str(made_folder(label, setting)), graph=peer.graph)
    return peer.open(setting)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
