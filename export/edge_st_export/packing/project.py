"""Write the project folder of a packed model, which pip can install and hatchling can build."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from edge_st.hub.installed import FOLDER
from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import read_optional_json
from edge_st_runtime.model.classes import TASKS
from edge_st_runtime.model.record import FILE_NAME, read_record

from ..folder.atomic import new_folder
from ..folder.layout import CARD
from ..folder.record import keep_graphs
from .licence import licence_of
from .names import PackedName, name_of
from .selection import Selection, select
from .texts import Description

DEFAULT_VERSION = "1.0.0"


@dataclass(frozen=True)
class Plan:
    """What is packed, its name and its version; ``licence`` is a licence expression, or None if none is stated."""

    name: PackedName
    version: str
    selection: Selection
    licence: str | None


def pack_project(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    name: str | None = None,
    version: str = DEFAULT_VERSION,
    graphs: Sequence[str] | None = None,
) -> Path:
    """Write the model ``folder`` as a project, which pip can install, to the new folder ``out``.

    ``name`` is the model's name on the Hub, with or without its owner. By default it is the source in edge_st.json, or
    else the folder's name. With an owner, the installed model is found with and without it. ``version`` is the
    distribution's. ``graphs`` selects from the graphs in edge_st.json; by default all are packed. The packed
    edge_st.json lists only the packed files. Licence files of the folder are packed, too.

    Raises OptionError for an invalid name, version, graph or ``out``, FolderError where a file is missing or does not
    have its recorded checksum. After any exception nothing is written.
    """
    plan, target = make_plan(Path(folder), name, version, graphs), Path(out)
    check_new(target)
    with new_folder(target, force=False) as project:
        write_project(project, plan)
    return target


def check_new(target: Path) -> None:
    """Raise OptionError where ``target`` is there and not an empty folder."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise OptionError(f"{target} exists; choose another folder, or remove it first")


def make_plan(folder: Path, name: str | None, version: str, graphs: Sequence[str] | None) -> Plan:
    """Check all arguments before any work; raises what `pack_project` raises."""
    try:
        release = str(Version(version))
    except InvalidVersion as error:
        raise OptionError(f"the version is {version!r}; expected one as pip reads it, such as 1.0.0") from error
    selection = select(folder, graphs)
    return Plan(name_of(folder, name), release, selection, licence_of(folder / CARD))


def write_project(project: Path, plan: Plan) -> None:
    """Fill the empty folder ``project``; raises DamagedFileError for a file without its recorded checksum."""
    selection, package = plan.selection, project / plan.name.package
    copy_model(selection, package / FOLDER)
    for name in selection.legal:
        shutil.copyfile(selection.model.path / name, project / name)
    description = Description(
        plan.name,
        plan.version,
        selection.model.model_type,
        TASKS[selection.model.model_type],
        plan.licence,
        selection.legal,
        CARD in selection.files,
        read_optional_json(package / FOLDER / FILE_NAME),
    )
    texts = {
        project / "pyproject.toml": description.pyproject(),
        project / "README.md": description.readme(),
        package / "__init__.py": description.docstring(),
    }
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")


def copy_model(selection: Selection, target: Path) -> None:
    """Copy the selected files to the folder ``target``; raises DamagedFileError as `write_project` does."""
    for name in selection.files:
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(selection.model.path / name, copy)
    _check_and_reduce(target, selection)


def _check_and_reduce(model: Path, selection: Selection) -> None:
    """Check the copies against their record, then remove what was not packed from it.

    The model card and licence files are not checked: they may be written after the export.
    """
    record = read_record(model)
    if record is not None:
        record.check_files(sorted({*selection.files} - {FILE_NAME, CARD, *selection.legal}))
        keep_graphs(model, selection.graphs or [graph.file for graph in record.graphs])
