"""What the name of a model stands for: a folder, or a repository on the Hub, as in sentence-transformers."""

import os
import re
from pathlib import Path

from edge_st_runtime.errors import EXPORT, FolderNotFoundError, NotAFolderError, OptionError

_ORIGINAL = """
albert-base-v1 albert-base-v2 albert-large-v1 albert-large-v2 albert-xlarge-v1 albert-xlarge-v2
albert-xxlarge-v1 albert-xxlarge-v2 bert-base-cased bert-base-cased-finetuned-mrpc bert-base-chinese
bert-base-german-cased bert-base-german-dbmdz-cased bert-base-german-dbmdz-uncased bert-base-multilingual-cased
bert-base-multilingual-uncased bert-base-uncased bert-large-cased bert-large-cased-whole-word-masking
bert-large-cased-whole-word-masking-finetuned-squad bert-large-uncased bert-large-uncased-whole-word-masking
bert-large-uncased-whole-word-masking-finetuned-squad camembert-base ctrl distilbert-base-cased
distilbert-base-cased-distilled-squad distilbert-base-german-cased distilbert-base-multilingual-cased
distilbert-base-uncased distilbert-base-uncased-distilled-squad distilbert-base-uncased-finetuned-sst-2-english
distilgpt2 distilroberta-base gpt2 gpt2-large gpt2-medium gpt2-xl openai-gpt roberta-base
roberta-base-openai-detector roberta-large roberta-large-mnli roberta-large-openai-detector t5-11b t5-3b t5-base
t5-large t5-small transfo-xl-wt103 xlm-clm-ende-1024 xlm-clm-enfr-1024 xlm-mlm-100-1280 xlm-mlm-17-1280
xlm-mlm-en-2048 xlm-mlm-ende-1024 xlm-mlm-enfr-1024 xlm-mlm-enro-1024 xlm-mlm-tlm-xnli15-1024
xlm-mlm-xnli15-1024 xlm-roberta-base xlm-roberta-large xlm-roberta-large-finetuned-conll02-dutch
xlm-roberta-large-finetuned-conll02-spanish xlm-roberta-large-finetuned-conll03-english
xlm-roberta-large-finetuned-conll03-german xlnet-base-cased xlnet-large-cased
"""
#: names without an owner: the first transformers on the Hub.
#: Source: sentence-transformers, util.ORIGINAL_TRANSFORMER_MODELS.
ORIGINAL_MODELS = frozenset(_ORIGINAL.split())
_ADDRESS = re.compile(r"[a-z]{2,}:/|(.*@)?(www\.)?(huggingface\.co|hf\.co)/", re.IGNORECASE)


def existing_folder(name: str | os.PathLike[str]) -> Path | None:
    """``name`` as a path if there is such a folder, else None.

    Raises NotAFolderError for a file, FolderNotFoundError for an address of the web, OptionError for a name that is
    neither str nor path.
    """
    text = _text(name)
    path = Path(text)
    try:
        if path.is_dir() and text:
            return path
        is_file = path.is_file()
    except OSError:  # the name is too long for a path
        return None
    if is_file:
        raise NotAFolderError(
            f"Path {path} is a file, not a directory. `model_name_or_path` must be a local directory containing a "
            f"model, or a Hugging Face Hub model ID. Perhaps: {path.parent}"
        )
    _check_no_address(text)
    return None


def hub_name(name: str | os.PathLike[str], organization: str) -> str:
    """The name ``owner/name`` on the Hub of what is not a folder; ``organization`` owns a name without an owner.

    Raises OptionError for a name that is neither str nor path, FolderNotFoundError for one that can only be a path
    or an address.
    """
    text = _text(name)
    _check_no_address(text)
    parts = text.replace("\\", "/").split("/")
    if len(parts) > 2 or not all(parts) or parts[0].startswith((".", "~")) or "\\" in text:
        raise FolderNotFoundError(
            f"{text!r} is neither an existing folder (from {Path.cwd()}) nor a name on the Hub such as "
            f"all-MiniLM-L6-v2; make a model folder {EXPORT}"
        )
    return text if len(parts) == 2 or text.lower() in ORIGINAL_MODELS else f"{organization}/{text}"


def no_folder(name: str | os.PathLike[str]) -> str:
    """The beginning of a message on a name that is neither a folder nor an installed model."""
    from difflib import get_close_matches

    path = Path(_text(name))
    try:
        near = get_close_matches(path.name, [each.name for each in path.parent.iterdir() if each.is_dir()])
    except OSError:
        near = []
    meant = f" (did you mean {path.parent / near[0]}?)" if near else ""
    return f"there is no folder {str(name)!r} in {Path.cwd()}{meant}, and no installed model of this name"


def _check_no_address(text: str) -> None:
    """Raise FolderNotFoundError for an address, which is not printed: it may hold a password."""
    if not _ADDRESS.match(text):
        return
    host_and_path = re.split(r":/+", text.rpartition("@")[2])[-1]
    parts = [part for part in re.split("[?#]", host_and_path)[0].split("/")[1:] if part]
    revision = f", revision {parts[3]!r}" if parts[2:3] == ["tree"] and parts[3:] not in ([], ["main"]) else ""
    use = f"{'/'.join(parts[:2])!r}{revision}" if parts else "owner/name"
    raise FolderNotFoundError(f"the model is given as an address; expected a folder, or its name on the Hub: use {use}")


def _text(name: str | os.PathLike[str]) -> str:
    text = os.fspath(name) if isinstance(name, str | os.PathLike) else name
    if not isinstance(text, str):
        raise OptionError(f"the model's name is {name!r}; expected a str: a folder, or a name such as all-MiniLM-L6-v2")
    return text
