"""sentence-transformers' evaluators and ours, run on the same numbers; what a run returns, writes and reports."""

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from sentence_transformers.base import evaluation as their_base
from sentence_transformers.cross_encoder import evaluation as their_cross
from sentence_transformers.multi_vector_encoder import evaluation as their_multi_vector
from sentence_transformers.sentence_transformer import evaluation as their_dense
from sentence_transformers.sparse_encoder import evaluation as their_sparse

from edge_st import evaluation
from tests.export.evaluation import stand_ins

Build: TypeAlias = Callable[[Any], Any]
TOLERANCE = 1e-6
#: of a metric with its gain, as text of four decimals
ROUNDED = 1.1e-4
_GAIN = re.compile(r"\d\.\d{4} \([+-]\d\.\d{4}\)")
#: what the two calls of a run are given beside the model and the folder
CALLS: tuple[dict[str, int], ...] = ({}, {"epoch": 1, "steps": 20})
LEFT_OUT = {"LabelAccuracyEvaluator", "MSEEvaluatorFromDataFrame"}
SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")
SEEDS = (0, 1, 2)
NAMES = sorted(
    {
        name
        for module in (their_base, their_dense, their_sparse, their_multi_vector, their_cross)
        for name in module.__all__
        if name not in LEFT_OUT and not re.match("CE[A-Z]", name)
    }
)


class Library:
    """A library's evaluators by their names, and the stand-ins for its models."""

    def __init__(self, modules: Sequence[Any], models: Mapping[str, type[stand_ins.StandIn]]) -> None:
        self.modules = modules
        self.models = models

    def __getattr__(self, name: str) -> Any:
        return next((getattr(module, name) for module in self.modules if hasattr(module, name)), None)

    def model(self, kind: str = "dense", **options: Any) -> stand_ins.StandIn:
        """A stand-in of this ``kind``: "dense", "sparse", "multi-vector" or "cross"."""
        return self.models[kind](**options)

    def similarity(self, name: str, kind: str = "dense") -> Any:
        """The function of this name over every pair, for the embeddings of this ``kind``."""
        return self.models[kind](similarity=name).similarity


THEIRS = Library([their_base, their_dense, their_sparse, their_multi_vector, their_cross], stand_ins.THEIRS)
OURS = Library([evaluation], stand_ins.OURS)


def of(name: str, /, *arguments: Any, **options: Any) -> Build:
    """The builder of the evaluator of this name in either library."""
    return lambda library: getattr(library, name)(*deepcopy(arguments), **deepcopy(options))


def assert_same(build: Build, folder: Path, kind: str = "dense", *, tolerance: float = TOLERANCE, **model: Any) -> Any:
    """Run both libraries' evaluators twice each and compare all they give; returns the first metrics of theirs."""
    wanted = outcome(THEIRS, build, THEIRS.model(kind, **model), folder / "theirs")
    found = outcome(OURS, build, OURS.model(kind, **model), folder / "ours")
    unequal = differences(found, wanted, tolerance)
    assert not unequal, "\n".join(unequal)
    return wanted["answers"][0]


def outcome(library: Library, build: Build, model: stand_ins.StandIn, folder: Path) -> dict[str, Any]:
    """All that can be seen of an evaluator after two calls that write into ``folder``."""
    evaluator = build(library)
    answers = [evaluator(model=model, output_path=str(folder), **call) for call in CALLS]
    return {
        **described(evaluator, answers, folder),
        "reports": _last(model.model_card_data.reports),
        "asked": sorted(map(str, model.asked)),
    }


def _last(reports: Iterable[Any]) -> list[Any]:
    """What a model card is left with: theirs of sparse encoders tell it everything twice, the sparsity last."""
    kept = {(name, title, epoch, steps): metrics for name, title, metrics, epoch, steps in reports}
    return [[*key, metrics] for key, metrics in kept.items()]


def described(evaluator: Any, answers: Sequence[Any], folder: Path) -> dict[str, Any]:
    """What an evaluator returned, calls itself, and wrote."""
    return {
        "answers": answers,
        "primary_metric": evaluator.primary_metric,
        "greater_is_better": getattr(evaluator, "greater_is_better", True),  # theirs forget it in two classes
        "description": evaluator.description,
        "config": evaluator.get_config_dict(),
        "files": {path.name: _content(path) for path in sorted(folder.glob("*"))},
    }


def _content(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    header, *rows = csv.reader(text.splitlines())
    return [_once(header), *([_number(cell) for cell in row] for row in rows)]


def _once(header: Sequence[str]) -> list[str]:
    """The columns by their last places: theirs of sparse encoders name some twice, but their rows have them once."""
    return list(dict.fromkeys(reversed(header)))[::-1]


def _number(cell: str) -> str | float:
    """A cell's value; theirs of sparse encoders write a tensor, of four places."""
    try:
        return float(cell)
    except ValueError:
        return cell


def differences(found: Any, wanted: Any, tolerance: float = TOLERANCE, place: str = "") -> list[str]:
    """Where two nested values differ, in words; numbers may by ``tolerance``."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        if list(found) != list(wanted):
            return [f"{place}: the keys are {list(found)}, not {list(wanted)}"]
        return _all((found[key], wanted[key], tolerance, f"{place}/{key}") for key in wanted)
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple):
        if len(found) != len(wanted):
            return [f"{place}: {found} has not the length of {wanted}"]
        return _all((*pair, tolerance, f"{place}/{i}") for i, pair in enumerate(zip(found, wanted, strict=True)))
    if isinstance(wanted, str) and wanted.startswith("tensor("):
        found = f"tensor({found:.4f})"
    if isinstance(wanted, str) and isinstance(found, str) and _GAIN.fullmatch(wanted):
        return differences(_numbers(found), _numbers(wanted), ROUNDED, place)
    equal = found == wanted
    if isinstance(wanted, float) and isinstance(found, float):
        close = math.isclose(found, wanted, rel_tol=tolerance, abs_tol=tolerance)
        equal = close or (math.isnan(found) and math.isnan(wanted))
    elif callable(wanted):  # theirs take the method for the option of its name
        equal = isinstance(found, bool)
    return [] if equal else [f"{place}: {found!r} is not {wanted!r}"]


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[+-]?\d\.\d{4}", text)]


def _all(pairs: Iterable[tuple[Any, Any, float, str]]) -> list[str]:
    return [line for pair in pairs for line in differences(*pair)]


def texts(kind: str, count: int) -> list[str]:
    """``count`` texts, each one different."""
    return [f"{kind} {number}" for number in range(count)]


def cases(**named: Any) -> pytest.MarkDecorator:
    """A test for each of these options, which it takes as ``options``."""
    return pytest.mark.parametrize("options", list(named.values()), ids=[name.replace("_", " ") for name in named])


def example(label: float, *of_texts: str) -> SimpleNamespace:
    """What sentence-transformers' InputExample is to an evaluator."""
    return SimpleNamespace(texts=list(of_texts), label=label)
