"""The variants to try, in order: from what the caller asked for, what this machine has and what it was tuned to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from ..engines.backend import installed_engines
from ..engines.devices import engine_of
from ..errors import EdgeSTError, EngineError
from ..machine.cpu import cpu_features, has_bfloat16
from ..modules.sparse import sparse_static_file
from .quantized import as_computed
from .record import Record
from .route import BAG, SPARSE_STATIC, Route
from .tuning import KeptTuning, Tuning, read_tuning
from .variants import Choice, Criteria, NoGraphError, check_dtype, choose_graphs

#: by the name of a route: what it may run, the best first
Candidates: TypeAlias = Mapping[str, tuple[Choice, ...]]


@dataclass(frozen=True)
class LoadOptions:
    """How to open a model; with the defaults the runtime chooses for this machine.

    ``token_budget`` is the most tokens that a batch has, padding included. None takes the tuned value, or else the
    engine's own. ``pooling`` are the modes of a model whose folder has no modules.json. In the ``background`` the model
    disturbs nothing else: see `in_background`.
    """

    backend: str = "auto"
    dtype: str = "auto"
    device: str | None = None
    provider: str | None = None
    provider_options: Mapping[str, Any] = field(default_factory=dict)
    session_options: Any = None
    file_name: str | None = None
    num_threads: int | None = None
    token_budget: int | None = None
    pooling: tuple[str, ...] | None = None
    background: bool = False

    @property
    def on_cpu(self) -> bool:
        """Whether the model will run on the CPU."""
        return (self.device or "cpu").lower() == "cpu" and self.provider in (None, "CPUExecutionProvider")

    @property
    def takes_tuning(self) -> bool:
        """Whether a tuning may decide: the caller named no engine, graph or way to run it."""
        asked = (self.file_name, self.provider, self.session_options, self.token_budget)
        engine = engine_of(self.device) or "auto"
        return self.backend == engine and asked == (None,) * 4 and not self.provider_options

    @property
    def device_tuned(self) -> str | None:
        """The device as a tuning is kept for it; None for the CPU."""
        return None if self.on_cpu else str(self.device).lower()


class UnfitError(EngineError):
    """``choice`` does not open or fails its self-test on this machine, because of ``cause``."""

    def __init__(self, choice: Choice, cause: EdgeSTError) -> None:
        super().__init__(str(cause))
        self.choice, self.cause = choice, cause


def choices_for(route: Route, record: Record | None, options: LoadOptions) -> tuple[Choice, ...]:
    """What a route may run, in the order to try.

    The variant that this machine was tuned to comes first, unless the caller asked for another. A tuning that does not
    hold any more is left out, and the first choice warns of it. Where the caller named the variant, there is only one.
    Raises what `choose_graphs` and `as_computed` raise.
    """
    if not route.needs_graph:
        check_dtype(options.dtype)
        files = {BAG: "config.json", SPARSE_STATIC: sparse_static_file(route.config)}
        return (Choice("numpy", files.get(route.kind, "model.safetensors"), "float32", "a lookup table in NumPy"),)
    named, criteria = variants_for(route, record, options)
    choices = as_computed(named, route.path, record, options.dtype)
    if record is not None and options.takes_tuning:
        choices = _tuned(choices, record, options)
    return choices if criteria.may_fall_back else choices[:1]


def variants_for(route: Route, record: Record | None, options: LoadOptions) -> tuple[tuple[Choice, ...], Criteria]:
    """What `choose_graphs` gives for a route on this machine, and the criteria for it."""
    criteria = Criteria(
        backend=options.backend,
        dtype=options.dtype,
        file_name=options.file_name,
        on_cpu=options.on_cpu,
        engines=installed_engines(),
        features=cpu_features(),
        bfloat16=has_bfloat16(),
    )
    try:
        return choose_graphs(route.graph_names(), record, criteria), criteria
    except NoGraphError as error:
        from shlex import quote

        raise NoGraphError(f"{route.path}: {str(error).replace('MODEL', quote(str(route.path)))}") from None


def _tuned(choices: tuple[Choice, ...], record: Record, options: LoadOptions) -> tuple[Choice, ...]:
    """``choices`` with the tuned one in front, if it is among the `comparable` ones."""
    kept = read_tuning(record, options.dtype, options.device_tuned)
    if kept is not None and kept.differs is not None:
        return (_left_out(choices[0], kept, record, options), *choices[1:])
    tuning = None if kept is None else kept.tuning
    found = next((each for each in comparable(choices) if tuning and _is(each, tuning)), None)
    if tuning is None or found is None:
        return choices
    day = f"tuned on this machine on {tuning.date}"
    reason = f"{found.reason}; {day}" if found.warns else day
    first = replace(found, reason=reason, num_threads=tuning.num_threads, token_budget=tuning.token_budget)
    return (first, *(each for each in choices if each != found))


def _left_out(first: Choice, kept: KeptTuning, record: Record, options: LoadOptions) -> Choice:
    from shlex import quote

    given = {"--dtype": None if options.dtype == "auto" else options.dtype, "--device": options.device_tuned}
    words = ["edge-st", "tune", quote(str(record.path.parent))]
    command = " ".join([*words, *(f"{name} {value}" for name, value in given.items() if value is not None)])
    reason = (
        f"{first.reason}; the tuning of {kept.tuning.date} was measured with {kept.differs} and is left out. Measure "
        f"again with: {command}, or drop it with: {command} --forget"
    )
    return replace(first, reason=reason, warns=True)


def comparable(choices: tuple[Choice, ...]) -> list[Choice]:
    """The choices whose vectors are interchangeable with those of the first: all in int8, or all lossless."""
    return [each for each in choices if (each.dtype == "int8") == (choices[0].dtype == "int8")]


def _is(choice: Choice, tuning: Tuning) -> bool:
    return (choice.engine, choice.file, choice.dtype) == (tuning.engine, tuning.file, tuning.dtype)


def without_failed(candidates: Candidates, error: UnfitError) -> Candidates:
    """``candidates`` without the choice that failed; raises the cause where a route has no other."""
    return {name: _without(choices, error) for name, choices in candidates.items()}


def _without(choices: tuple[Choice, ...], error: UnfitError) -> tuple[Choice, ...]:
    if choices[0] != error.choice:
        return choices
    if len(choices) == 1:
        raise error.cause
    instead = choices[1]
    reason = f"fell back to {instead}: {error}"
    return (replace(instead, reason=reason, warns=True), *choices[2:])
