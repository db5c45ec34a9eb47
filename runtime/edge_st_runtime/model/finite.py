"""The check that what a model gives for a text is a number."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engines.backend import Backend
from ..engines.signature import ACTIVE_VALUES, SCORES, SENTENCE_EMBEDDING, TOKEN_EMBEDDINGS
from ..errors import NotFiniteError
from ..modules.specs import Features, Module
from ..text.tokens import TextOrPair

#: what a model gives, in the order of `Features` that are looked at
RESULTS = (ACTIVE_VALUES, SENTENCE_EMBEDDING, SCORES)
_SHOWN = 40


def broken_row(features: Features, names: Sequence[str]) -> int | None:
    """The first text of a batch for which a feature of these ``names`` is NaN or infinite; None where there is none."""
    for name in names:
        if name in features:
            finite = np.isfinite(_values(features, name))
            if not finite.all():
                return int((~finite.reshape(len(finite), -1).all(axis=1)).argmax())
    return None


def not_finite(
    backend: Backend, modules: Sequence[Module], features: Features, row: int, text: TextOrPair, place: int
) -> NotFiniteError:
    """The error for the text in ``row`` of a batch, which is number ``place`` of the call.

    ``features`` are those of the graph; it names the first of the graph and the ``modules`` whose output is broken.
    """
    engine = backend.info()["engine"]
    culprit = f"the first module ({engine})"
    names = (TOKEN_EMBEDDINGS, *RESULTS)
    alone = {
        name: values[row : row + 1] if isinstance(values, np.ndarray) else values for name, values in features.items()
    }
    remaining = list(modules)
    while broken_row(alone, names) is None and remaining:
        module = remaining.pop(0)
        culprit, alone = type(module).__name__, dict(module(alone))
    shown = text[:_SHOWN] if isinstance(text, str) else tuple(part[:_SHOWN] for part in text)
    damaged = "weights are damaged: download or export the model again"
    other = f"Try dtype='float32' or another backend=…; if it stays so, the {damaged}"
    advice = f"The {damaged}" if engine == "numpy" else other
    return NotFiniteError(f"inputs[{place}], {shown!r}: {culprit} gives NaN or infinity; expected numbers. {advice}")


def _values(features: Features, name: str) -> Any:
    values = features[name]
    if name != TOKEN_EMBEDDINGS:
        return values
    return np.where(features["attention_mask"].astype(bool)[:, :, None], values, 0)
