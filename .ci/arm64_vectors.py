"""The outputs of every class of model on one CPU, written down, and compared with those on another CPU.

python .ci/arm64_vectors.py write FOLDER [MODEL...]     on the one
python .ci/arm64_vectors.py compare FOLDER FEATURE...   on the other, which must have these features
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st import CrossEncoder, Index, SentenceTransformer, SparseEncoder
from edge_st.models.classes import open_model
from edge_st.speed.sample_texts import sample_texts
from edge_st_runtime.machine.cpu import cpu_features, cpu_name
from edge_st_runtime.vectors.parity import cosines

sys.path.append(str(Path(__file__).parents[1]))  # for the tests' support; edge-st is the installed one
#: the least cosine of a text's output on both CPUs
LEAST = {"float32": 0.99999, "int8": 0.999}
#: the store's precisions
PRECISIONS = ("float32", "float16", "int8", "binary")
Outputs = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """A model, by its folder or name (None: the bundled one), the dtype to run it in, and every which text it gets."""

    label: str
    model: str | None
    dtype: str
    every: int = 1


def write(folder: Path, given: list[str]) -> int:
    """Make tiny models and the indexes in ``folder``, and keep what these models and the ``given`` ones answer."""
    cases = [*_real(given), *_tiny(folder / "models")]
    outputs = {case.label: _answers(case)[1] for case in cases}
    bundled = SentenceTransformer()
    texts = _texts()
    for precision in PRECISIONS:
        Index.build(bundled, texts, folder / "indexes" / precision, precision=precision).close()
        outputs[f"index {precision}"] = _found(folder, precision)
    np.savez(folder / "outputs.npz", allow_pickle=False, **outputs)
    (folder / "cases.json").write_text(json.dumps([vars(case) for case in cases]), encoding="utf-8")
    print(f"written on {cpu_name()}: {' '.join(sorted(cpu_features()))}")
    return 0


def compare(folder: Path, features: list[str]) -> int:
    """Print the worst cosine of every case, and what is chosen on this CPU; the number of what is wrong."""
    line = "{:<26} {:<20} {:<8} {:>5} {:>13} {:>19}{}".format
    wrong = 0
    print(f"{cpu_name()}: {' '.join(sorted(cpu_features()))}")
    if cpu_features() != set(features):
        print(f"WRONG: expected {' '.join(features)}")
        wrong += 1
    wanted = np.load(folder / "outputs.npz")
    print(line("model", "class", "dtype", "rows", "worst cosine", "largest difference", ""))
    for case in (Case(**row) for row in json.loads((folder / "cases.json").read_text(encoding="utf-8"))):
        kind, found = _answers(case)
        worst = float(cosines(found, wanted[case.label]).min())
        verdict = "" if worst >= LEAST[case.dtype] else f"  WRONG: expected {LEAST[case.dtype]}"
        wrong += bool(verdict)
        apart = float(np.abs(found - wanted[case.label]).max())
        name = case.label.rpartition(" ")[0]
        print(line(name, kind, case.dtype, len(found), f"{worst:.8f}", f"{apart:.2g}", verdict), flush=True)
    for precision in PRECISIONS:
        same = np.array_equal(_found(folder, precision), wanted[f"index {precision}"])
        print(f"index in {precision}, written by the other CPU: {'the same hits' if same else 'WRONG: other hits'}")
        wrong += not same
    return wrong + _choices(folder / "models" / "dense")


def _choices(folder: Path) -> int:
    """Print what "auto" takes of a folder whose int8 needs dot products; the number of what is wrong."""
    expected = "int8" if "asimddp" in cpu_features() else "float32"
    found = SentenceTransformer(folder, backend="onnx").info()
    verdict = "" if found["dtype"] == expected else f"  WRONG: expected {expected}"
    print(f"int8 for asimddp alone: {found['dtype']}, {found['reason']}{verdict}")
    return bool(verdict)


def _real(given: list[str]) -> list[Case]:
    package = Case("all-MiniLM-L6-v2 (package) int8", "all-MiniLM-L6-v2", "int8")
    # an emulator takes minutes for the floating-point products of a real model
    others = [Case(f"{Path(name).name} float32", name, "float32", every=6) for name in given]
    return [Case("bundled float32", None, "float32"), package, *others]


def _tiny(folder: Path) -> list[Case]:
    """Models of every class with a graph, in float32 and with int8 products."""
    from tests.support.tiny_models import graph_entry
    from tests.support.tiny_pair_models import ONE, SPARSE, THREE
    from tests.support.variants import FLOAT32, INT8, quantize, save_variants

    graphs = [graph_entry(INT8, "onnx", "int8", 0.9, cpu_features=["asimddp"]), graph_entry(FLOAT32, "onnx")]
    dense = save_variants(folder / "dense", graphs=graphs, default_dtype="int8")
    cases = [Case("tiny dense float32", str(dense), "float32")]
    for name, tiny in (("cross-encoder", ONE), ("classifier", THREE), ("sparse", SPARSE)):
        for dtype in LEAST:
            path = tiny.save(folder / f"{name}-{dtype}")
            if dtype == "int8":
                quantize(path / "onnx" / "model.onnx").rename(path / "onnx" / "model_quantized.onnx")
            cases.append(Case(f"tiny {name} {dtype}", str(path), dtype))
    return cases


def _answers(case: Case) -> tuple[str, NDArray[Any]]:
    """The model's class, and a row for every text; a cross-encoder's scores of one label are one row."""
    model = open_model(case.model, dtype=case.dtype, local_files_only=True)
    kind, texts = type(model).__name__, _texts()[:: case.every]
    if isinstance(model, CrossEncoder):
        pairs = list(zip(texts, [*texts[1:], texts[0]], strict=True))
        found = np.asarray(model.predict(pairs, show_progress_bar=False))
        return kind, found[None] if found.ndim == 1 else found
    found = model.encode(texts, show_progress_bar=False)
    return kind, found.to_dense() if isinstance(model, SparseEncoder) else np.asarray(found)


def _found(folder: Path, precision: str) -> NDArray[np.int64]:
    """The ids of the best ten rows for each of twelve queries."""
    with Index.open(folder / "indexes" / precision, model=SentenceTransformer()) as index:
        hits = index.search(_texts()[-12:], top_k=10)
    return np.array([[hit["corpus_id"] for hit in row] for row in hits])


def _texts() -> list[str]:
    from tests.support.tiny_tokenizers import NASTY, random_texts

    return [*NASTY, *random_texts(30), *map(str, sample_texts(None, pairs=False).mixed[:36])]


if __name__ == "__main__":
    command, place, *rest = sys.argv[1:]
    sys.exit(write(Path(place), rest) if command == "write" else compare(Path(place), rest))
