"""Read, check and filter the manifest of known models, ``models_manifest.yaml``.

The comment at the top of that file says where each fact comes from.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from edge_st_runtime.errors import DamagedFileError, MissingFileError, OptionError

from .yaml_files import parse_yaml

TASKS = ("sentence-embedding", "cross-encoder", "sparse-encoder", "multi-vector-encoder")
POOLINGS = ("cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean")
MANIFEST_NAME = "models_manifest.yaml"
_MULTILINGUAL = "multilingual"


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model of the manifest. None and empty values mean that a fact is not known.

    The comment at the top of the manifest explains the fields. ``dimension`` is the length of a vector, for sparse
    models the size of the vocabulary. ``max_seq_length`` is in tokens, ``size_mb`` in units of 2**20 bytes as stored.
    ``languages`` are two-letter codes, or only ``"multilingual"``.
    """

    id: str
    task: str
    architecture: str | None = None
    static: bool = False
    remote_code: bool = False
    dimension: int | None = None
    max_seq_length: int | None = None
    pooling: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict, hash=False)
    licence: str | None = None
    revision: str | None = None
    parameters: int | None = None
    size_mb: int | None = None
    languages: tuple[str, ...] = ()
    good_for: str = ""

    @property
    def name(self) -> str:
        """The id without its organisation."""
        return self.id.partition("/")[2]


def load_manifest(path: str | Path | None = None) -> tuple[ModelEntry, ...]:
    """Read and check a manifest, by default the one in the package.

    Returns:
        The entries in the order of the file.

    Raises:
        MissingFileError: there is no such file.
        DamagedFileError: not YAML, or an entry is not valid; the message names the entry and the key.
    """
    return _packaged() if path is None else _read(Path(path))


def find_model(name: str) -> ModelEntry:
    """Look a model up by ``organisation/name`` or by ``name`` alone, in any case.

    Raises:
        OptionError: no such model; the message lists similar names.
    """
    entries = load_manifest()
    wanted = name.strip().casefold()
    for entry in entries:
        if wanted in (entry.id.casefold(), entry.name.casefold()):
            return entry
    known = {key.casefold(): entry.id for entry in entries for key in (entry.name, entry.id)}
    close = dict.fromkeys(known[match] for match in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5))
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise OptionError(f"model {name!r} is not in the manifest; {hint}'edge-st list' prints all {len(entries)} models")


def filter_models(
    entries: Iterable[ModelEntry],
    task: str | None = None,
    language: str | None = None,
    licence: str | None = None,
    max_size_mb: float | None = None,
    text: str | None = None,
) -> tuple[ModelEntry, ...]:
    """The entries that meet every given condition. An entry whose fact is not known does not meet it.

    Args:
        entries: the entries to choose from.
        task: one of ``TASKS``.
        language: a two-letter code, which multilingual models meet, too, or ``"multilingual"``.
        licence: a licence identifier, in any case.
        max_size_mb: the largest stored size.
        text: words that must all occur in the id, the architecture or ``good_for``, in any case.

    Raises:
        OptionError: an unknown task.
    """
    if task is not None and task not in TASKS:
        raise OptionError(f"task {task!r} is unknown; expected one of {', '.join(TASKS)}")
    words = text.casefold().split() if text else []
    return tuple(
        entry
        for entry in entries
        if (task is None or entry.task == task)
        and (language is None or language.casefold() in entry.languages or _MULTILINGUAL in entry.languages)
        and (licence is None or (entry.licence or "").casefold() == licence.casefold())
        and (max_size_mb is None or (entry.size_mb is not None and entry.size_mb <= max_size_mb))
        and all(word in f"{entry.id} {entry.architecture or ''} {entry.good_for}".casefold() for word in words)
    )


def format_table(entries: Sequence[ModelEntry]) -> str:
    """The entries as a text table with a line for each; ``-`` stands for an unknown fact."""
    header = ("model", "task", "dim", "tokens", "MB", "licence", "languages", "good for")
    rows = [header, *(_row(entry) for entry in entries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    sides = [">" if title in ("dim", "tokens", "MB") else "<" for title in header]
    template = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, widths, strict=True))
    return "\n".join(template.format(*row).rstrip() for row in rows)


def _row(entry: ModelEntry) -> tuple[str, ...]:
    numbers = (entry.dimension, entry.max_seq_length, entry.size_mb)
    return (
        entry.id,
        entry.task,
        *("-" if number is None else str(number) for number in numbers),
        entry.licence or "-",
        ",".join(entry.languages) or "-",
        entry.good_for or "-",
    )


@cache
def _packaged() -> tuple[ModelEntry, ...]:
    package = Path(__file__).resolve().parent
    installed, checkout = package / MANIFEST_NAME, package.parent / MANIFEST_NAME
    return _read(installed if installed.is_file() else checkout)


def _read(path: Path) -> tuple[ModelEntry, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise MissingFileError(f"no model manifest at {path}; give the path of one, or reinstall edge-st") from None
    except UnicodeDecodeError as error:
        raise DamagedFileError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    document = parse_yaml(text, path)
    if not isinstance(document, dict) or set(document) != {"models"} or not isinstance(document["models"], list):
        raise DamagedFileError(f"{path}: expected one key 'models' that holds a list of entries")
    entries = tuple(_entry(raw, number, path) for number, raw in enumerate(document["models"], start=1))
    _refuse_duplicates(entries, path)
    return entries


def _entry(raw: object, number: int, path: Path) -> ModelEntry:
    if not isinstance(raw, dict):
        raise DamagedFileError(f"{path}: entry {number} is {raw!r}; expected keys and values")
    label = f"{path}: entry {number} ({raw.get('id', 'without an id')})"
    for key in ("id", "task"):
        if key not in raw:
            raise DamagedFileError(f"{label}: key {key!r} is missing")
    values: dict[str, object] = {}
    for key, value in raw.items():
        if key not in _CHECKS:
            raise DamagedFileError(f"{label}: unknown key {key!r}; allowed are {', '.join(_CHECKS)}")
        expected, holds = _CHECKS[key]
        if not holds(value):
            raise DamagedFileError(f"{label}: key {key!r} is {value!r}; expected {expected}")
        values[key] = tuple(value) if isinstance(value, list) else value
    return ModelEntry(**values)  # type: ignore[arg-type]  # every value has passed its check


def _refuse_duplicates(entries: Iterable[ModelEntry], path: Path) -> None:
    seen: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        name = entry.name.casefold()
        if name in seen:
            raise DamagedFileError(f"{path}: entry {number} ({entry.id}): key 'id' repeats the name of {seen[name]}")
        seen[name] = entry.id


def _matches(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _is_languages(value: object) -> bool:
    code = _matches(r"[a-z]{2}")
    return isinstance(value, list) and bool(value) and (value == [_MULTILINGUAL] or all(map(code, value)))


def _is_prompts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(part, str) for pair in value.items() for part in pair)


_TEXT = ("a text", _matches(r"(?s).*\S.*"))
_COUNT = ("a whole number above 0", lambda value: type(value) is int and value > 0)
_FLAG = ("true or false", lambda value: type(value) is bool)
_CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "id": ("organisation/name", _matches(r"[\w.-]+/[\w.-]+")),
    "task": (f"one of {', '.join(TASKS)}", lambda value: value in TASKS),
    "architecture": _TEXT,
    "static": _FLAG,
    "remote_code": _FLAG,
    "dimension": _COUNT,
    "max_seq_length": _COUNT,
    "pooling": (f"one of {', '.join(POOLINGS)}", lambda value: value in POOLINGS),
    "prompts": ("texts by name", _is_prompts),
    "licence": ("an identifier in lower case", _matches(r"[a-z0-9][a-z0-9.-]*")),
    "revision": ("a commit of 40 hexadecimal digits, quoted", _matches(r"[0-9a-f]{40}")),
    "parameters": _COUNT,
    "size_mb": _COUNT,
    "languages": ("a list of two-letter codes, or [multilingual]", _is_languages),
    "good_for": _TEXT,
}
