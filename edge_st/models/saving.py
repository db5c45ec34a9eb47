"""Write a model folder, with the settings that changed since it was loaded, so that it is never half there."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import read_json, read_optional_json, sha256
from edge_st_runtime.model.record import FILE_NAME

Changes = Mapping[str, Mapping[str, Any]]


def save_folder(source: Path, target: Path, changes: Changes, identity: Callable[[], Mapping[str, Any]]) -> None:
    """Copy ``source`` to ``target``, which appears whole; files of an existing ``target`` are replaced one by one.

    ``changes`` are new values for keys of its JSON files. A record then gets their checksums and what ``identity()``
    gives for its keys "fingerprint" and "max_seq_length", and loses golden vectors that the old settings gave.
    Raises OptionError where ``target`` lies inside ``source`` or is a file.
    """
    source, target = source.resolve(), target.resolve()
    if source == target and not changes:
        return
    if source != target and target.is_relative_to(source):
        raise OptionError(f"{target} is inside the model folder {source}; choose another path")
    if target.exists() and not target.is_dir():
        raise OptionError(f"{target} is a file; choose the path of a folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        staged = Path(temporary) / "model"
        shutil.copytree(source, staged)
        for name, values in changes.items():
            _write_json(staged / name, read_optional_json(staged / name) | dict(values))
        if changes and (staged / FILE_NAME).is_file():
            _follow(staged, changes, identity())
        if not target.exists():
            staged.rename(target)
            return
        for path in sorted(staged.rglob("*")):
            place = target / path.relative_to(staged)
            if path.is_dir():
                place.mkdir(exist_ok=True)
            else:
                path.replace(place)


def _follow(folder: Path, changes: Changes, identity: Mapping[str, Any]) -> None:
    """Enter what became of the changed files into the record of ``folder``."""
    content = read_json(folder / FILE_NAME)
    files = {name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in changes}
    golden = content["golden"] if identity["fingerprint"] == content["fingerprint"] else {"texts": [], "vectors": []}
    _write_json(folder / FILE_NAME, {**content, **identity, "files": content["files"] | files, "golden": golden})


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
