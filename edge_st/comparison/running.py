"""Running one model over the data sets, in a process of its own."""

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
from .jobs import Job, Pair, Side, check_fits, jobs_of
from .measures import Measured, measured
from .plan import Plan, Way
from .recalled import Described, recalled

_WARM = ("a", "A first text, for what an engine does only once.")


def describe_model(plan: Plan, way: Way) -> Described:
    """What the model is; raises OptionError where a data set or a cut does not fit it, and what loading it raises."""
    described = _described(open_model(way.model, backend=way.backend, dtype=way.dtype))
    _check(plan, way, described)
    return described


def run_model(plan: Plan, way: Way) -> None:
    """Load the model, and see to it that the cache has what it gives for every data set."""
    model = open_model(way.model, backend=way.backend, dtype=way.dtype)
    described = _described(model)
    jobs = [job for data in plan.data for job in jobs_of(data, described.model_type, plan.candidates)]
    cache = Cache(plan.cache, described.identity)
    warm = False

    def compute(job: Job, texts: Sequence[str | Pair]) -> Portion:
        nonlocal warm
        if not warm:
            _outputs(model, Job(job.side, [_WARM] if job.side == "pair" else list(_WARM)))
            warm = True
        start = time.perf_counter()
        outputs = _outputs(model, Job(job.side, texts))
        return Portion(outputs, time.perf_counter() - start, peak_memory() or 0)

    unit = "pair" if described.model_type == CROSS_ENCODER else "text"
    with progress_bar(sum(len(job.texts) for job in jobs), plan.show_progress, unit, str(way)) as advance:
        for job in jobs:
            for portion in cache.portions(job, partial(compute, job)):
                advance(len(portion.outputs))


def measure_model(model: Model, data: Dataset) -> Measured:
    """What a loaded model reaches on ``data``; nothing is kept. Raises OptionError as `check_fits`."""
    described = _described(model)
    outputs: dict[Side, tuple[Job, Outputs]] = {
        job.side: (job, _outputs(model, job)) for job in jobs_of(data, described.model_type)
    }
    return measured(data, recalled(described, outputs))


def _outputs(model: Model, job: Job) -> Outputs:
    if isinstance(model, CrossEncoder):
        return model.predict(job.texts)
    encode = {"text": model.encode, "query": model.encode_query, "document": model.encode_document}[job.side]
    return encode(list(job.texts))


def _described(model: Model) -> Described:
    info = model.info()
    encoder = None if isinstance(model, CrossEncoder) else model
    return Described(
        model_type=model._model_type,
        engine=info["engine"],
        dtype=info["dtype"],
        identity=json.dumps({**info, "path": None, "reason": None, "machine": platform.node()}, sort_keys=True),
        similarity_fn_name=encoder.similarity_fn_name if encoder else "",
        dimension=encoder.get_embedding_dimension() if encoder else None,
        num_labels=model.num_labels if isinstance(model, CrossEncoder) else 0,
    )


def _check(plan: Plan, way: Way, described: Described) -> None:
    """Raise OptionError for a cut, a precision or a data set that the model does not take."""
    if described.model_type != SENTENCE_TRANSFORMER:
        for name, values, plain in (
            ("--truncate-dim", plan.truncate_dims, None),
            ("--precision", plan.precisions, "float32"),
        ):
            if any(value != plain for value in values):
                raise OptionError(f"{way} is a {described.model_type}; {name} takes dense embeddings: leave it out")
    for dim in plan.truncate_dims:
        if dim is not None and described.dimension is not None and dim > described.dimension:
            raise OptionError(f"--truncate-dim {dim}: {way} has {described.dimension} dimensions; expected no more")
    for data in plan.data:
        check_fits(data, described.model_type)
    if described.num_labels > 1:
        raise OptionError(
            f"{way} gives a pair {described.num_labels} scores, expected one; measure classes with "
            "edge_st.evaluation.CrossEncoderClassificationEvaluator"
        )
