"""The constructor's arguments as options of the runtime."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from edge_st_runtime.checks import check_count
from edge_st_runtime.engines.backend import installed_engines
from edge_st_runtime.engines.devices import engine_of
from edge_st_runtime.errors import EXPORT, OptionError
from edge_st_runtime.files.reading import read_json
from edge_st_runtime.machine.background import in_background
from edge_st_runtime.machine.memory import has_little_memory
from edge_st_runtime.machine.threads import thread_count
from edge_st_runtime.model.choosing import LoadOptions
from edge_st_runtime.modules.pooling import POOLING

_ENGINE_KEYS = {
    "provider",
    "provider_options",
    "session_options",
    "file_name",
    "subfolder",
    "ov_config",
    "device",
    "token_budget",
}
_TORCH_ONLY = {"attn_implementation", "device_map", "quantization_config", "low_cpu_mem_usage", "use_safetensors"}
_FEW_TOKENS, _FEW_THREADS = 128, 4


def load_options(
    *,
    backend: str,
    dtype: str,
    device: str | None,
    provider: str | None,
    num_threads: int | None,
    model_kwargs: Mapping[str, Any] | None,
    low_memory: bool | None = None,
    profile: str | None = None,
    pooling: str | Sequence[str] | None = None,
) -> LoadOptions:
    """What the arguments and ``model_kwargs``, which has keys as in sentence-transformers, ask for together.

    ``backend="torch"``, sentence-transformers' default, leaves the choice to the runtime. ``low_memory`` and the
    ``profile`` choose wherever nothing else was asked for. Raises OptionError for keys that are unknown, need torch or
    contradict an argument.
    """
    kwargs = dict(model_kwargs or {})
    if kwargs.pop("export", False):
        raise OptionError(f"model_kwargs export=True needs torch; export {EXPORT}")
    dtypes = [str(kwargs.pop(key)).removeprefix("torch.") for key in ("dtype", "torch_dtype") if key in kwargs]
    unknown = set(kwargs) - _ENGINE_KEYS
    if unknown:
        why = "only mean something to torch" if unknown <= _TORCH_ONLY else "are not known"
        raise OptionError(f"model_kwargs {sorted(unknown)} {why}; expected {', '.join(sorted(_ENGINE_KEYS))}, dtype")
    device = _one("device", device, kwargs.get("device"))
    provider = _one("provider", provider, kwargs.get("provider"))
    options = LoadOptions(
        backend=_engine(backend, device, provider),
        dtype=_one("dtype", dtype if dtype != "auto" else None, *dtypes) or "auto",
        device=device,
        provider=provider,
        provider_options={**_settings("provider_options", kwargs), **_settings("ov_config", kwargs)},
        session_options=kwargs.get("session_options"),
        file_name=_file_name(kwargs),
        num_threads=num_threads,
        token_budget=_token_budget(kwargs.get("token_budget")),
        pooling=_pooling(pooling),
        background=in_background(profile),
    )
    return _sparing(options, low_memory) if options.on_cpu else options


def _pooling(value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    modes = (value,) if isinstance(value, str) else value
    if modes is None:
        return None
    if not isinstance(modes, list | tuple) or not modes or any(mode not in list(POOLING) for mode in modes):
        raise OptionError(f"pooling is {value!r}; expected one or several of {', '.join(map(repr, POOLING))}")
    return tuple(modes)


def _settings(name: str, kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    settings = kwargs.get(name) or {}
    if name == "ov_config" and isinstance(settings, str | PurePath):  # a JSON file, as optimum takes one
        if not Path(settings).is_file():
            raise OptionError(f"model_kwargs ov_config is {str(settings)!r}; expected a dictionary, or a JSON file")
        settings = read_json(Path(settings), "expected OpenVINO's settings by name")
    if not isinstance(settings, Mapping):
        raise OptionError(f"model_kwargs {name} is {settings!r}; expected a dictionary of the engine's settings")
    return settings


def _sparing(options: LoadOptions, low_memory: bool | None) -> LoadOptions:
    """``options`` with few threads, small batches and ONNX Runtime, where memory is to be saved or in the background.

    ONNX Runtime maps the weights into memory, and keeps no kernel for each shape of a batch. Each thread takes some
    memory of its own: there is one where ``low_memory`` is asked for, at most four where the machine has little.
    """
    little = low_memory is None and has_little_memory()
    if not (low_memory or little or options.background):
        return options
    most = 1 if low_memory else _FEW_THREADS if little else None
    return replace(
        options,
        backend="onnx" if options.backend == "auto" and "onnx" in installed_engines() else options.backend,
        num_threads=thread_count(options.num_threads, background=options.background, most=most),
        token_budget=_FEW_TOKENS if options.token_budget is None else options.token_budget,
    )


def tokenizer_limit(processor_kwargs: Mapping[str, Any] | None) -> int | None:
    """``model_max_length`` of sentence-transformers' ``processor_kwargs``; raises OptionError for other keys."""
    kwargs = dict(processor_kwargs or {})
    limit = kwargs.pop("model_max_length", None)
    if kwargs:
        raise OptionError(f"processor_kwargs {sorted(kwargs)} are not known; expected model_max_length")
    return limit


def _engine(backend: str, device: str | None, provider: str | None) -> str:
    """``backend``, or where it is open "onnx" for a provider, and the engine that alone has the device."""
    if backend not in ("auto", "torch"):
        return backend
    return "onnx" if provider is not None else engine_of(device) or "auto"


def _one(name: str, *values: Any) -> Any:
    given = {value for value in values if value is not None}
    if len(given) > 1:
        raise OptionError(f"{name} is given twice: {sorted(map(str, given))}; give it once")
    return next(iter(given), None)


def _token_budget(value: Any) -> int | None:
    if value is not None:
        check_count("token_budget", value)
    return value


def _file_name(kwargs: Mapping[str, Any]) -> str | None:
    name, subfolder = kwargs.get("file_name"), kwargs.get("subfolder")
    if subfolder and not name:
        raise OptionError(f"model_kwargs subfolder={subfolder!r} without file_name; give both")
    return str(PurePosixPath(subfolder, name)) if subfolder and name else name
