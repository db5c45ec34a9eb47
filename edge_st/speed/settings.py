"""The settings that can be measured: the graph variants of a folder that run on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge_st_runtime.engines.devices import engine_of
from edge_st_runtime.errors import EXPORT, MissingFileError, OptionError
from edge_st_runtime.model.choosing import LoadOptions, comparable, variants_for
from edge_st_runtime.model.folder import ModelFolder, read_folder
from edge_st_runtime.model.route import Route
from edge_st_runtime.model.variants import Choice, check_dtype

from ..verification.variants import recorded_variants, runs_here


@dataclass(frozen=True)
class Setting:
    """A way to run a model folder: engine, graph file, dtype, threads and batch size.

    None for ``num_threads`` or ``token_budget`` leaves the choice to the runtime, None for ``device`` is the CPU.
    """

    engine: str
    file: str
    dtype: str
    num_threads: int | None = None
    token_budget: int | None = None
    device: str | None = None

    def __str__(self) -> str:
        threads = "" if self.num_threads is None else f", {self.num_threads} thread{'s' * (self.num_threads > 1)}"
        budget = "" if self.token_budget is None else f", batches of {self.token_budget} tokens"
        return f"{self.engine} {self.dtype}{threads}{budget}"


def settings_here(path: Path, dtype: str) -> dict[Setting, float | None]:
    """Every variant of the folder that runs here, with its recorded cosine; "auto" takes every dtype.

    Raises OptionError for an unknown dtype, and where no variant in this dtype runs here.
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


def tunable_settings(path: Path, dtype: str, device: str | None = None) -> dict[Setting, float | None]:
    """The variants that a tuning for ``dtype`` on ``device`` may choose from, with their recorded cosines.

    Their vectors are interchangeable. Raises MissingFileError where the folder has no record, OptionError for a model
    without a graph.
    """
    folder = read_folder(path)
    route, record = graph_route(folder), folder.record
    if route is None:
        raise OptionError(f"{path} is a static model, which runs on NumPy alone; there is nothing to tune")
    if record is None:
        raise MissingFileError(
            f"{path} has no edge_st.json, which records the accuracy of its graphs; export the original {EXPORT}"
        )
    options = LoadOptions(dtype=dtype, device=device, backend=engine_of(device) or "auto")
    choices, _ = variants_for(route, record, options)
    cosines = dict(_recorded(folder, route, device))
    found = [replace(setting_of(choice), device=device) for choice in comparable(choices)]
    return {setting: cosines[setting] for setting in found if setting in cosines}


def graph_route(folder: ModelFolder) -> Route | None:
    """The first route that has a graph; None for a static model."""
    return next((route for route in folder.routes.values() if route.needs_graph), None)


def setting_of(choice: Choice) -> Setting:
    """The setting that runs a graph, with the runtime's own threads and batch size."""
    return Setting(choice.engine, choice.file, choice.dtype)


def _recorded(folder: ModelFolder, route: Route, device: str | None = None) -> Iterator[tuple[Setting, float | None]]:
    """The recorded graphs that run here; on the CPU without float16, which is for GPUs."""
    assert folder.record is not None
    graphs = route.graph_names()
    for entry, variant in recorded_variants(folder.record):
        for_gpus = entry.dtype == "float16" and device is None
        if runs_here(variant, device) and entry.file in graphs and not for_gpus:
            yield Setting(entry.engine, entry.file, entry.dtype, device=device), entry.cosine_min


def _by_name(route: Route) -> Iterator[tuple[Setting, None]]:
    for dtype in ("auto", "int8"):
        try:
            choices, _ = variants_for(route, None, LoadOptions(dtype=dtype))
        except MissingFileError:
            continue
        best: dict[tuple[str, str], Choice] = {}
        for choice in choices:
            best.setdefault((choice.engine, choice.dtype), choice)
        yield from ((setting_of(choice), None) for choice in best.values())
