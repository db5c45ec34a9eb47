"""How near a static model comes to its teacher, on texts that it was not fitted to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_st.evaluation.statistics import spearman
from edge_st_runtime.arrays import Floats
from edge_st_runtime.vectors.parity import cosines

from ..original.texts import ORDINARY, questions

#: of many texts one in a hundred is held out, of few as many as give the comparison some, but at most every other one
_HELD_EVERY, _HELD_LEAST = 100, 100
#: as many texts are compared with each other at most
_MOST = 2000
_LOW = 5  # per cent of the texts are below `Quality.cosine_p5`


@dataclass(frozen=True, eq=False)
class Held:
    """Texts, the teacher's unit ``vectors`` of them (texts, teacher's dimension), and the ``goals`` of the fit.

    The goals (texts, dim) are the vectors' projections on the static model's axes; None where nothing was fitted, and
    the texts are the built-in ones.
    """

    texts: Sequence[str]
    vectors: Floats
    goals: Floats | None


@dataclass(frozen=True)
class Quality:
    """What a static model keeps of its teacher, on so many ``texts``; ``own`` says that they are the user's.

    ``agreement`` is the share of the texts that have the same nearest other text as with the teacher. ``spearman`` is
    the rank correlation of the similarities of all pairs of texts. ``cosine_mean`` and ``cosine_p5`` are the mean and
    the 5th percentile of the cosines with the teacher's vectors, projected on the static model's axes; None where the
    model was not fitted.
    """

    texts: int
    own: bool
    agreement: float
    spearman: float
    cosine_mean: float | None = None
    cosine_p5: float | None = None

    def entry(self) -> dict[str, Any]:
        """The measurements by name."""
        return asdict(self)

    def facts(self) -> list[tuple[str, str]]:
        """The measurements in words."""
        texts = f"{self.texts} {'texts that were held out' if self.own else 'built-in English texts'}"
        facts = [
            ("compared with the teacher", f"on {texts}"),
            ("  same nearest text", f"{self.agreement:.4f}"),
            ("  Spearman of similarities", f"{self.spearman:.4f}"),
        ]
        if self.cosine_mean is not None:
            facts.append(("  cosine, mean", f"{self.cosine_mean:.4f}"))
            facts.append(("  cosine, 5th percentile", f"{self.cosine_p5:.4f}"))
        return facts


def held_out(count: int) -> NDArray[np.bool_]:
    """Which of so many texts are held out of a fit: two at least."""
    every = min(max(count // _HELD_LEAST, 2), _HELD_EVERY)
    return np.arange(count) % every == 0


def built_in_texts() -> list[str]:
    """English passages, questions on them, and single sentences."""
    return [*ORDINARY, *(text for passage, asked in questions() for text in (passage, *asked))]


def measure(model: Any, held: Held) -> Quality:
    """Compare what ``model`` gives for the texts with the teacher's vectors."""
    found = model.encode(list(held.texts), normalize_embeddings=True)
    some = np.linspace(0, len(found) - 1, min(len(found), _MOST)).astype(np.int64)
    own, other = (vectors[some] @ vectors[some].T for vectors in (found, held.vectors))
    pairs = np.triu_indices(len(some), k=1)
    for similarities in (own, other):
        np.fill_diagonal(similarities, -np.inf)
    near = None if held.goals is None else cosines(found.astype(np.float64), held.goals.astype(np.float64))
    return Quality(
        texts=len(held.texts),
        own=held.goals is not None,
        agreement=float((own.argmax(axis=1) == other.argmax(axis=1)).mean()),
        spearman=spearman(own[pairs], other[pairs]),
        cosine_mean=None if near is None else float(near.mean()),
        cosine_p5=None if near is None else float(np.percentile(near, _LOW)),
    )
