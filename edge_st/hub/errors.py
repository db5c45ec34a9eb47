"""Errors of downloads as HubErrors, which say what was found, what was expected and what to do next."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from edge_st_runtime.errors import EdgeSTError, HubError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST,
}  # fmt: skip
_TRY_LATER = {408, 425, 429}


class UnreachableError(HubError):
    """The Hub does not answer; a copy in the cache may be used instead."""


class OfflineError(UnreachableError):
    """No request is allowed: HF_HUB_OFFLINE is set."""


def endpoint() -> str:
    """The address of the Hub: HF_ENDPOINT, else huggingface_hub's default."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or str(constants.ENDPOINT)).rstrip("/")


@contextmanager
def mapped_errors(name: str, revision: str) -> Iterator[None]:
    """Raise every other exception of the block as a HubError about the model ``name``."""
    try:
        yield
    except EdgeSTError:
        raise
    except Exception as error:  # requests, httpx and their successors share no base
        raise _explain(error, name, revision) from error


def _explain(error: Exception, name: str, revision: str) -> HubError:
    from huggingface_hub import errors

    hub = endpoint()
    match error:
        case errors.GatedRepoError():
            return HubError(f"{name} is gated; accept its terms at {hub}/{name}, then set HF_TOKEN or pass token=…")
        case errors.RepositoryNotFoundError():
            return HubError(
                f"there is no model {name!r} at {hub}, or it is private; check the name (edge-st list shows known "
                "ones), give an existing folder, or set HF_TOKEN for a private model"
            )
        case errors.RevisionNotFoundError():
            return HubError(f"{name} has no revision {revision!r}; expected a branch, tag or commit of {hub}/{name}")
        case errors.HFValidationError():
            return HubError(f"{name!r} is neither an existing folder nor a name on the Hub; expected owner/name")
        case errors.OfflineModeIsEnabled():
            return OfflineError(f"HF_HUB_OFFLINE is set, so {name} is not downloaded; unset it, or give a folder")
        case errors.LocalEntryNotFoundError():
            return _unreachable(error.__cause__ or error, name)
        case errors.HfHubHTTPError():
            return _explain_status(error, name)
        case _:
            return _explain_system(error, name)


def _explain_status(error: Exception, name: str) -> HubError:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {401, 403}:
        return HubError(f"{endpoint()} refuses {name} (status {status}); set a valid HF_TOKEN, or pass token=…")
    if status is None or status >= 500 or status in _TRY_LATER:
        return _unreachable(error, name)
    return HubError(f"{endpoint()} answered {_first_line(error)} for {name}; check the name and HF_ENDPOINT")


def _explain_system(error: Exception, name: str) -> HubError:
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return HubError(f"the disk is full ({error}); free some space and run the same again, which continues {name}")
    if number in _NOT_WRITABLE:
        return HubError(f"cannot write {name} to disk ({error}); choose a folder that this user may write to")
    return _unreachable(error, name)


def _unreachable(error: BaseException, name: str) -> UnreachableError:
    return UnreachableError(
        f"cannot fetch {name} from {endpoint()} ({type(error).__name__}: {_first_line(error)}); "
        "check the network and HF_ENDPOINT and run the same again, or give a local folder"
    )


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "no details")
