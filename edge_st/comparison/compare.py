"""Several models and ways of running them on the same data sets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

import numpy as np

from edge_st_runtime.errors import OptionError

from ..evaluation.datasets import Dataset
from ..evaluation.significance import bootstrap, interval, p_value
from ..evaluation.statistics import Values
from ..models.processes import in_process
from .cache import Cache, Portion, joined
from .jobs import jobs_of
from .measures import Measured, measured
from .plan import Plan, Way
from .recalled import Described, Recalled, RecalledEncoder, recalled
from .results import Difference, Example, Interval, ModelVariant, Result
from .running import describe_model, run_model

R = TypeVar("R")
_WORST = 10
#: letters of a text
_SHOWN = 400


@dataclass(frozen=True)
class _First:
    """What the others of a data set are compared with."""

    bootstrapped: Values
    measured: Measured


def compare(plan: Plan) -> Iterator[Result]:
    """Every variant's result on every data set, as soon as it is there; the first of a data set is the reference.

    All models are loaded once and checked before one is run, and two ways that come to the same are run once. Each runs
    in a process of its own, so that one's memory is not another's; what models gave is kept in ``plan.cache``. Raises
    OptionError where a data set or a cut does not fit a model, or the cache cannot be written, EngineError where a
    process dies, and what loading a model raises.
    """
    found: dict[tuple[str | None, str], tuple[Way, Described]] = {}
    for way in plan.ways:
        described = _in_process(describe_model, plan, way)
        found.setdefault((way.model, described.identity), (way, described))
    try:
        plan.cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"no folder can be made at {plan.cache} ({error.strerror}); choose one with --cache"
        ) from error
    firsts: dict[str, _First] = {}
    for way, described in found.values():
        _in_process(run_model, plan, way)
        for data in plan.data:
            yield from _results(plan, way, described, data, firsts)


def _in_process(work: Callable[[Plan, Way], R], plan: Plan, way: Way) -> R:
    died = (
        f"the process that ran {way} was ended from outside, for want of memory perhaps; what it had finished is kept "
        f"in {plan.cache}: the same command goes on from there"
    )
    return in_process(work, plan, way, died=died)


def _results(plan: Plan, way: Way, described: Described, data: Dataset, firsts: dict[str, _First]) -> Iterator[Result]:
    cache = Cache(plan.cache, described.identity)
    jobs = jobs_of(data, described.model_type, plan.candidates)
    portions = {job.side: list(cache.portions(job)) for job in jobs}
    outputs: Any = {job.side: (job, joined([each.outputs for each in portions[job.side]])) for job in jobs}
    every = [portion for of in portions.values() for portion in of]
    texts = sum(len(job.texts) for job in jobs)
    for dim, precision in product(plan.truncate_dims, plan.precisions):
        model = recalled(described, outputs, dim, precision)
        yield _result(_variant(way, model, texts, every), data, measured(data, model), firsts)


def _variant(way: Way, model: Recalled, texts: int, portions: Sequence[Portion]) -> ModelVariant:
    described = model.described
    encoder = model if isinstance(model, RecalledEncoder) else None
    precision = encoder.precision if encoder else "float32"
    cut = f"{encoder.truncate_dim}d" if encoder and encoder.truncate_dim else ""
    depth = max((len(ranked) for job in model.jobs.values() for ranked in job.ranked.values()), default=0)
    ranked = f"of {depth} by BM25" if depth else ""
    kept = "" if precision == "float32" else precision
    words = (way.short_name, described.engine, described.dtype, cut, kept, ranked)
    return ModelVariant(
        label=" ".join(filter(None, words)),
        model=way.model or "bundled",
        engine=described.engine,
        dtype=described.dtype,
        precision=precision,
        dimension=encoder.dimension if encoder else None,
        vector_bytes=encoder.vector_bytes if encoder else None,
        texts_per_second=texts / sum(portion.seconds for portion in portions),
        peak_memory=max(portion.peak_memory for portion in portions) or None,
    )


def _result(variant: ModelVariant, data: Dataset, found: Measured, firsts: dict[str, _First]) -> Result:
    bootstrapped = bootstrap(found.statistic, found.values)
    value = found.metrics[found.measure]
    first = firsts.setdefault(data.name, _First(bootstrapped, found))
    difference = None
    if first.measured is not found:
        apart = value - first.measured.metrics[first.measured.measure]
        chance = p_value(found.statistic, first.measured.values, found.values)
        difference = Difference(Interval(apart, *interval(bootstrapped - first.bootstrapped)), chance)
    return Result(
        variant=variant,
        data=data.name,
        items=len(found.values),
        measure=found.measure,
        quality=Interval(value, *interval(bootstrapped)),
        difference=difference,
        metrics=found.metrics,
        known=np.asarray(found.known),
        random=np.asarray(found.random),
        worst=tuple(_worst(found, first.measured)),
    )


def _worst(found: Measured, first: Measured) -> Iterator[Example]:
    """The items that lost most against the first variant, or in it itself those of lower quality than the best."""
    reference = found is first
    before = np.full(len(found.qualities), found.qualities.max()) if reference else first.qualities
    order = np.argsort(found.qualities - before, kind="stable")
    for item in order[:_WORST].tolist():
        own = float(found.qualities[item])
        if own < before[item]:
            details = tuple(map(_cut, found.details(item)))
            yield Example(_cut(found.title(item)), own, None if reference else float(before[item]), details)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
