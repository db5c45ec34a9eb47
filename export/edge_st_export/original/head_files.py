"""The weights of BGE-M3's heads, which lie as pickles beside the transformer; they are read without running any code.

Source: FlagEmbedding's EncoderOnlyEmbedderM3Runner, EncoderOnlyEmbedderM3Model and M3Embedder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import DamagedFileError, UnsupportedModelError
from edge_st_runtime.files.regular import is_there
from edge_st_runtime.model.classes import MULTI_VECTOR_ENCODER, SENTENCE_TRANSFORMER, SPARSE_ENCODER
from edge_st_runtime.model.fingerprint import weights_digest
from edge_st_runtime.model.folder import ONLY_ROUTE, ModelFolder
from edge_st_runtime.model.heads import DENSE, MULTI_VECTOR, SPARSE, WEIGHT_FILES
from edge_st_runtime.model.route import TRANSFORMER
from edge_st_runtime.modules.specs import Dropout, Normalize, Pooling

from .loading import Source, torch_routes

#: tokens that have no weight
_SKIPPED = ("cls_token", "eos_token", "pad_token", "unk_token")
_MODULES = (Pooling(("cls",)), Normalize())


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear layer: x Wᵀ + b, with ``weight`` (out, in) and ``bias`` (out,)."""

    weight: Floats
    bias: Floats

    @property
    def digest(self) -> str:
        """A digest of the weights."""
        return weights_digest({"weight": self.weight, "bias": self.bias})


@dataclass(frozen=True, eq=False)
class HeadWeights:
    """The layers behind the transformer, None for a head that is not there; ``sparse`` has one output.

    ``width`` is that of the transformer, ``vocabulary`` the number of token ids. ``skipped`` are the ids without a
    weight.
    """

    width: int
    vocabulary: int
    sparse: Linear | None
    colbert: Linear | None
    skipped: tuple[int, ...]

    @property
    def entries(self) -> dict[str, dict[str, Any]]:
        """The content of heads.json."""
        found: dict[str, dict[str, Any]] = {DENSE: {}}
        if self.sparse is not None:
            found[SPARSE] = {
                "dimension": self.vocabulary,
                "skipped_token_ids": list(self.skipped),
                "similarity_fn_name": "dot",
                "weights_sha256": self.sparse.digest,
            }
        if self.colbert is not None:
            found[MULTI_VECTOR] = {"similarity_fn_name": "meanmaxsim", "weights_sha256": self.colbert.digest}
        return found


def read_head_files(source: Source, original: Any, layout: ModelFolder) -> HeadWeights | None:
    """The heads beside the transformer of ``original``, the model of ``source``; None where there are none.

    Raises UnsupportedModelError where the model does not pool as BGE-M3 does, DamagedFileError for a file that holds
    anything but a linear layer of the transformer's width.
    """
    files = {head: source.folder / name for head, name in WEIGHT_FILES.items() if is_there(source.folder / name)}
    route = layout.routes.get(ONLY_ROUTE)
    if not files or source.model_type != SENTENCE_TRANSFORMER or route is None or route.kind != TRANSFORMER:
        return None
    modules = tuple(module for module in route.modules if not isinstance(module, Dropout))
    if modules != _MODULES:
        raise UnsupportedModelError(
            f"{source.folder} has BGE-M3's heads in {' and '.join(path.name for path in files.values())}, whose dense "
            f"vector is that of the first token, normalized; modules.json says {modules}. Correct it to Transformer, "
            "Pooling (cls) and Normalize, or take the .pt files away to export the dense model alone"
        )
    transformer = torch_routes(original)[ONLY_ROUTE][0]
    tokenizer = transformer.tokenizer
    width = int(transformer.auto_model.config.hidden_size)
    names = [getattr(tokenizer, name) for name in _SKIPPED]
    return HeadWeights(
        width=width,
        vocabulary=int(transformer.auto_model.config.vocab_size),
        sparse=_linear(files[SPARSE], width, 1) if SPARSE in files else None,
        colbert=_linear(files[MULTI_VECTOR], width) if MULTI_VECTOR in files else None,
        skipped=tuple(sorted({tokenizer.convert_tokens_to_ids(name) for name in names if name is not None})),
    )


def notes_on(heads: HeadWeights | None) -> list[str]:
    """Which classes open an exported folder that has ``heads``."""
    if heads is None:
        return []
    classes = {SENTENCE_TRANSFORMER: heads, SPARSE_ENCODER: heads.sparse, MULTI_VECTOR_ENCODER: heads.colbert}
    names = ", ".join(name for name, head in classes.items() if head is not None)
    return [f"the graphs have several heads: {names} take one each, edge_st.BGEM3 takes all in one pass"]


def _linear(path: Path, width: int, outputs: int | None = None) -> Linear:
    import torch

    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything
        raise DamagedFileError(
            f"{path} cannot be read as the weights of a linear layer ({str(error).splitlines()[0]:.200}); it is never "
            "opened in a way that runs code: download it again"
        ) from error
    shapes = {name: tuple(value.shape) for name, value in found.items()} if _is_weights(found) else {}
    rows = outputs or next(iter(shapes.get("weight", ())), 0)
    if shapes != {"weight": (rows, width), "bias": (rows,)} or not rows:
        count = outputs or "any"
        raise DamagedFileError(
            f"{path} holds {shapes or found!r:.200}; expected weight ({count}, {width}) and bias ({count},), those of "
            "a linear layer behind this transformer: download it again"
        )
    weight, bias = (found[name].float().numpy() for name in ("weight", "bias"))
    return Linear(weight, bias)


def _is_weights(found: Any) -> bool:
    return isinstance(found, Mapping) and all(hasattr(value, "shape") for value in found.values())
