"""What becomes of a cross-encoder's logits: relevance, probabilities, an order."""

from edge_st_runtime.arrays import Floats
from edge_st_runtime.modules.activations import sigmoid, softmax

from ..models.cross_encoder import CrossEncoder
from .engine import Counts, Engine, Texts
from .fields import NoSuchTaskError


async def relevance(engine: Engine, texts: Texts) -> tuple[Floats, Counts]:
    """The logits (n,) float32 of pairs of a query and a text.

    Raises NoSuchTaskError for a model of another class or with several labels, and what `Engine.score` raises.
    """
    model = engine.model
    if isinstance(model, CrossEncoder) and model.num_labels != 1:
        raise NoSuchTaskError(
            f"the model {engine.name!r} classifies pairs into {model.num_labels} labels; reranking needs one score"
        )
    logits, counts = await engine.score(texts)
    return logits[:, 0], counts


def probabilities(logits: Floats) -> Floats:
    """``logits`` (n, labels) as probabilities: the sigmoid of a single label, the softmax over several."""
    return sigmoid(logits) if logits.shape[-1] == 1 else softmax(logits)


def best_first(scores: Floats) -> list[int]:
    """The places of ``scores`` (n,), highest first; equal ones stay in their order."""
    return (-scores).argsort(kind="stable").tolist()
