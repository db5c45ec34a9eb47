"""Models and their configurations compared on the same data sets."""

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
from .cached_models import CachedEncoder, CachedModel, ModelDescription, cached_model
from .inputs import inputs_of
from .measurements import Measurement, measure
from .plan import ModelConfiguration, Plan
from .results import Difference, Example, Interval, ModelVariant, Result
from .running import describe_model, run_model

R = TypeVar("R")
_WORST = 10
#: characters of a text
_SHOWN = 400


@dataclass(frozen=True)
class _Reference:
    """The first variant of a data set, with which its others are compared."""

    bootstrapped: Values
    measurement: Measurement


def compare(plan: Plan) -> Iterator[Result]:
    """Yield the result of every variant on every data set as soon as it is measured.

    The first variant of a data set is the reference that its others are compared with. All models are loaded and
    checked before any is run. Configurations that turn out to be the same are run once. Each runs in a process of its
    own, so that its memory can be measured; outputs are kept in ``plan.cache``.

    Raises OptionError where a data set, truncation or precision does not fit a model or the cache cannot be written,
    EngineError where a process dies, and what loading a model raises.
    """
    found: dict[tuple[str | None, str], tuple[ModelConfiguration, ModelDescription]] = {}
    for configuration in plan.configurations:
        description = _in_process(describe_model, plan, configuration)
        found.setdefault((configuration.model, description.identity), (configuration, description))
    try:
        plan.cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"cannot make the folder {plan.cache} ({error.strerror}); choose another one with --cache"
        ) from error
    references: dict[str, _Reference] = {}
    for configuration, description in found.values():
        _in_process(run_model, plan, configuration)
        for data in plan.data:
            yield from _results(plan, configuration, description, data, references)


def _in_process(work: Callable[[Plan, ModelConfiguration], R], plan: Plan, configuration: ModelConfiguration) -> R:
    died = (
        f"the process that ran {configuration} was ended from outside, perhaps because memory ran out; what it had "
        f"finished is kept in {plan.cache}; run the same command again to continue from there"
    )
    return in_process(work, plan, configuration, died=died)


def _results(
    plan: Plan,
    configuration: ModelConfiguration,
    description: ModelDescription,
    data: Dataset,
    references: dict[str, _Reference],
) -> Iterator[Result]:
    cache = Cache(plan.cache, description.identity)
    inputs = inputs_of(data, description.model_type, plan.candidates)
    portions = {each.side: list(cache.portions(each)) for each in inputs}
    outputs: Any = {each.side: (each, joined([part.outputs for part in portions[each.side]])) for each in inputs}
    every = [portion for of in portions.values() for portion in of]
    texts = sum(len(each.texts) for each in inputs)
    for dim, precision in product(plan.truncate_dims, plan.precisions):
        model = cached_model(description, outputs, dim, precision)
        yield _result(_variant(configuration, model, texts, every), data, measure(data, model), references)


def _variant(
    configuration: ModelConfiguration, model: CachedModel, texts: int, portions: Sequence[Portion]
) -> ModelVariant:
    description = model.description
    encoder = model if isinstance(model, CachedEncoder) else None
    precision = encoder.precision if encoder else "float32"
    truncation = f"{encoder.truncate_dim}d" if encoder and encoder.truncate_dim else ""
    depth = max((len(ranked) for inputs in model.inputs.values() for ranked in inputs.ranked.values()), default=0)
    ranked = f"of {depth} by BM25" if depth else ""
    kept = "" if precision == "float32" else precision
    words = (configuration.short_name, description.engine, description.dtype, truncation, kept, ranked)
    return ModelVariant(
        label=" ".join(filter(None, words)),
        model=configuration.model or "bundled",
        engine=description.engine,
        dtype=description.dtype,
        precision=precision,
        dimension=encoder.dimension if encoder else None,
        vector_bytes=encoder.vector_bytes if encoder else None,
        texts_per_second=texts / sum(portion.seconds for portion in portions),
        peak_memory=max(portion.peak_memory for portion in portions) or None,
    )


def _result(variant: ModelVariant, data: Dataset, found: Measurement, references: dict[str, _Reference]) -> Result:
    bootstrapped = bootstrap(found.statistic, found.values)
    value = found.metrics[found.primary_metric]
    reference = references.setdefault(data.name, _Reference(bootstrapped, found))
    difference = None
    if reference.measurement is not found:
        gain = value - reference.measurement.metrics[reference.measurement.primary_metric]
        probability = p_value(found.statistic, reference.measurement.values, found.values)
        difference = Difference(Interval(gain, *interval(bootstrapped - reference.bootstrapped)), probability)
    return Result(
        variant=variant,
        data=data.name,
        items=len(found.values),
        measure=found.primary_metric,
        quality=Interval(value, *interval(bootstrapped)),
        difference=difference,
        metrics=found.metrics,
        known=np.asarray(found.known),
        random=np.asarray(found.random),
        worst=tuple(_worst(found, reference.measurement)),
    )


def _worst(found: Measurement, reference: Measurement) -> Iterator[Example]:
    """The items that lost most against the reference; for the reference itself, its items of lowest quality.

    Items that lost nothing, or that are as good as the best one, are left out.
    """
    is_reference = found is reference
    before = np.full(len(found.qualities), found.qualities.max()) if is_reference else reference.qualities
    order = np.argsort(found.qualities - before, kind="stable")
    for item in order[:_WORST].tolist():
        own = float(found.qualities[item])
        if own < before[item]:
            details = tuple(map(_shortened, found.details(item)))
            yield Example(_shortened(found.title(item)), own, None if is_reference else float(before[item]), details)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
