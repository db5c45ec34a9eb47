"""The tokens by whose logits a language model scores texts, as the model's folder says them."""

from edge_st_runtime.errors import EXPORT, UnsupportedModelError
from edge_st_runtime.files.reading import read_json, reading
from edge_st_runtime.model.folder import ONLY_ROUTE, ModelFolder
from edge_st_runtime.modules.specs import InGraph
from edge_st_runtime.text.tokenizer_file import read_tokenizer

from .heads import Answers

_MODULE = "LogitScore"
#: without modules.json; source: the _load_default_modules of sentence-transformers' CrossEncoder
_TRUE, _FALSE = "yes", "no"


def read_answers(described: ModelFolder) -> Answers | None:
    """Those of the LogitScore on the only route of the model, None where there is none.

    Raises DamagedFileError, and UnsupportedModelError where the tokenizer lacks the tokens of a model without modules.
    """
    route = described.routes[ONLY_ROUTE]
    if not any(isinstance(module, InGraph) and module.kind == _MODULE for module in route.modules):
        return None
    for kind, folder in described.steps[ONLY_ROUTE]:
        if kind == _MODULE:
            path = folder / "config.json"
            with reading(path):
                config = read_json(path)
                false = config.get("false_token_id")
                return Answers(int(config["true_token_id"]), None if false is None else int(false))
    path = route.path / "tokenizer.json"
    tokenizer = read_tokenizer(path)
    true, false = (tokenizer.token_to_id(token) for token in (_TRUE, _FALSE))
    if true is None or false is None:
        raise UnsupportedModelError(
            f"{path} lacks the token {_TRUE if true is None else _FALSE!r}, by which a model without modules.json "
            f"scores texts; give modules.json with a {_MODULE}, and export the model {EXPORT}"
        )
    return Answers(true, false)
