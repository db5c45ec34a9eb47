"""The number of tokens a text is cut to, as a user sees and sets it."""

import math
from collections.abc import Mapping

import numpy as np

from edge_st_runtime.errors import OptionError
from edge_st_runtime.model.classes import CROSS_ENCODER
from edge_st_runtime.model.route import BAG, TABLES, WORDS

from .runner import Runner


def longest_limit(runner: Runner) -> int | float | None:
    """The greatest limit of the routes; infinite where one takes texts of any length, None where none is known."""
    routes = runner.folder.routes
    unlimited = {name: math.inf if routes[name].kind in TABLES else None for name in routes}
    limits = [unlimited[name] if limit is None else limit for name, limit in runner.settings.limits.items()]
    return max((limit for limit in limits if limit is not None), default=None)


def changed_limits(runner: Runner, value: float | None) -> Mapping[str, int | None]:
    """The limits of all routes after `max_seq_length` is set to ``value``.

    Routes of word vectors keep theirs where there are others. Raises OptionError for ``value`` that is no whole number,
    is beyond the positions of the model or leaves no room for a token.
    """
    limit = None if value is None or value == math.inf else _whole(value)
    routes = runner.folder.routes
    cut = {name: route for name, route in routes.items() if route.kind not in (WORDS, BAG)} or routes
    for name, route in cut.items():
        if limit is not None and route.positions is not None and limit > route.positions:
            raise OptionError(f"max_seq_length is {limit}; this model has {route.positions} positions")
        tokenizer = runner.pipelines[name].tokenizer
        tokenizer.check_limit(limit, pairs=runner.folder.model_type == CROSS_ENCODER)
    new = {name: route.positions if limit is None else limit for name, route in cut.items()}
    return {**runner.settings.limits, **new}


def _whole(value: float) -> int:
    if not isinstance(value, int | float | np.integer) or not float(value).is_integer():
        raise OptionError(f"max_seq_length is {value!r}; expected a whole number of tokens, or None")
    return int(value)
