"""edge-st's models in mteb 2: ``mteb.evaluate(as_mteb_model(model), tasks)``.

This module needs mteb: ``pip install "edge-st[mteb]"``. mteb computes its scores with torch and installs torch and
sentence-transformers; the models still run on their own engines. Without mteb the import raises PackageMissingError.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import OptionError, PackageMissingError
from edge_st_runtime.text.windows import windows

from ..models.cross_encoder import CrossEncoder
from ..models.encoder import Encoder
from ..models.multi_vector_encoder import MultiVectorEncoder
from ..models.results import to_tensor
from ..models.sentence_transformer import SentenceTransformer
from ..models.sparse_encoder import SparseEncoder

try:
    from mteb.models import ModelMeta
    from mteb.models.abs_encoder import AbsEncoder
    from mteb.models.model_meta import ScoringFunction
    from mteb.types import PromptType
except ImportError as error:
    raise PackageMissingError('edge_st.integrations.mteb needs mteb 2; pip install "edge-st[mteb]"') from error

try:
    from mteb.models import MultiVectorSearchEncoderWrapper as _TokenSearch
except ImportError:  # an older mteb, which runs all other models
    _TokenSearch = None

_FRAMEWORKS = {"onnx": "ONNX", "openvino": "OpenVINO", "numpy": "NumPy"}
_BESIDE_THE_FINGERPRINT = ("engine", "dtype", "dimension", "similarity", "max_active_dims", "activation_fn")
_HUB_CACHE = "models--"
#: mteb's names of functions that it calls otherwise
_SCORING_FUNCTIONS = {"maxsim": "MaxSim", "meanmaxsim": "MaxSim"}


def as_mteb_model(model: Any, name: str | None = None) -> "EncoderWrapper | MultiVectorWrapper | CrossEncoderWrapper":
    """Wrap ``model`` for mteb's functions, such as ``mteb.evaluate(as_mteb_model(model), tasks)``.

    Prompts, batches and scores are those of mteb's own wrappers of sentence-transformers' classes. mteb stores results
    under ``name``, in the form ``"owner/name"``. The default is the model's name on the Hub, or ``"local/FOLDER"`` for
    other folders. The revision is the model's fingerprint. What the fingerprint leaves open, such as engine and dtype,
    is in ``experiment_kwargs``, so that mteb does not take cached results of another variant of the model.
    ``ResultCache.load_results`` finds such results with ``load_experiments="match_name"``.

    Raises OptionError for anything but a model of edge-st, for a cross-encoder with several labels, and for a ``name``
    without an owner; PackageMissingError where mteb is too old for a MultiVectorEncoder.
    """
    if name is not None and "/" not in name:
        raise OptionError(f"name is {name!r}; expected 'owner/name', under which mteb stores the results")
    for model_class, wrapper in _WRAPPERS.items():
        if isinstance(model, model_class):
            return wrapper(model, name)
    found = repr(model) if isinstance(model, str | Path) else f"a {type(model).__module__}.{type(model).__name__}"
    raise OptionError(
        f"as_mteb_model got {found}; expected a loaded SentenceTransformer, SparseEncoder, MultiVectorEncoder or "
        "CrossEncoder of edge_st (mteb.evaluate takes sentence-transformers' own as they are)"
    )


class EncoderWrapper(AbsEncoder):  # type: ignore[misc]  # mteb is not seen by the type checker
    """A SentenceTransformer as mteb's EncoderProtocol."""

    def __init__(self, model: Encoder, name: str | None = None) -> None:
        self.model = model
        self._name = name
        prompts, _ = self.validate_task_to_prompt_name(model.prompts, raise_for_invalid_keys=False)
        self.model_prompts: dict[str, str] = prompts or {}

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """The model's metadata, as of this call."""
        return _meta(self.model, self._name, "dense")

    def encode(
        self,
        inputs: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,
        hf_split: str,  # noqa: ARG002 - part of the protocol
        hf_subset: str,  # noqa: ARG002
        prompt_type: PromptType | None = None,
        **kwargs: Any,
    ) -> Any:
        """Embeddings (n, dim) of the texts in the batches; ``kwargs`` go to the model's ``encode``."""
        name = self.get_prompt_name(task_metadata, prompt_type)
        prompt = None if name is None else self.model_prompts[name]
        return self._function(prompt_type)(list(_texts(inputs)), prompt=prompt, **kwargs)

    def _function(self, prompt_type: PromptType | None) -> Callable[..., Any]:
        if prompt_type is None:
            return self.model.encode
        return self.model.encode_query if prompt_type == PromptType.query else self.model.encode_document

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Scores (n, m) of every pair from (n, dim) and (m, dim), as the tensor that mteb expects."""
        return to_tensor(self.model.similarity(embeddings1, embeddings2))

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Scores (n,) of ``embeddings1[i]`` with ``embeddings2[i]``, as the tensor that mteb expects."""
        return to_tensor(self.model.similarity_pairwise(embeddings1, embeddings2))


class SparseEncoderWrapper(EncoderWrapper):
    """A SparseEncoder as mteb's EncoderProtocol."""

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """The model's metadata, as of this call."""
        return _meta(self.model, self._name, "sparse")

    def encode(self, inputs: Iterable[Mapping[str, Any]], *, task_metadata: Any, **kwargs: Any) -> Any:
        """A SparseMatrix (n, dim) for retrieval, where mteb only passes it to `similarity`; else an array."""
        passed_on = task_metadata.simplified_task_type == "retrieval" and "Reranking" not in task_metadata.type
        return super().encode(inputs, task_metadata=task_metadata, convert_to_sparse_tensor=passed_on, **kwargs)


class MultiVectorWrapper(_TokenSearch or object):  # type: ignore[misc]  # as EncoderWrapper
    """A MultiVectorEncoder as mteb's SearchProtocol: mteb runs it on retrieval and reranking only.

    Raises PackageMissingError where mteb does not know such models yet.
    """

    def __init__(self, model: MultiVectorEncoder, name: str | None = None) -> None:
        if _TokenSearch is None:
            raise PackageMissingError("this mteb does not know multi-vector models yet; pip install -U mteb")
        self.model = model
        self._name = name
        self._encoder = EncoderWrapper(model, name)

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """The model's metadata, as of this call."""
        return _meta(self.model, self._name, "late-interaction")

    def _encode(self, inputs: Iterable[Mapping[str, Any]], **kwargs: Any) -> Any:
        """Token vectors (tokens, dim) of the texts in the batches; the mixin calls this."""
        return self._encoder.encode(inputs, **kwargs)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Scores (n, m) of every query with every document, as the tensor that mteb expects."""
        return self._encoder.similarity(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Scores (n,) of each query with the document at its place, as the tensor that mteb expects."""
        return self._encoder.similarity_pairwise(embeddings1, embeddings2)


class CrossEncoderWrapper:
    """A CrossEncoder as mteb's CrossEncoderProtocol."""

    def __init__(self, model: CrossEncoder, name: str | None = None) -> None:
        if model.num_labels != 1:
            raise OptionError(f"mteb ranks by one score of a pair; this model gives {model.num_labels}")
        self.model = model
        self._name = name

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """The model's metadata, as of this call."""
        return _meta(self.model, self._name, "cross-encoder")

    def predict(
        self,
        inputs1: Iterable[Mapping[str, Any]],
        inputs2: Iterable[Mapping[str, Any]],
        *,
        task_metadata: Any,  # noqa: ARG002 - part of the protocol
        hf_split: str,  # noqa: ARG002
        hf_subset: str,  # noqa: ARG002
        prompt_type: PromptType | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> Floats:
        """Scores (n,) of the pairs of texts from both batches; ``kwargs`` go to `CrossEncoder.predict`."""
        pairs = zip(_texts(inputs1), _texts(inputs2), strict=True)
        scores = [self.model.predict(window, **kwargs) for window in windows(pairs)]
        return np.concatenate([np.zeros(0, dtype=np.float32), *scores])


_WRAPPERS: dict[type, Callable[..., EncoderWrapper | MultiVectorWrapper | CrossEncoderWrapper]] = {
    SentenceTransformer: EncoderWrapper,
    SparseEncoder: SparseEncoderWrapper,
    MultiVectorEncoder: MultiVectorWrapper,
    CrossEncoder: CrossEncoderWrapper,
}


def _texts(batches: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for batch in batches:
        yield from batch["text"]


def _meta(model: Encoder | CrossEncoder, name: str | None, model_type: str) -> ModelMeta:
    info = model.info()
    similarity = info.get("similarity")
    function = similarity and _SCORING_FUNCTIONS.get(similarity, similarity)
    return ModelMeta.create_empty(
        overwrites={
            "name": name or _name_of(Path(info["path"])),
            "revision": info["fingerprint"],
            "max_tokens": model.max_seq_length,
            "embed_dim": info.get("dimension"),
            "similarity_fn_name": function and ScoringFunction(function),
            "framework": [_FRAMEWORKS[info["engine"]]],
            "model_type": [model_type],
            "experiment_kwargs": {key: info[key] for key in _BESIDE_THE_FINGERPRINT if info.get(key) is not None},
        }
    )


def _name_of(folder: Path) -> str:
    """The model's name on the Hub if its folder is in huggingface_hub's cache, else ``local/FOLDER``."""
    cached = next((part for part in folder.parts if part.startswith(_HUB_CACHE)), None)
    return f"local/{folder.name}" if cached is None else cached.removeprefix(_HUB_CACHE).replace("--", "/", 1)
