"""The result of ``edge-st tune``: the fastest way to run a model folder on this machine."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..engines.backend import engine_version, installed_engines
from ..errors import OptionError
from ..machine.cpu import cpu_features, cpu_name
from ..machine.gpu import gpu_names
from ..machine.local_cache import cache_folder, digest, forget, keep, recall
from ..machine.threads import available_cores
from .record import Record

_KIND = "tuning"
#: by the names of `_identity`
_OTHERS = {
    "cpu": "another CPU",
    "cpu_features": "another CPU",
    "cores": "another number of cores",
    "gpus": "another GPU",
    "engine_version": "another version of the engine",
    "graph": "another graph",
}
_NOT_KEPT = "the tuning cannot be saved ({}); set XDG_CACHE_HOME to a folder that can be written to"


@dataclass(frozen=True)
class Tuning:
    """The fastest variant, the settings that it runs fastest with, and the day it was measured (YYYY-MM-DD)."""

    engine: str
    file: str
    dtype: str
    num_threads: int
    token_budget: int
    date: str


@dataclass(frozen=True)
class KeptTuning:
    """A saved tuning, and what is not as it was when it was measured, such as "another CPU"; None where all is."""

    tuning: Tuning
    differs: str | None


def read_tuning(record: Record, dtype: str, device: str | None = None) -> KeptTuning | None:
    """The tuning for the record's folder, opened with the argument ``dtype`` on ``device``; None where there is none.

    ``device`` None is the CPU.
    """
    kept = recall(_KIND, _key(record.path.parent, dtype, device)) or {}
    tuning, then = _parse(kept.get("tuning")), kept.get("measured_on")
    if tuning is None or not isinstance(then, dict):
        return None
    if tuning.engine not in installed_engines():
        return KeptTuning(tuning, f"{tuning.engine}, which is not installed")
    now = _identity(record, tuning, device)
    return KeptTuning(tuning, next((_OTHERS[name] for name in now if now[name] != then.get(name)), None))


def keep_tuning(record: Record, dtype: str, tuning: Tuning, device: str | None = None) -> Path:
    """Save ``tuning`` for this machine and return the file. Raises OptionError where it cannot be written."""
    content = {"folder": str(record.path.parent), "asked": dtype, "device": device, "tuning": asdict(tuning)}
    measured_on = _identity(record, tuning, device)
    kept = keep(_KIND, _key(record.path.parent, dtype, device), {**content, "measured_on": measured_on})
    if kept is None:
        raise OptionError(_NOT_KEPT.format(f"nothing could be written to {cache_folder(_KIND)}"))
    return kept


def check_keepable() -> None:
    """Raise OptionError where this user cannot save a tuning."""
    try:
        folder = cache_folder(_KIND)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise OptionError(_NOT_KEPT.format(error)) from error
    if not os.access(folder, os.W_OK):
        raise OptionError(_NOT_KEPT.format(f"{folder} cannot be written to"))


def forget_tuning(folder: Path, dtype: str, device: str | None = None) -> bool:
    """Remove the tuning for ``folder``; return whether there was one."""
    return forget(_KIND, _key(folder, dtype, device))


def _key(folder: Path, dtype: str, device: str | None) -> str:
    return digest(str(folder.resolve()), dtype, *(() if device is None else (device,)))


def _identity(record: Record, tuning: Tuning, device: str | None) -> dict[str, Any]:
    """What must be the same for the tuning to hold."""
    graphs = [name for name in record.files if f"/{name}".endswith(f"/{tuning.file}")]
    files = sorted({name for graph in graphs for name in record.graph_files(graph)})
    return {
        "cpu": cpu_name(),
        "cpu_features": sorted(cpu_features()),
        "cores": available_cores(),
        **({} if device is None else {"gpus": gpu_names()}),
        "engine_version": engine_version(tuning.engine),
        "graph": digest([record.files[name] for name in files]),
    }


def _parse(found: Any) -> Tuning | None:
    kinds = {"engine": str, "file": str, "dtype": str, "num_threads": int, "token_budget": int, "date": str}
    if not isinstance(found, dict) or found.keys() != kinds.keys():
        return None
    return Tuning(**found) if all(isinstance(found[name], kind) for name, kind in kinds.items()) else None
