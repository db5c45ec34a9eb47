"""Functions that turn a cross-encoder's logits into scores: given by name, as a module of torch.nn or as a function.

Source: sentence-transformers' CrossEncoder.get_default_activation_fn.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from edge_st_runtime.arrays import Floats
from edge_st_runtime.errors import NotFiniteError, OptionError, UnsupportedModelError
from edge_st_runtime.files.reading import reading
from edge_st_runtime.model.folder import ModelFolder
from edge_st_runtime.modules.activations import ACTIVATIONS, find_activation, identity, sigmoid

ScoreActivation: TypeAlias = Callable[[Any], Any]
logger = logging.getLogger(__name__)
_BY_NAME = {name.lower(): function for name, function in ACTIVATIONS.items()}


def as_activation(value: ScoreActivation | str) -> ScoreActivation:
    """``value`` as a function of an array (n, labels). Raises OptionError for an unknown name.

    ``value`` is a name, a module of torch.nn, or such a function itself.
    """
    if isinstance(value, str):
        return _named(value)
    if type(value).__module__.startswith("torch.nn.") and _without_settings(value):
        return _BY_NAME.get(type(value).__name__.lower(), value)
    if not callable(value):
        raise OptionError(f"activation_fn is {value!r}; expected a function of an array, or a name such as 'sigmoid'")
    return value


def _without_settings(module: Any) -> bool:
    """Whether a module of torch.nn is as its class makes it without arguments: those functions are known here."""
    try:
        return repr(module) == repr(type(module)())
    except TypeError:
        return False


def _named(name: str) -> ScoreActivation:
    try:
        return _BY_NAME.get(name.lower()) or find_activation(name)
    except UnsupportedModelError:
        known = ", ".join(sorted(ACTIVATIONS))
        raise OptionError(f"activation_fn is {name!r}; expected a function of an array, or one of {known}") from None


def apply_activation(activation: ScoreActivation, logits: Floats) -> Floats:
    """What ``activation`` returns for ``logits`` (n, labels), as float32.

    It is given an array, or a tensor if it cannot take an array. Raises OptionError where it takes neither, and where
    it changes the number of pairs or the shape; NotFiniteError where it gives NaN or infinity.
    """
    try:
        found = np.asarray(activation(logits), dtype=np.float32)
    except (TypeError, AttributeError) as error:
        torch = sys.modules.get("torch")
        if torch is None:
            raise OptionError(
                f"activation_fn takes no array ({error}); expected a function of a NumPy array (n, labels), or a name "
                "such as 'sigmoid'"
            ) from error
        found = activation(torch.from_numpy(logits)).detach().numpy()
    if found.shape[:1] != logits.shape[:1] or (found.ndim > 1 and found.shape != logits.shape):
        raise OptionError(f"activation_fn made {found.shape} of logits {logits.shape}; expected a score for every pair")
    finite = np.isfinite(found)
    if not finite.all():
        row = int(np.argwhere(~finite)[0, 0])
        raise NotFiniteError(
            f"inputs[{row}]: activation_fn gives {found[row]} for the logits {logits[row]}; expected numbers: pass "
            "another activation_fn"
        )
    return found


def activation_name(activation: ScoreActivation) -> str | None:
    """The dotted name that a folder keeps for ``activation``; None for a function of the caller's own."""
    found = next((name for name, function in ACTIVATIONS.items() if function is activation), None)
    return None if found is None else f"torch.nn.modules.{'linear' if found == 'Identity' else 'activation'}.{found}"


def saved_activation(folder: ModelFolder, config: Mapping[str, Any], labels: int) -> ScoreActivation:
    """The activation that the model was saved with, wherever any version of sentence-transformers keeps its name.

    Without one it is the sigmoid for one label and the identity for several; so it is, with a warning, where the model
    names code of its own. ``config`` is the transformer's. Raises DamagedFileError, and UnsupportedModelError for a
    function of torch that is not known here.
    """
    with reading(folder.path / "config.json"):
        in_config = (config.get("sentence_transformers") or {}).get("activation_fn")
    names = (folder.settings.get("activation_fn"), in_config, config.get("sbert_ce_default_activation_function"))
    name = next(filter(None, names), None)
    if str(name).startswith("torch."):
        return find_activation(str(name))
    if name is not None:
        logger.warning(
            "Activation function path '%s' is not trusted, using default activation function instead. It is in %s",
            name,
            folder.path,
        )
    return sigmoid if labels == 1 else identity
