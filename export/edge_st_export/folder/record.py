"""Write edge_st.json, the record of an exported model folder; `edge_st_runtime.model.record` reads it."""

import json
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edge_st_runtime.files.reading import read_json, sha256
from edge_st_runtime.model.classes import MULTI_VECTOR_ENCODER, SPARSE_ENCODER, TASKS
from edge_st_runtime.model.fingerprint import ModelIdentity, RouteIdentity
from edge_st_runtime.model.folder import read_folder
from edge_st_runtime.model.record import FILE_NAME, FORMAT_VERSION, Golden
from edge_st_runtime.model.tasks import read_tasks
from edge_st_runtime.model.tokenizers import open_tokenizer
from edge_st_runtime.vectors.sparse import SparseMatrix, select_max_active_dims

from ..original.loading import Source
from ..original.reference import Reference
from .parity import GraphReport
from .paths import INT8_FILES

#: in the order of the record; float16 is only taken on GPUs, int8 only when asked for
_DTYPES = ("float16", "bfloat16", "float32", "int8")
#: how many values of a sparse golden vector are stored
_KEPT = 32
#: the digits of golden values; of token vectors there are many, and 5 digits change a cosine by less than 1e-8
_DIGITS, _TOKEN_DIGITS = 7, 5
#: in the order of the record; the runtime takes the first that the CPU can run
_INT8 = (
    *INT8_FILES,
    "openvino/openvino_model_qint8_quantized.xml",
    "onnx/model_qint8_avx512_vnni.onnx",
    "onnx/model_qint8_avx512.onnx",
    "onnx/model_quint8_avx2.onnx",
    "onnx/model_qint8_arm64.onnx",
)
_TOOLS = (
    "edge-st", "edge-st-export", "sentence-transformers", "transformers", "tokenizers", "torch", "optimum",
    "optimum-onnx", "optimum-intel", "onnx", "onnxruntime", "openvino", "nncf",
)  # fmt: skip


def write_record(
    folder: Path,
    source: Source,
    weights_sha256: str,
    reference: Reference,
    graphs: Iterable[GraphReport],
    int8: Mapping[str, Any],
) -> None:
    """Write the record of the finished ``folder``: its origin, every file's checksum, its graphs and golden vectors.

    ``weights_sha256`` is the digest of the original's weights that the fingerprint takes. ``graphs`` come best first
    within a dtype. ``int8`` holds further entries, which say how int8 graphs were made.
    """
    limit, identity = _identity(folder, weights_sha256)
    golden = [part.golden for part in reference]
    _write(
        folder,
        {
            "format_version": FORMAT_VERSION,
            "task": TASKS[source.model_type],
            "source": {"name": source.name, "revision": source.revision},
            "made_with": _versions(),
            "dimension": int(golden[0].embeddings.shape[1]),
            "max_seq_length": limit,
            "fingerprint": identity,
            "weights_sha256": weights_sha256,
            **int8,
            "files": _files(folder),
            "graphs": sorted((report.entry() for report in graphs), key=_rank),
            "golden": {
                "texts": reference[0].golden_texts,
                "vectors": [_vectors(each, source.model_type) for each in golden],
            },
        },
    )


def add_graph(folder: Path, report: GraphReport) -> None:
    """Add a graph to the record of ``folder``, after those of its dtype; it is not there yet."""
    content = read_json(folder / FILE_NAME)
    graphs = sorted([*content["graphs"], report.entry()], key=_rank)
    _write(folder, content | {"graphs": graphs, "files": _files(folder)})


def forget_graph(folder: Path, file: str) -> None:
    """Remove the measurements of a rewritten graph file from the record of ``folder``, and update its checksum."""
    content = read_json(folder / FILE_NAME)
    graphs = [entry for entry in content["graphs"] if entry["file"] != file]
    _write(folder, content | {"graphs": graphs, "files": _files(folder)})


def keep_graphs(folder: Path, files: Collection[str]) -> None:
    """Remove all graphs but ``files`` from the record of ``folder``, and the checksums of files that are gone."""
    content = read_json(folder / FILE_NAME)
    graphs = [entry for entry in content["graphs"] if entry["file"] in files]
    _write(folder, content | {"graphs": graphs, "files": _files(folder)})


def _identity(folder: Path, weights: str) -> tuple[int | None, str]:
    """The longest limit of a route in tokens (None without one), and the fingerprint of the lossless variants."""
    model = read_folder(folder)
    routes = {}
    for name, route in model.routes.items():
        tokenizer, limit = open_tokenizer(route)
        routes[name] = RouteIdentity(tokenizer.identity(), route.modules, limit, read_tasks(route, tokenizer))
    limits = [route.max_seq_length for route in routes.values() if route.max_seq_length is not None]
    identity = ModelIdentity(
        weights=weights,
        routes=routes,
        router=model.router,
        prompts=model.settings.get("prompts") or {},
        dtype="float32",
        default_prompt_name=model.settings.get("default_prompt_name"),
        max_active_dims=model.settings.get("max_active_dims") if model.model_type == SPARSE_ENCODER else None,
    )
    return max(limits, default=None), identity.fingerprint()


def _rank(entry: Mapping[str, Any]) -> tuple[int, int]:
    """The place of a graph's entry among the others; entries of equal rank stay in their order."""
    file = entry["file"]
    return _DTYPES.index(entry["dtype"]), _INT8.index(file) if file in _INT8 else len(_INT8)


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / FILE_NAME)
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "bytes": path.stat().st_size} for path in paths
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            continue
    return found


def _vectors(golden: Golden, model_type: str) -> dict[str, Any]:
    """The golden vectors: all values of dense ones, the largest values of sparse ones by dimension.

    Of token vectors the rows of all texts, and how many each text has.
    """
    digits = _TOKEN_DIGITS if model_type == MULTI_VECTOR_ENCODER else _DIGITS
    rounded: list[Any] = [[round(value, digits) for value in row] for row in golden.embeddings.tolist()]
    if model_type == SPARSE_ENCODER:
        sparse = select_max_active_dims(SparseMatrix.from_dense(golden.embeddings), _KEPT)
        rounded = [{index: round(value, digits) for index, value in row.items()} for row in sparse.to_dicts()]
    counts = {} if golden.counts is None else {"counts": golden.counts.tolist()}
    return {"prompt_name": golden.prompt_name, "task": golden.task, **counts, "embeddings": rounded}


def _write(folder: Path, content: Mapping[str, Any]) -> None:
    """Write beside, then rename, so that nobody reads half a record. The golden vectors are one line, at the end."""
    golden = json.dumps({"golden": content["golden"]}, ensure_ascii=False)
    others = json.dumps({key: value for key, value in content.items() if key != "golden"}, indent=1, ensure_ascii=False)
    beside = folder / f".{FILE_NAME}.partial"
    beside.write_text(f"{others.removesuffix('}').rstrip()},\n {golden.removeprefix('{')}\n", encoding="utf-8")
    beside.replace(folder / FILE_NAME)
