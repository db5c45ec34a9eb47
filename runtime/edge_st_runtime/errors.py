"""Every error edge-st raises on purpose.

Each one says what was found, what was expected and what to type next. Where sentence-transformers raises a
built-in error for the same cause, ours inherits from it, so existing ``except`` clauses keep working.

    EdgeSTError
    ├── FolderError                    a model folder cannot be used
    │   ├── FolderNotFoundError        (FileNotFoundError) no such model
    │   ├── NotAFolderError            (NotADirectoryError) a file in place of a model folder
    │   ├── MissingFileError           (FileNotFoundError) a file the model needs is not there
    │   ├── DamagedFileError           (ValueError) truncated, wrong checksum, not what its name says
    │   ├── UnsafePathError            (ValueError) a file name that leads outside the folder
    │   └── UnsupportedModelError      (ValueError) a module, graph or setting the runtime does not know
    │       └── WrongClassError        a model of another class than the one that opens it
    ├── EngineError                    (RuntimeError) an engine failed to load or run a graph
    │   ├── EngineMissingError         (ImportError) the engine is not installed
    │   └── ProviderError              (ValueError) a requested provider or device is not to be had
    ├── PackageMissingError            (ImportError) an optional package is not installed
    ├── HubError                       (OSError) a download failed
    ├── OptionError                    (ValueError) an argument outside its allowed values
    ├── InputTypeError                 (TypeError) a text that is not a text, or data of another kind than numbers
    └── InputError                     (ValueError) texts that cannot be encoded, or arrays that do not fit
        └── TextTooLongError           a text beyond the limit, with truncation="error"
"""


class EdgeSTError(Exception):
    """Base of every error in this package."""


class FolderError(EdgeSTError):
    """A model folder cannot be used."""


class FolderNotFoundError(FolderError, FileNotFoundError):
    """No such model folder."""


class NotAFolderError(FolderError, NotADirectoryError):
    """A file where a model folder is expected."""


class MissingFileError(FolderError, FileNotFoundError):
    """A file that the model needs is not in its folder."""


class DamagedFileError(FolderError, ValueError):
    """A file is truncated, has another checksum, or is not what its name says."""


class UnsafePathError(FolderError, ValueError):
    """A file name inside a model folder leads outside it."""


class UnsupportedModelError(FolderError, ValueError):
    """The model names a module, graph or setting that the runtime does not know."""


class WrongClassError(UnsupportedModelError):
    """The model is of the class ``model_type``, not of the one that opens it."""

    def __init__(self, message: str, model_type: str) -> None:
        super().__init__(message)
        self.model_type = model_type


class EngineError(EdgeSTError, RuntimeError):
    """An engine failed to load or run a graph."""


class EngineMissingError(EngineError, ImportError):
    """The engine that the model needs is not installed."""


class ProviderError(EngineError, ValueError):
    """A requested execution provider or device is not to be had."""


class PackageMissingError(EdgeSTError, ImportError):
    """An optional package that the call needs is not installed."""


class HubError(EdgeSTError, OSError):
    """A download failed."""


class OptionError(EdgeSTError, ValueError):
    """An argument outside its allowed values."""


class InputTypeError(EdgeSTError, TypeError):
    """A text that is not a text, or data of another kind than the numbers or texts that were expected."""


class InputError(EdgeSTError, ValueError):
    """Texts that cannot be encoded, or arrays of a shape or with values that the call cannot use."""


class TextTooLongError(InputError):
    """A text beyond the model's limit where ``truncation="error"`` was asked for."""
