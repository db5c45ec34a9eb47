"""What int8 keeps of the heads of a graph, measured on ordinary texts against the float32 variant."""

from pathlib import Path
from typing import Any

import numpy as np

from edge_st.verification.heads import open_heads
from edge_st.verification.variants import GraphVariant
from edge_st_runtime.errors import OptionError
from edge_st_runtime.files.regular import is_there
from edge_st_runtime.model.heads import HEADS_FILE, MULTI_VECTOR, SPARSE
from edge_st_runtime.vectors.parity import cosines

from ..folder.head_parity import cosine_of_weights
from ..original.texts import ORDINARY, questions
from .gate import LEXICAL, TOKEN_VECTORS, Gate

_EVERY = 3


class HeadStandard:
    """What the heads of the variant ``plain`` of ``folder`` give; nothing for a folder without heads.json.

    Raises OptionError where ``gate`` asks for a head that is not there.
    """

    def __init__(self, folder: Path, plain: GraphVariant, gate: Gate) -> None:
        self._folder = folder
        asked = (text for passage, queries in questions()[::_EVERY] for text in (passage, *queries))
        self._texts = [*ORDINARY, *asked]
        self._wanted = self._given(plain) if is_there(folder / HEADS_FILE) else None
        lacking = sorted({TOKEN_VECTORS, LEXICAL} & gate.shares.keys() - self.shares(plain).keys())
        if lacking:
            raise OptionError(
                f"the gate asks for {lacking[0]}, but this model has no head that gives them; leave it out"
            )

    def shares(self, variant: GraphVariant) -> dict[str, float]:
        """How much of each head ``variant`` keeps, by the names that the gate has for them."""
        if self._wanted is None:
            return {}
        found, shares = self._given(variant), {}
        if self._wanted["colbert_vecs"] is not None:
            own, wanted = (np.concatenate(each["colbert_vecs"]) for each in (found, self._wanted))
            shares[TOKEN_VECTORS] = float(cosines(own, wanted).mean())
        if self._wanted["lexical_weights"] is not None:
            pairs = zip(found["lexical_weights"], self._wanted["lexical_weights"], strict=True)
            shares[LEXICAL] = float(np.mean([cosine_of_weights(own, wanted) for own, wanted in pairs]))
        return shares

    def _given(self, variant: GraphVariant) -> dict[str, Any]:
        model = open_heads(self._folder, variant)
        heads = model.info()["heads"]
        return model.encode(
            self._texts,
            return_sparse=SPARSE in heads,
            return_colbert_vecs=MULTI_VECTOR in heads,
            show_progress_bar=False,
        )
