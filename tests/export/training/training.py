"""Train a case for a few steps, save it, export it, and compare the export with the model that was trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset
from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.sentence_transformer import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sparse_encoder import SparseEncoderTrainer, SparseEncoderTrainingArguments
from torch import nn
from transformers import PrinterCallback

from edge_st.models.classes import open_model
from edge_st.verification.checks import most_difference
from edge_st.verification.comparison import Comparison, compared
from edge_st.verification.outputs import plain_output
from edge_st_export import export_model
from edge_st_export.original.texts import ALL
from edge_st_export.original.texts import PAIRS as TEXT_PAIRS
from edge_st_export.plan import ENGINES
from edge_st_runtime.arrays import Floats
from edge_st_runtime.model.record import FLOAT32_COSINE
from tests.export.training.cases import Case
from tests.export.training.rows import PASSAGES, Columns

_TRAINERS: dict[str, tuple[Any, Any]] = {
    "SentenceTransformer": (SentenceTransformerTrainer, SentenceTransformerTrainingArguments),
    "CrossEncoder": (CrossEncoderTrainer, CrossEncoderTrainingArguments),
    "SparseEncoder": (SparseEncoderTrainer, SparseEncoderTrainingArguments),
}
STEPS, RATE = 3, 1e-2


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model in PyTorch, the folder it is saved in, and what it gave before it was trained."""

    model: Any
    folder: Path
    before: Floats


def train(case: Case, folder: Path) -> Trained:
    """Train the model of ``case`` for a few steps, and save it below ``folder``."""
    model: Any = case.build(folder)
    columns = case.columns(model) if callable(case.columns) else case.columns
    before = outputs(model)
    fit(model, case.loss, columns, folder)
    if case.after is not None:
        case.after(model)
    model.save_pretrained(str(folder / "trained"), create_model_card=False)
    return Trained(model, folder / "trained", before)


def fit(model: Any, loss: Callable[[Any], nn.Module], columns: Columns, folder: Path) -> None:
    """Move the weights of ``model`` with sentence-transformers' trainer."""
    trainer, arguments = _TRAINERS[type(model).__name__]
    settings = arguments(
        output_dir=str(folder / "logs"),
        max_steps=STEPS,
        learning_rate=RATE,
        per_device_train_batch_size=8,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=3,
    )
    training = trainer(model=model, args=settings, train_dataset=Dataset.from_dict(dict(columns)), loss=loss(model))
    training.remove_callback(PrinterCallback)
    training.train()
    model.eval()


def outputs(model: Any) -> Floats:
    """What a model of either library gives: vectors (texts, dim), or logits (pairs, labels)."""
    texts: list[Any] = list(TEXT_PAIRS) if hasattr(model, "predict") else [*ALL, *PASSAGES]
    return plain_output(model, texts, None, None)


def examine(trained: Trained, out: Path, engines: Sequence[str]) -> dict[str, Comparison]:
    """Export the trained model to ``out`` for ``engines``, and compare what every engine gives with what it gave.

    Without a graph of its own OpenVINO runs the ONNX graph, which is quicker.
    """
    export_model(trained.folder, out, engines=engines, quiet=True)
    wanted = outputs(trained.model)
    found = {engine: open_model(out, backend=engine, dtype="float32") for engine in ENGINES}
    return {
        engine: compared(
            "vectors",
            outputs(model),
            wanted,
            most=most_difference(model, FLOAT32_COSINE),
            scores=hasattr(model, "predict"),
        )
        for engine, model in found.items()
    }
