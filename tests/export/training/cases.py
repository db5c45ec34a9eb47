"""The losses of sentence-transformers, each with a small model, rows to train it on, and what is done afterwards."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.base.model import BaseModel
from sentence_transformers.cross_encoder import losses as cross_losses
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from sentence_transformers.sparse_encoder import losses as sparse_losses
from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder, SpladePooling
from torch import nn
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification, BertConfig

from tests.export.originals import BERT_TOKENS, HIDDEN, SIZES, save_transformer
from tests.export.training import rows
from tests.export.training.rows import Columns

Build: TypeAlias = Callable[[Path], BaseModel]
#: of the embedding models
LAYERS = 3
#: what Matryoshka models and models of fewer layers are cut to
KEPT_DIM, KEPT_LAYERS = 12, 2
_DIMS = [HIDDEN, KEPT_DIM]
_TOKENS = {**BERT_TOKENS, "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}


def _first(folder: Path, task: str, labels: int = 2, layers: int = 2, **options: Any) -> Transformer:
    sizes = {**SIZES, "num_hidden_layers": layers}
    config = BertConfig(**sizes, max_position_embeddings=64, num_labels=labels)
    path = save_transformer(folder, config=config, tokens=_TOKENS, **options)
    return Transformer(str(path), transformer_task=task, max_seq_length=48)


def dense(folder: Path) -> SentenceTransformer:
    """BERT with mean pooling."""
    first = _first(folder, "feature-extraction", layers=LAYERS)
    return SentenceTransformer(modules=[first, Pooling(HIDDEN, "mean")], device="cpu")


def cross(folder: Path, labels: int = 1) -> CrossEncoder:
    """BERT with a classifier of so many labels."""
    head = AutoModelForSequenceClassification.from_config
    first = _first(folder, "sequence-classification", labels, model_class=head)
    return CrossEncoder(modules=[first], device="cpu")


def cross_of_three(folder: Path) -> CrossEncoder:
    """BERT with a classifier of three labels."""
    return cross(folder, labels=3)


def splade(folder: Path) -> SparseEncoder:
    """BERT with the head of a masked language model, and SPLADE's pooling."""
    first = _first(folder, "fill-mask", model_class=AutoModelForMaskedLM.from_config)
    return SparseEncoder(modules=[first, SpladePooling("max")], device="cpu")


def autoencoder(folder: Path) -> SparseEncoder:
    """BERT with mean pooling and a sparse autoencoder."""
    torch.manual_seed(5)
    coder = SparseAutoEncoder(HIDDEN, 4 * HIDDEN, k=8, k_aux=16)
    return SparseEncoder(modules=[*dense(folder), coder], device="cpu")


def cut_dimensions(model: Any) -> None:
    """Keep the first dimensions."""
    model.truncate_dim = KEPT_DIM


def drop_layers(model: Any) -> None:
    """Keep the first layers, and say so in the configuration."""
    bert_model = model[0].auto_model
    bert_model.encoder.layer = bert_model.encoder.layer[:KEPT_LAYERS]
    bert_model.config.num_hidden_layers = KEPT_LAYERS


def drop_layers_and_dimensions(model: Any) -> None:
    """Keep the first layers and dimensions."""
    drop_layers(model)
    cut_dimensions(model)


@dataclass(frozen=True)
class Case:
    """A model to train with ``loss`` on ``columns``, or on what a function makes of the untrained model.

    ``after`` is done to the trained model before it is saved.
    """

    loss: Callable[[Any], nn.Module]
    columns: Columns | Callable[[Any], Columns]
    build: Build = dense
    after: Callable[[Any], None] | None = None


def _ranking(model: Any) -> nn.Module:
    return losses.MultipleNegativesRankingLoss(model)


def _splade(main: Callable[[Any], nn.Module]) -> Callable[[Any], nn.Module]:
    def loss(model: Any) -> nn.Module:
        return sparse_losses.SpladeLoss(model, main(model), 3e-4, query_regularizer_weight=5e-4)

    return loss


CASES: Mapping[str, Case] = {
    "MultipleNegativesRanking": Case(_ranking, rows.TRIPLETS),
    "CachedMultipleNegativesRanking": Case(
        lambda model: losses.CachedMultipleNegativesRankingLoss(model, mini_batch_size=4), rows.PAIRS
    ),
    "CosineSimilarity": Case(losses.CosineSimilarityLoss, rows.SCORED),
    "CoSENT": Case(losses.CoSENTLoss, rows.SCORED),
    "AnglE": Case(losses.AnglELoss, rows.SCORED),
    "Contrastive": Case(losses.ContrastiveLoss, rows.LABELLED),
    "Triplet": Case(losses.TripletLoss, rows.TRIPLETS),
    "Softmax": Case(lambda model: losses.SoftmaxLoss(model, HIDDEN, num_labels=3), rows.CLASSES),
    "MSE, distillation": Case(losses.MSELoss, rows.distilled),
    "MSE, multilingual student": Case(losses.MSELoss, rows.translated),
    "MarginMSE": Case(losses.MarginMSELoss, rows.MARGINS),
    "DistillKLDiv": Case(losses.DistillKLDivLoss, rows.TEACHER_SCORES),
    "Matryoshka": Case(
        lambda model: losses.MatryoshkaLoss(model, _ranking(model), _DIMS), rows.TRIPLETS, after=cut_dimensions
    ),
    "AdaptiveLayer": Case(
        lambda model: losses.AdaptiveLayerLoss(model, _ranking(model)), rows.TRIPLETS, after=drop_layers
    ),
    "Matryoshka2d": Case(
        lambda model: losses.Matryoshka2dLoss(model, _ranking(model), _DIMS),
        rows.TRIPLETS,
        after=drop_layers_and_dimensions,
    ),
    "cross-encoder CrossEntropy": Case(cross_losses.CrossEntropyLoss, rows.CLASSES, cross_of_three),
    "cross-encoder BinaryCrossEntropy": Case(cross_losses.BinaryCrossEntropyLoss, rows.LABELLED, cross),
    "cross-encoder Lambda": Case(cross_losses.LambdaLoss, rows.LISTS, cross),
    "cross-encoder MSE": Case(cross_losses.MSELoss, rows.SCORED, cross),
    "Splade over SparseMultipleNegativesRanking": Case(
        _splade(sparse_losses.SparseMultipleNegativesRankingLoss), rows.TRIPLETS, splade
    ),
    "Splade over SparseMarginMSE": Case(_splade(sparse_losses.SparseMarginMSELoss), rows.MARGINS, splade),
    "CSR over SparseMultipleNegativesRanking": Case(sparse_losses.CSRLoss, rows.TRIPLETS, autoencoder),
}
