"""Models that an installed distribution brings, found by name through the entry-point group ``edge_st.models``.

An entry point's name is a name of the model, its value an import package that holds the model in its folder ``model``.
The package is located, never imported. `edge-st pack wheel` of edge-st-export makes such distributions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_st_runtime.errors import DamagedFileError, FolderError, MissingFileError
from edge_st_runtime.files.reading import read_optional_json, reading
from edge_st_runtime.model.record import FILE_NAME

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "edge_st.models"
FOLDER = "model"


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """One name of a model, the import ``package`` that holds it, and the distribution that brought both."""

    name: str
    package: str
    distribution: str
    version: str

    @property
    def owner(self) -> str:
        """The distribution and its version."""
        return f"{self.distribution} {self.version}"

    @property
    def reinstall(self) -> str:
        """The command that mends it."""
        return f"pip install --force-reinstall --no-deps {self.distribution}"

    def folder(self) -> Path:
        """The model folder.

        Raises DamagedFileError where the entry point names no package of its own, MissingFileError where the package
        or the folder in it is not there.
        """
        claim = f"{self.owner} is installed as the model {self.name!r}"
        if not self.package.isidentifier():
            raise DamagedFileError(
                f"{claim}, but names {self.package!r}; expected a top-level package: pack it again with edge-st pack "
                f"wheel, or: pip uninstall {self.distribution}"
            )
        spec = find_spec(self.package)  # of a top-level package, so nothing is imported
        places = list(spec.submodule_search_locations or ()) if spec else []
        if not places:
            raise MissingFileError(f"{claim}, but its package {self.package} is not there; {self.reinstall}")
        folder = Path(places[0], FOLDER)
        if not folder.is_dir():
            raise MissingFileError(f"{claim}, but {folder} is no folder on disk; {self.reinstall}")
        return folder


def find_installed(name: str, revision: str | None = None) -> Path | None:
    """The folder of the installed model ``name``, or None where there is none of that ``revision``.

    The revision of an installed model is the one that its edge_st.json names as its source's; None takes any.
    Raises FolderError where several distributions bring the name, and what `InstalledModel.folder` raises.
    """
    from importlib.metadata import entry_points

    found = list(dict.fromkeys(map(_model, entry_points(group=GROUP, name=name))))
    if not found:
        return None
    if len(found) > 1:
        raise FolderError(
            f"the model {name!r} is brought by {' and by '.join(model.owner for model in found)}; keep one: "
            f"pip uninstall {found[-1].distribution}"
        )
    folder = found[0].folder()
    return folder if revision in (None, _revision(folder)) else None


def installed_models() -> list[InstalledModel]:
    """Every name of every installed model, sorted; none is looked at."""
    from importlib.metadata import entry_points

    return sorted(dict.fromkeys(map(_model, entry_points(group=GROUP))), key=lambda model: (model.name, model.owner))


def clashes(models: Iterable[InstalledModel]) -> list[tuple[InstalledModel, InstalledModel]]:
    """Of several models of one name, the first with each other; that name cannot be loaded."""
    first: dict[str, InstalledModel] = {}
    return [(kept, model) for model in models if (kept := first.setdefault(model.name, model)) is not model]


def _model(point: "EntryPoint") -> InstalledModel:
    distribution, version = (point.dist.name, point.dist.version) if point.dist else (point.value, "")
    return InstalledModel(point.name, point.value, distribution, version)


def _revision(folder: Path) -> str | None:
    path = folder / FILE_NAME
    with reading(path):
        revision: str | None = read_optional_json(path).get("source", {}).get("revision")
        return revision
