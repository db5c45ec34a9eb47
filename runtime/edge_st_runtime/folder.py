"""Read a model folder, as sentence-transformers writes it, into a frozen description. Nothing is executed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import DamagedFileError, FolderNotFoundError, UnsupportedModelError
from .files import inside, read_json_list, read_optional_json
from .module_loaders import load_module, pooling_from_config
from .modules import Module
from .record import Record, read_record

SETTINGS_FILE = "config_sentence_transformers.json"
TRANSFORMER, STATIC = "Transformer", "StaticEmbedding"
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer", "data2vec-text"}


@dataclass(frozen=True, eq=False)
class ModelFolder:
    """Everything a folder says about its model, apart from the weights of the first module.

    ``first`` is "Transformer" or "StaticEmbedding", stored in ``first_path``; ``modules`` are those after it;
    ``settings`` is config_sentence_transformers.json, ``transformer`` what is in ``transformer_file``;
    ``pooling_files`` are the configurations of its Poolings. File names are relative to the folder.
    """

    path: Path
    first: str
    first_path: Path
    modules: tuple[Module, ...]
    settings: Mapping[str, Any]
    transformer: Mapping[str, Any]
    transformer_file: str
    pooling_files: tuple[str, ...]
    config: Mapping[str, Any]
    record: Record | None

    @property
    def lower_case(self) -> bool:
        """Whether texts are lowered before the tokenizer sees them."""
        return bool(self.transformer.get("do_lower_case"))

    def max_seq_length(self, tokenizer_limit: int | None) -> int | None:
        """The limit in tokens, in sentence-transformers' order: its own configuration, then the tokenizer's.

        Never more than the positions: older folders say 514 for RoBERTa, which has 512. ``tokenizer_limit`` is the
        tokenizer's model_max_length. Source: sentence-transformers' Transformer.
        """
        own = self._tokenizer_arguments[1].get("model_max_length") or self.transformer.get("max_seq_length")
        limits = [tokenizer_limit if own is None else int(own), self.positions]
        return min((limit for limit in limits if limit is not None), default=None)

    def with_limit(self, limit: int | None) -> dict[str, dict[str, Any]]:
        """What makes ``limit`` the model's own: the file that says it → keys with their values."""
        if self.first == STATIC:
            name = (self.first_path / "tokenizer.json").relative_to(self.path).as_posix()
            cut = {"direction": "Right", "max_length": limit, "strategy": "LongestFirst", "stride": 0}
            return {name: {"truncation": None if limit is None else cut}}
        key, arguments = self._tokenizer_arguments
        if "model_max_length" in arguments:
            return {self.transformer_file: {key: {**arguments, "model_max_length": limit}}}
        return {self.transformer_file: {"max_seq_length": limit}}

    @property
    def _tokenizer_arguments(self) -> tuple[str, Mapping[str, Any]]:
        found = ((key, self.transformer.get(key)) for key in ("tokenizer_args", "processor_kwargs"))
        return next(((key, value) for key, value in found if value), ("", {}))

    @property
    def positions(self) -> int | None:
        """The longest input, special tokens included, that the transformer has positions for; None if it tells none."""
        positions = self.config.get("max_position_embeddings")
        if not isinstance(positions, int) or positions < 1:
            return None
        offset = self.config.get("model_type") in _OFFSET_POSITIONS
        return positions - int(self.config.get("pad_token_id", 1)) - 1 if offset else positions

    def graph_names(self) -> list[str]:
        """Names, relative to the folder, of every graph file in it."""
        root = self.first_path
        found = [path for pattern in ("*", "onnx/*", "openvino/*") for path in root.glob(pattern)]
        return [path.relative_to(root).as_posix() for path in found if path.suffix in (".onnx", ".xml")]


def read_folder(path: Path) -> ModelFolder:
    """Read the folder at ``path``.

    Without modules.json the modules are a Transformer and the pooling that sentence-transformers would choose: the
    last token for causal language models, else the mean. Raises FolderNotFoundError, UnsupportedModelError for
    modules it cannot run (before anything is loaded), MissingFileError and DamagedFileError.
    """
    if not path.is_dir():
        raise FolderNotFoundError(f"no model folder at {path}; give a folder, or a Hub name such as all-MiniLM-L6-v2")
    record = read_record(path)
    entries = _entries(path)
    kinds = [_kind(entry, path) for entry in entries]
    folders = [inside(path, str(entry.get("path", ""))) for entry in entries]
    if kinds[0] not in (TRANSFORMER, STATIC):
        raise UnsupportedModelError(f"{path}: the first module is {kinds[0]}; expected {TRANSFORMER} or {STATIC}")
    config = read_optional_json(folders[0] / "config.json")
    transformer_file, transformer = _transformer_config(folders[0])
    modules = [load_module(kind, folder) for kind, folder in zip(kinds[1:], folders[1:], strict=True)]
    if not (path / "modules.json").is_file():
        modules.append(pooling_from_config({"pooling_mode": _default_mode(config)}))
    return ModelFolder(
        path=path,
        first=kinds[0],
        first_path=folders[0],
        modules=tuple(modules),
        settings=read_optional_json(path / SETTINGS_FILE),
        transformer=transformer,
        transformer_file=transformer_file.relative_to(path).as_posix(),
        pooling_files=tuple(
            (folder / "config.json").relative_to(path).as_posix()
            for kind, folder in zip(kinds, folders, strict=True)
            if kind == "Pooling"
        ),
        config=config,
        record=record,
    )


def _entries(path: Path) -> list[dict[str, Any]]:
    if not (path / "modules.json").is_file():
        if not (path / "config.json").is_file():
            raise FolderNotFoundError(f"{path} has neither modules.json nor config.json; expected a model folder")
        return [{"path": "", "type": f"sentence_transformers.models.{TRANSFORMER}"}]
    entries = read_json_list(path / "modules.json")
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        raise DamagedFileError(f"{path / 'modules.json'} names no modules; download or export the model again")
    return entries


def _kind(entry: dict[str, Any], path: Path) -> str:
    dotted = str(entry.get("type", ""))
    if not dotted.startswith("sentence_transformers."):
        raise UnsupportedModelError(
            f"{path / 'modules.json'} names the module {dotted!r}, which is code of its own; it is not run here. "
            "Expected modules of sentence-transformers; try exporting it: edge-st export MODEL FOLDER"
        )
    return dotted.rpartition(".")[2]


def _transformer_config(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The first file that says something, and what it says; else the one to write."""
    found = ((path, read_optional_json(path)) for path in (folder / name for name in _TRANSFORMER_CONFIGS))
    return next(((path, config) for path, config in found if config), (folder / _TRANSFORMER_CONFIGS[0], {}))


def _default_mode(config: dict[str, Any]) -> str:
    names = config.get("architectures") or [""]
    causal = str(names[0]).endswith("ForCausalLM") and config.get("is_causal") is not False
    return "lasttoken" if causal else "mean"
