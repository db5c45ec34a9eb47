"""Copy a model folder so that it is never half there."""

import shutil
import tempfile
from pathlib import Path

from edge_st_runtime.errors import OptionError


def copy_folder(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target``, which appears whole; files of an existing ``target`` are replaced one by one.

    Raises OptionError where ``target`` lies inside ``source``.
    """
    source, target = source.resolve(), target.resolve()
    if source == target:
        return
    if target.is_relative_to(source):
        raise OptionError(f"{target} is inside the model folder {source}; choose another path")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        staged = Path(temporary) / "model"
        shutil.copytree(source, staged)
        if not target.exists():
            staged.rename(target)
            return
        for path in sorted(staged.rglob("*")):
            place = target / path.relative_to(staged)
            if path.is_dir():
                place.mkdir(exist_ok=True)
            else:
                path.replace(place)
