"""What a single call changes of how its texts become tokens. Source: sentence-transformers' Transformer.preprocess."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from edge_st_runtime.errors import OptionError

from .limits import changed_limits
from .runner import Runner
from .settings import Settings

logger = logging.getLogger(__name__)
_GROUPS = ("audio", "chat_template", "common", "image", "text", "video")
_WITHOUT_EFFECT = {"padding", "pad_to_multiple_of", "padding_side", "return_tensors", "return_attention_mask"}
_CUTS: Mapping[Any, bool] = {True: True, "longest_first": True, False: False, "do_not_truncate": False}


class CallOptions(NamedTuple):
    """The arguments of ``encode`` and ``predict`` that only some calls have."""

    task: str | None = None
    processing_kwargs: Mapping[str, Any] | None = None


class Processing(NamedTuple):
    """``settings`` of a call, and whether its texts are cut at all: where they are not, one too long is an error."""

    settings: Settings
    cuts: bool = True


def processed(runner: Runner, processing_kwargs: Mapping[str, Any] | None) -> Processing:
    """The settings of ``runner`` with what ``processing_kwargs`` change for one call.

    Their groups "text" and "common" may have ``max_length``, a limit in tokens, and ``truncation``: True or
    "longest_first"; or False or "do_not_truncate", with which a text beyond the positions of the model is an error.
    Arguments about padding have no effect. Raises OptionError for others.
    """
    if not processing_kwargs:
        return Processing(runner.settings)
    if not isinstance(processing_kwargs, Mapping) or not all(
        isinstance(group, Mapping) for group in processing_kwargs.values()
    ):
        raise OptionError(
            f"processing_kwargs is {processing_kwargs!r}; expected groups with their settings, such as "
            "{'text': {'max_length': 256}}"
        )
    unknown = set(processing_kwargs) - set(_GROUPS)
    if unknown:
        logger.warning(
            "Unknown keys in per-call `processing_kwargs`: %s. Valid keys are: %s. Unknown keys will be ignored.",
            unknown,
            list(_GROUPS),
        )
    if processing_kwargs.get("chat_template"):
        raise OptionError("processing_kwargs has 'chat_template'; set it in sentence_bert_config.json of the folder")
    return _of_text(runner, {**processing_kwargs.get("common", {}), **processing_kwargs.get("text", {})})


def _of_text(runner: Runner, text: Mapping[str, Any]) -> Processing:
    surplus = set(text) - {"max_length", "truncation"} - _WITHOUT_EFFECT
    if surplus:
        raise OptionError(
            f"processing_kwargs has {sorted(surplus)} for texts; expected max_length, truncation, padding"
        )
    truncation = text.get("truncation", True)
    if not isinstance(truncation, bool | str) or truncation not in _CUTS:
        raise OptionError(f"truncation in processing_kwargs is {truncation!r}; expected one of {list(_CUTS)}")
    settings = runner.settings
    if not _CUTS[truncation]:
        whole = replace(settings, limits=changed_limits(runner, None), truncation="error", of_call=True)
        return Processing(whole, cuts=False)
    limit = text.get("max_length")
    if limit is None:
        return Processing(settings)
    return Processing(replace(settings, limits=changed_limits(runner, limit), of_call=True))
