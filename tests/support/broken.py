"""Models that give NaN for some texts."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from tests.support.tiny_tokenizers import wordpiece

FOX = wordpiece().token_to_id("fox")


def broken(folder: Path, graph: str = "onnx/model.onnx") -> Path:
    """The folder after the word fox became NaN in its graph."""
    model = onnx.load(str(folder / graph))
    (words,) = (each for each in model.graph.initializer if each.name == "words")
    values = numpy_helper.to_array(words).copy()
    values[FOX] = np.nan
    words.CopyFrom(numpy_helper.from_array(values, "words"))
    onnx.save(model, str(folder / graph))
    return folder
