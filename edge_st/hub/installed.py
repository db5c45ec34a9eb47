"""Models that installed distributions bring, found through the entry-point group ``edge_st.models``.

An entry point's name is a name of the model. Its value is an import package, whose folder ``model`` is the model
folder. The package is located, never imported. `edge-st pack wheel` of edge-st-export makes such distributions.
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
        """The command that installs the distribution again."""
        return f"pip install --force-reinstall --no-deps {self.distribution}"

    def folder(self) -> Path:
        """The model folder.

        Raises DamagedFileError where the entry point's value is not a top-level package, MissingFileError where the
        package or the folder in it is missing.
        """
        claim = f"{self.owner} is installed as the model {self.name!r}"
        if not self.package.isidentifier():
            raise DamagedFileError(
                f"{claim}, but names {self.package!r}; expected a top-level package: pack it again with edge-st pack "
                f"wheel, or: pip uninstall {self.distribution}"
            )
        spec = find_spec(self.package)  # imports nothing for a top-level package
        places = list(spec.submodule_search_locations or ()) if spec else []
        if not places:
            raise MissingFileError(f"{claim}, but its package {self.package} is not there; {self.reinstall}")
        folder = Path(places[0], FOLDER)
        if not folder.is_dir():
            raise MissingFileError(f"{claim}, but {folder} is no folder on disk; {self.reinstall}")
        return folder


def find_installed(name: str, revision: str | None = None) -> Path | None:
    """The folder of the installed model ``name``; None where it is not installed in this ``revision``.

    The revision of an installed model is that of its source in edge_st.json; None takes any. Raises FolderError where
    several distributions bring the name, and what `InstalledModel.folder` raises.
    """
    from importlib.metadata import entry_points

    found = list(dict.fromkeys(map(_model, entry_points(group=GROUP, name=name))))
    if not found:
        return None
    if len(found) > 1:
        raise FolderError(
            f"the model {name!r} is in the packages {' and '.join(model.owner for model in found)}; keep one: "
            f"pip uninstall {found[-1].distribution}"
        )
    folder = found[0].folder()
    return folder if revision in (None, _revision(folder)) else None


def installed_models() -> list[InstalledModel]:
    """Every name of every installed model, sorted. The model folders are not looked at."""
    from importlib.metadata import entry_points

    return sorted(dict.fromkeys(map(_model, entry_points(group=GROUP))), key=lambda model: (model.name, model.owner))


def clashes(models: Iterable[InstalledModel]) -> list[tuple[InstalledModel, InstalledModel]]:
    """Models with the same name, as pairs of the first and another. Such a name cannot be loaded."""
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
