"""One model run over the data sets. A comparison does this in a process for each model."""

import json
import platform
import time
from collections.abc import Sequence
from functools import partial

from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER, SENTENCE_TRANSFORMER

from ..evaluation.datasets import Dataset
from ..memory import peak_memory
from ..models.classes import Model, open_model
from ..models.cross_encoder import CrossEncoder
from ..progress import progress_bar
from .cache import Cache, Outputs, Portion
from .cached_models import ModelDescription, cached_model
from .inputs import Inputs, Side, check_fits, inputs_of
from .measurements import Measurement, measure
from .plan import ModelConfiguration, Plan
from .random_pairs import Pair

#: run first and not timed: an engine does some work only once
_WARM_UP = ("a", "A first text, for what an engine does only once.")


def describe_model(plan: Plan, configuration: ModelConfiguration) -> ModelDescription:
    """Load the model and describe it.

    Raises OptionError where a data set, truncation or precision does not fit the model, and what loading it raises.
    """
    description = _describe(open_model(configuration.model, backend=configuration.backend, dtype=configuration.dtype))
    _check(plan, configuration, description)
    return description


def run_model(plan: Plan, configuration: ModelConfiguration) -> None:
    """Load the model, and put its outputs for every data set into the cache where they are not there yet."""
    model = open_model(configuration.model, backend=configuration.backend, dtype=configuration.dtype)
    description = _describe(model)
    inputs = [each for data in plan.data for each in inputs_of(data, description.model_type, plan.candidates)]
    cache = Cache(plan.cache, description.identity)
    warmed_up = False

    def compute(side: Side, texts: Sequence[str | Pair]) -> Portion:
        nonlocal warmed_up
        if not warmed_up:
            _outputs(model, Inputs(side, [_WARM_UP] if side == "pair" else list(_WARM_UP)))
            warmed_up = True
        start = time.perf_counter()
        outputs = _outputs(model, Inputs(side, texts))
        return Portion(outputs, time.perf_counter() - start, peak_memory() or 0)

    unit = "pair" if description.model_type == CROSS_ENCODER else "text"
    with progress_bar(sum(len(each.texts) for each in inputs), plan.show_progress, unit, str(configuration)) as advance:
        for each in inputs:
            for portion in cache.portions(each, partial(compute, each.side)):
                advance(len(portion.outputs))


def measure_model(model: Model, data: Dataset) -> Measurement:
    """Measure a loaded model on ``data`` without a cache. Raises OptionError as `check_fits`."""
    description = _describe(model)
    outputs: dict[Side, tuple[Inputs, Outputs]] = {
        each.side: (each, _outputs(model, each)) for each in inputs_of(data, description.model_type)
    }
    return measure(data, cached_model(description, outputs))


def _outputs(model: Model, inputs: Inputs) -> Outputs:
    if isinstance(model, CrossEncoder):
        return model.predict(inputs.texts)
    encode = {"text": model.encode, "query": model.encode_query, "document": model.encode_document}[inputs.side]
    return encode(list(inputs.texts))


def _describe(model: Model) -> ModelDescription:
    info = model.info()
    encoder = None if isinstance(model, CrossEncoder) else model
    return ModelDescription(
        model_type=model._model_type,
        engine=info["engine"],
        dtype=info["dtype"],
        identity=json.dumps({**info, "path": None, "reason": None, "machine": platform.node()}, sort_keys=True),
        similarity_fn_name=encoder.similarity_fn_name if encoder else "",
        dimension=encoder.get_embedding_dimension() if encoder else None,
        num_labels=model.num_labels if isinstance(model, CrossEncoder) else 0,
    )


def _check(plan: Plan, configuration: ModelConfiguration, description: ModelDescription) -> None:
    """Raise OptionError for a truncation, a precision or a data set that does not fit the model."""
    if description.model_type != SENTENCE_TRANSFORMER:
        for name, values, plain in (
            ("--truncate-dim", plan.truncate_dims, None),
            ("--precision", plan.precisions, "float32"),
        ):
            if any(value != plain for value in values):
                raise OptionError(
                    f"{configuration} is a {description.model_type}; {name} takes dense embeddings; leave it out"
                )
    for dim in plan.truncate_dims:
        if dim is not None and description.dimension is not None and dim > description.dimension:
            raise OptionError(
                f"--truncate-dim {dim}: {configuration} has {description.dimension} dimensions; expected no more"
            )
    for data in plan.data:
        check_fits(data, description.model_type)
    if description.num_labels > 1:
        raise OptionError(
            f"{configuration} gives a pair {description.num_labels} scores, expected one; measure classes with "
            "edge_st.evaluation.CrossEncoderClassificationEvaluator"
        )
