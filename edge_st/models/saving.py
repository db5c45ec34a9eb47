"""Write a model folder with the settings that changed since it was loaded, all of it or nothing."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.reading import read_json, read_optional_json, sha256
from edge_st_runtime.files.writing import writing
from edge_st_runtime.model.folder import MODULES_FILE, SETTINGS_FILE
from edge_st_runtime.model.record import FILE_NAME
from edge_st_runtime.model.route import TRANSFORMER
from edge_st_runtime.modules.specs import Pooling

from .runner import Runner

#: by file: new values for keys of a JSON object, or a new JSON list
Changes = Mapping[str, Mapping[str, Any] | list[Any]]
_POOLING_FOLDER = "1_Pooling"
CARD_FILE = "README.md"


def changed_files(runner: Runner, saved: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    """The JSON files of the folder that must change, with the new values of their keys.

    ``saved`` are the model's settings in the folder, ``now`` those of this moment. Limits and pooling are the runner's.
    """
    folder, settings = runner.folder, runner.settings
    changed = {name: value for name, value in now.items() if value != saved[name]}
    limits: dict[str, dict[str, Any]] = {}
    for name, route in folder.routes.items():
        if settings.limits[name] != runner.model.routes[name].limit:
            limits |= route.with_limit(settings.limits[name])
    pooling = {} if settings.include_prompt is None else {"include_prompt": settings.include_prompt}
    found: dict[str, Mapping[str, Any] | list[Any]] = {
        SETTINGS_FILE: changed,
        **limits,
        **dict.fromkeys(folder.pooling_files, pooling),
    }
    if folder.plain and (runner.options.pooling is not None or pooling):
        found |= _pooling_files(runner, pooling)
    return {name: values for name, values in found.items() if values}


def _pooling_files(runner: Runner, settings: Mapping[str, Any]) -> Changes:
    """What names the Pooling of a model whose folder has no modules.json, where its settings are not the assumed ones.

    Nothing for a model that does not pool.
    """
    pools = [module for module in runner.main_pipeline.modules if isinstance(module, Pooling)]
    if not pools:
        return {}
    modes, width = pools[0].modes, runner.main_pipeline.backend.width
    config = {"embedding_dimension": width, "pooling_mode": modes[0] if len(modes) == 1 else list(modes), **settings}
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate([("", TRANSFORMER), (_POOLING_FOLDER, "Pooling")])
    ]
    return {MODULES_FILE: modules, f"{_POOLING_FOLDER}/config.json": config}


def save_folder(
    source: Path,
    path: str | os.PathLike[str],
    changes: Changes,
    identity: Callable[[], Mapping[str, Any]],
    *,
    settings_files: Collection[str] = (),
    card: bool = True,
) -> None:
    """Copy ``source`` to ``path``. A new folder appears whole; in an existing one files are replaced one by one.

    ``changes`` are new values for keys of the JSON files. The record then gets the checksums of these files and of the
    ``settings_files``, which users may have edited, and what ``identity()`` gives for its keys "fingerprint" and
    "max_seq_length". Golden vectors of other settings are removed.
    Without ``card`` a copy elsewhere has no model card, and its record no checksum of it.
    Raises OptionError where ``path`` lies inside ``source`` or is a file, and FolderError where it cannot be written,
    as on a full disk.
    """
    target = _target(path)
    with writing(target):
        _save(source.resolve(), target, changes, identity, settings_files, card=card)


def _target(path: Any) -> Path:
    try:
        if os.fspath(path):
            return Path(path).resolve()
    except (TypeError, ValueError, RuntimeError, OSError) as error:  # RuntimeError: a loop of links
        raise OptionError(f"the path is {path!r} ({error}); expected that of a folder to write") from error
    raise OptionError("the path is empty; expected that of a folder to write")


def _save(
    source: Path,
    target: Path,
    changes: Changes,
    identity: Callable[[], Mapping[str, Any]],
    settings_files: Collection[str],
    *,
    card: bool,
) -> None:
    if source == target and not changes:
        return
    if source != target and target.is_relative_to(source):
        raise OptionError(f"{target} is inside the model folder {source}; choose another path")
    if target.exists() and not target.is_dir():
        raise OptionError(f"{target} is a file; choose the path of a folder")
    with _staging(target) as staged:
        shutil.copytree(source, staged)
        without_card = not card and source != target and (staged / CARD_FILE).is_file()
        if without_card:
            (staged / CARD_FILE).unlink()
        for name, values in changes.items():
            _write_json(
                staged / name, values if isinstance(values, list) else read_optional_json(staged / name) | dict(values)
            )
        if (changes or without_card) and (staged / FILE_NAME).is_file():
            _follow(staged, {*changes, *(name for name in settings_files if (staged / name).is_file())}, identity())
        if not target.exists():
            staged.rename(target)
            return
        for path in sorted(staged.rglob("*")):
            place = target / path.relative_to(staged)
            if path.is_dir():
                place.mkdir(exist_ok=True)
            else:
                path.replace(place)


@contextmanager
def _staging(target: Path) -> Iterator[Path]:
    """A place beside ``target`` for the new folder, which is removed afterwards."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        yield Path(temporary) / "model"


def _follow(folder: Path, changed: Collection[str], identity: Mapping[str, Any]) -> None:
    """Bring the record of ``folder`` up to date after the files ``changed``."""
    content = read_json(folder / FILE_NAME)
    recorded = {
        name: entry for name, entry in content["files"].items() if name != CARD_FILE or (folder / name).exists()
    }
    files = {name: {"sha256": sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in changed}
    golden = content["golden"] if identity["fingerprint"] == content["fingerprint"] else {"texts": [], "vectors": []}
    _write_json(folder / FILE_NAME, {**content, **identity, "files": recorded | files, "golden": golden})


def _write_json(path: Path, content: Mapping[str, Any] | list[Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
