"""heads.json: the heads of a graph that gives several kinds of embeddings (BGE-M3), each for a class of its own.

The file has an object for each head: {"dense": {}, "sparse": {"dimension": …, "skipped_token_ids": […], …},
"multi_vector": {…}}. ``weights_sha256`` is a digest of the head's own weights, ``similarity_fn_name`` how its
embeddings are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..engines.signature import SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS, TOKEN_WEIGHTS
from ..errors import EXPORT, WrongClassError
from ..files.fields import Fields
from ..files.reading import CORRECT, WrongValueError, read_json, reading
from ..files.regular import is_there
from ..modules.heads import Head, LexicalWeights, WithoutFirstToken
from ..modules.specs import Module
from .classes import BGE_M3, MULTI_VECTOR_ENCODER, SENTENCE_TRANSFORMER, SPARSE_ENCODER

HEADS_FILE = "heads.json"
DENSE, SPARSE, MULTI_VECTOR = "dense", "sparse", "multi_vector"
#: by the class that opens a folder: the head that it takes
HEAD_OF = {SENTENCE_TRANSFORMER: DENSE, SPARSE_ENCODER: SPARSE, MULTI_VECTOR_ENCODER: MULTI_VECTOR}
#: the files of the heads' weights beside a transformer that is not exported, by head
WEIGHT_FILES = {SPARSE: "sparse_linear.pt", MULTI_VECTOR: "colbert_linear.pt"}


@dataclass(frozen=True)
class Heads:
    """The modules of each head by its name, and the settings of config_sentence_transformers.json that it changes."""

    modules: Mapping[str, tuple[Module, ...]]
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))

    def modules_for(self, model_type: str) -> tuple[Module, ...]:
        """The modules of a route that is opened by the class ``model_type``; those of all heads for BGEM3."""
        if model_type == BGE_M3:
            inside = (module for head in (SPARSE, MULTI_VECTOR) for module in self.modules.get(head, ()))
            return (*inside, Head(DENSE, SENTENCE_EMBEDDING))
        return self.modules[HEAD_OF[model_type]]

    def settings_for(self, model_type: str) -> Mapping[str, Any]:
        """The settings that the class ``model_type`` has by its head."""
        return self.settings.get(HEAD_OF.get(model_type, ""), {})


def read_heads(path: Path) -> Heads | None:
    """The heads in the folder at ``path``; None without heads.json, of a model with one. Raises DamagedFileError."""
    file = path / HEADS_FILE
    if not is_there(file):
        return None
    content = read_json(file)
    with reading(file):
        entries = Fields(content, file, CORRECT)
        unknown = sorted(set(content) - {DENSE, SPARSE, MULTI_VECTOR})
        if unknown or not content:
            raise WrongValueError(f"it names the heads {unknown}; expected {DENSE}, {SPARSE} and {MULTI_VECTOR}")
        modules: dict[str, tuple[Module, ...]] = {DENSE: ()}
        if SPARSE in content:
            modules[SPARSE] = _sparse(entries.object(SPARSE))
        if MULTI_VECTOR in content:
            digest = entries.object(MULTI_VECTOR).text("weights_sha256")
            modules[MULTI_VECTOR] = (Head(MULTI_VECTOR, TOKEN_EMBEDDINGS, weights_sha256=digest), WithoutFirstToken())
        settings = {
            name: {"similarity_fn_name": entries.object(name).text("similarity_fn_name")}
            for name in modules.keys() - {DENSE}
        }
    return Heads(modules, settings)


def _sparse(entry: Fields) -> tuple[Module, ...]:
    skipped = entry.items("skipped_token_ids")
    if not all(type(each) is int and each >= 0 for each in skipped):
        raise WrongValueError(f"skipped_token_ids is {skipped}; expected token ids")
    head = Head(SPARSE, TOKEN_WEIGHTS, weights_sha256=entry.text("weights_sha256"))
    return head, LexicalWeights(entry.count("dimension"), tuple(sorted(skipped)))


def opened_by_head(path: Path, heads: Heads | None, model_type: str | None) -> bool:
    """Whether the class ``model_type`` opens the folder at ``path`` by one of its ``heads`` that is not the dense one.

    Raises WrongClassError for a head that it lacks.
    """
    wanted = HEAD_OF.get(model_type or "")
    if model_type == BGE_M3:
        missing = [head for head in WEIGHT_FILES if heads is None or head not in heads.modules]
        if len(missing) == len(WEIGHT_FILES):
            raise _lacking(path, heads, " and no ".join(map(_words, missing)))
        return True
    if wanted in WEIGHT_FILES and (heads is not None or is_there(path / WEIGHT_FILES[wanted])):
        if heads is None or wanted not in heads.modules:
            raise _lacking(path, heads, _words(wanted))
        return True
    return False


def _lacking(path: Path, heads: Heads | None, missing: str) -> WrongClassError:
    there = [DENSE] if heads is None else list(heads.modules)
    classes = [f"edge_st.{name}" for name, head in HEAD_OF.items() if head in there]
    pickles = [name for name in WEIGHT_FILES.values() if is_there(path / name)]
    export = f"the weights of heads are in {' and '.join(pickles)}" if pickles else "for one with such a head"
    return WrongClassError(
        f"{path} has no {missing} head; it has {' and '.join(map(_words, there))}, which "
        f"{' and '.join(classes)} open{'s' if len(classes) == 1 else ''}; {export}: export the model {EXPORT}",
        SENTENCE_TRANSFORMER,
    )


def _words(head: str) -> str:
    return head.replace("_", "-")
