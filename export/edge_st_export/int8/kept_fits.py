"""Fits and measurements on disk while an int8 search runs, so that an interrupted one goes on where it was."""

import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from edge_st_runtime.files.reading import sha256
from edge_st_runtime.files.writing import replacing
from edge_st_runtime.machine.local_cache import cache_folder, digest, forget, keep, recall
from edge_st_runtime.text.tokens import TextOrPair

from ..folder.parity import GraphReport
from .fit import Fit, QuantizedWeight
from .matmuls import Group
from .quality import Quality
from .search import Attempt

_KIND = "int8-search"
_FORMAT = 1  # another number forgets what an earlier fit left behind
_OF_A_WEIGHT = ("values", "scales", "bias")


class Kept:
    """What a search found so far, under a name made of the model's files and of what they are fitted to.

    Only the latest search is kept. Where nothing can be written, nothing is kept.
    """

    def __init__(self, files: Iterable[Path], texts: Iterable[TextOrPair]) -> None:
        made_by = version("edge-st-export")
        self._key = digest(_FORMAT, made_by, [sha256(path) for path in sorted(files)], list(texts))
        self._folder: Path | None = None
        with suppress(OSError, RuntimeError):
            self._folder = cache_folder(_KIND) / self._key
            for other in self._folder.parent.glob("*"):
                if not other.name.startswith(self._key):
                    shutil.rmtree(other) if other.is_dir() else other.unlink()

    def fit(self, name: str, group: Group) -> Fit | None:
        """The fit that was kept for ``group`` under ``name``, if any."""
        if self._folder is None:
            return None
        try:
            with np.load(self._path(self._folder, name)) as found:
                weights = tuple(
                    QuantizedWeight(*(found[f"{place}_{part}"] for part in _OF_A_WEIGHT))
                    for place in range(len(group.matmuls))
                )
                factors = found["factors"] if len(found["factors"]) else None
                scale, error = float(found["scale"]), float(found["error"])
                return Fit(group, factors, found["outliers"], scale, int(found["zero_point"]), weights, error)
        except (OSError, EOFError, KeyError, ValueError, BadZipFile):  # absent, or damaged
            return None

    def keep_fit(self, name: str, fit: Fit) -> None:
        """Keep the fit under ``name``."""
        if self._folder is None:
            return
        arrays: dict[str, Any] = {
            "factors": () if fit.factors is None else fit.factors,
            "outliers": fit.outliers,
            "scale": fit.scale,
            "zero_point": fit.zero_point,
            "error": fit.error,
        }
        for place, weight in enumerate(fit.weights):
            arrays |= {f"{place}_{part}": getattr(weight, part) for part in _OF_A_WEIGHT}
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(self._path(self._folder, name)) as part, part.open("wb") as file:
                np.savez(file, **arrays)

    def measurements(self) -> dict[str, Any]:
        """The sensitivities and attempts that were kept, by name."""
        return recall(_KIND, self._key) or {}

    def keep_measurement(self, name: str, value: Any) -> None:
        """Keep a number, or what `of_attempt` gives, under ``name``."""
        keep(_KIND, self._key, self.measurements() | {name: value})

    def forget(self) -> None:
        """Remove everything that was kept."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):
                forget(_KIND, self._key)

    def _path(self, folder: Path, name: str) -> Path:
        return folder / f"{digest(name)}.npz"


def of_attempt(attempt: Attempt) -> dict[str, Any]:
    """The attempt, but for its shares, in values that JSON can hold."""
    return {
        "left": attempt.left,
        "total": attempt.total,
        "report": asdict(attempt.report),
        "quality": asdict(attempt.quality),
    }


def to_attempt(found: dict[str, Any]) -> Attempt:
    """The attempt that `of_attempt` was given, without shares."""
    report = found["report"] | {"cpu_features": tuple(found["report"]["cpu_features"])}
    if isinstance(report["worst_text"], list):
        report["worst_text"] = tuple(report["worst_text"])
    return Attempt(found["left"], found["total"], GraphReport(**report), Quality(**found["quality"]))
