"""What there is to measure: the variants of a folder that run on this machine, each with its recorded cosine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st_runtime.errors import MissingFileError, OptionError
from edge_st_runtime.model.choosing import LoadOptions, comparable, variants_for
from edge_st_runtime.model.folder import ModelFolder, read_folder
from edge_st_runtime.model.route import Route
from edge_st_runtime.model.variants import Choice, check_dtype

from ..verification.variants import recorded_variants, runs_here
from .measure import Setting, Speed, best, measure

#: each setting is measured so often, in turn with the others, so that what disturbs for a while disturbs none alone
PASSES = 2


@dataclass(frozen=True)
class Row:
    """A setting, its speed, and its variant's worst cosine to the original where the folder's record tells it."""

    setting: Setting
    speed: Speed
    cosine_min: float | None

    def as_json(self) -> dict[str, Any]:
        """The figures, as values that JSON can hold."""
        speed = self.speed
        return {
            "engine": self.setting.engine,
            "dtype": self.setting.dtype,
            "graph": self.setting.file,
            "threads": speed.num_threads,
            "token_budget": speed.token_budget,
            "short_per_second": round(speed.short, 1),
            "mixed_per_second": round(speed.mixed, 1),
            "single_ms": round(speed.single_ms, 3),
            "load_ms": round(speed.load_ms, 1),
            "peak_memory": speed.peak_memory,
            "cosine_min": self.cosine_min,
        }


def settings_here(path: Path, dtype: str) -> dict[Setting, float | None]:
    """Every variant of the folder that runs here, of one ``dtype`` unless that is "auto", with its recorded cosine.

    Raises OptionError for an unknown dtype, and where the folder has no variant in it.
    """
    check_dtype(dtype)
    folder = read_folder(path)
    route = graph_route(folder)
    if route is None:
        return {Setting("numpy", "", "float32"): None}
    found = dict(_recorded(folder, route) if folder.record is not None else _by_name(route))
    wanted = {setting: cosine for setting, cosine in found.items() if dtype in ("auto", setting.dtype)}
    if not wanted:
        has = ", ".join(sorted({setting.dtype for setting in found})) or "none that runs here"
        raise OptionError(f"{path} has no variant in {dtype!r} that runs here; it has {has}")
    return wanted


def candidates(path: Path, dtype: str) -> dict[Setting, float | None]:
    """Those between which a tuning for ``dtype`` may choose: their vectors can take each other's place.

    Raises MissingFileError where there is no record to tell, OptionError for a model without a graph.
    """
    folder = read_folder(path)
    route, record = graph_route(folder), folder.record
    if route is None:
        raise OptionError(f"{path} is a table that NumPy looks up: there is nothing to tune")
    if record is None:
        raise MissingFileError(
            f"{path} has no edge_st.json, which tells what its graphs are worth; export it: edge-st export MODEL FOLDER"
        )
    choices, _ = variants_for(route, record, LoadOptions(dtype=dtype))
    cosines = dict(_recorded(folder, route))
    return {setting: cosines[setting] for setting in map(setting_of, comparable(choices)) if setting in cosines}


def measured(
    path: Path, settings: Sequence[Setting], texts: Sequence[str] | None, passes: int = PASSES
) -> Iterator[tuple[Setting, Speed]]:
    """Each setting's speed as it is measured, in turn: A B C A B C; a later one holds what the earlier ones found."""
    found: dict[Setting, list[Speed]] = {setting: [] for setting in settings}
    for _ in range(passes):
        for setting in settings:
            found[setting].append(measure(path, setting, texts))
            yield setting, best(found[setting])


def graph_route(folder: ModelFolder) -> Route | None:
    """The first route that an engine runs."""
    return next((route for route in folder.routes.values() if route.needs_graph), None)


def setting_of(choice: Choice) -> Setting:
    """The setting that runs a choice, with the runtime's own threads and batches."""
    return Setting(choice.engine, choice.file, choice.dtype)


def _recorded(folder: ModelFolder, route: Route) -> Iterator[tuple[Setting, float | None]]:
    """Without float16, which is for GPUs."""
    assert folder.record is not None
    graphs = route.graph_names()
    for entry, variant in recorded_variants(folder.record):
        if runs_here(variant) and entry.file in graphs and entry.dtype != "float16":
            yield Setting(entry.engine, entry.file, entry.dtype), entry.cosine_min


def _by_name(route: Route) -> Iterator[tuple[Setting, None]]:
    for dtype in ("auto", "int8"):
        try:
            choices, _ = variants_for(route, None, LoadOptions(dtype=dtype))
        except MissingFileError:
            continue
        yield from ((setting_of(choice), None) for choice in choices)
