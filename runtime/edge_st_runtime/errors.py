"""The exceptions that edge-st raises.

Each message says what was found, what was expected and what to type next. Where sentence-transformers raises a
built-in exception for the same cause, the class here inherits from it, so existing ``except`` clauses keep working.
The built-in base stands in brackets.

    EdgeSTError
    ├── FolderError                    a model folder cannot be used
    │   ├── FolderNotFoundError        (FileNotFoundError) no such model
    │   ├── NotAFolderError            (NotADirectoryError) a file where a model folder is expected
    │   ├── MissingFileError           (FileNotFoundError) a file that the model needs is not there
    │   ├── DamagedFileError           (ValueError) a file is truncated, has a wrong checksum or another content
    │   ├── UnsafePathError            (ValueError) a file name that leads outside the folder
    │   └── UnsupportedModelError      (ValueError) a module, graph or setting that the runtime does not support
    │       └── WrongClassError        a model that another class opens
    ├── EngineError                    (RuntimeError) an engine failed to load or run a graph
    │   ├── EngineMissingError         (ImportError) the engine is not installed
    │   ├── NotFiniteError             a model gives NaN or infinity for a text
    │   └── ProviderError              (ValueError) a requested provider or device is not available
    ├── ResourceError                  (OSError) this process or machine lacks memory, disk space or open files
    │   └── DiskFullError              (FolderError) the disk is full
    ├── PackageMissingError            (ImportError) an optional package is not installed
    ├── HubError                       (OSError) a download failed
    ├── OptionError                    (ValueError) an argument outside its allowed values
    ├── InputTypeError                 (TypeError) something other than a text, or data other than numbers
    └── InputError                     (ValueError) texts that cannot be encoded, or arrays that do not fit
        └── TextTooLongError           a text longer than the limit, with truncation="error"

The errors of folders are raised for index folders, too.
"""

import sys

#: how to install edge-st-export on a build machine, for messages
INSTALL_EXPORT = "pip install -c export/constraints.txt . './export[openvino]' (in a checkout of edge-st)"
#: how to export a model, which needs PyTorch, for messages
EXPORT = f"on a build machine, as it needs PyTorch: {INSTALL_EXPORT}, then: edge-st export MODEL FOLDER"

_REBUILD = " (this program is frozen: do that where it is built, then name the package to PyInstaller: --hidden-import)"


class EdgeSTError(Exception):
    """The base class of all exceptions of edge-st."""


class FolderError(EdgeSTError):
    """A model folder or index folder cannot be used."""


class FolderNotFoundError(FolderError, FileNotFoundError):
    """There is no such model or folder."""


class NotAFolderError(FolderError, NotADirectoryError):
    """There is a file where a folder is expected."""


class MissingFileError(FolderError, FileNotFoundError):
    """A file that the model or index needs is not in its folder."""


class DamagedFileError(FolderError, ValueError):
    """A file is truncated, has a wrong checksum, or has another content than its name says."""


class UnsafePathError(FolderError, ValueError):
    """A file name inside a model folder leads outside it."""


class UnsupportedModelError(FolderError, ValueError):
    """The model has a module, graph or setting that the runtime does not support."""


class WrongClassError(UnsupportedModelError):
    """The model must be opened with another class, whose name is ``model_type``."""

    def __init__(self, message: str, model_type: str) -> None:
        super().__init__(message)
        self.model_type = model_type


class EngineError(EdgeSTError, RuntimeError):
    """An engine failed to load or run a graph."""


class EngineMissingError(EngineError, ImportError):
    """The engine that the model needs is not installed."""


class NotFiniteError(EngineError):
    """A model gives NaN or infinity for a text."""


class ProviderError(EngineError, ValueError):
    """A requested execution provider or device is not available."""


class ResourceError(EdgeSTError, OSError):
    """This process or machine lacks memory, disk space or open files; the files themselves are in order."""


class DiskFullError(ResourceError, FolderError):
    """The disk is full, or this user's part of it."""


class PackageMissingError(EdgeSTError, ImportError):
    """An optional package that the call needs is not installed, or not part of this frozen program."""

    def __str__(self) -> str:
        message = super().__str__()
        return message + _REBUILD if getattr(sys, "frozen", False) and _REBUILD not in message else message


class HubError(EdgeSTError, OSError):
    """A download failed."""


class OptionError(EdgeSTError, ValueError):
    """An argument is outside its allowed values."""


class InputTypeError(EdgeSTError, TypeError):
    """Data of another type than the texts or numbers that are expected."""


class InputError(EdgeSTError, ValueError):
    """Texts that cannot be encoded, or arrays with a shape or values that the call cannot use."""


class TextTooLongError(InputError):
    """A text is longer than the model's limit, and the call has ``truncation="error"``."""
