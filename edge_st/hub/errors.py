"""Errors of downloads as HubErrors, which say what was found, what was expected and what to do next."""

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit

from edge_st_runtime.errors import EdgeSTError, HubError, PackageMissingError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_NOT_WRITABLE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST,
}  # fmt: skip
_TRY_LATER = {408, 425, 429}
_HUB = "https://huggingface.co"
_REFUSED = "Invalid credentials in Authorization header"
_SECRETS = re.compile(r"(?<=://)[^/?#\s]*@|\bhf_\w{8,}|(?<=Bearer )[^\s'\"]+|(?<=[?&])[^\s'\"&()]+=[^\s'\"&()]+")


class UnreachableError(HubError):
    """The Hub does not answer; a copy in the cache may be used instead."""


class NotOnHubError(HubError):
    """The Hub has no model of this name, or none that it shows to this user."""


class OfflineError(UnreachableError):
    """No request is allowed: HF_HUB_OFFLINE is set."""


class TooSlowError(UnreachableError):
    """The Hub answers so slowly that the request was given up."""


def endpoint() -> str:
    """The address of the Hub, with what HF_ENDPOINT says of a user and a password."""
    return (os.environ.get("HF_ENDPOINT") or _HUB).rstrip("/")


def _check_endpoint() -> None:
    """Raise HubError for an HF_ENDPOINT that cannot be parsed: importing huggingface_hub prints a line about it."""
    try:
        _ = urlsplit(endpoint()).port
    except ValueError:  # it may quote a password
        raise _no_address(HubError) from None


def address() -> str:
    """The `endpoint`, for a request; raises UnreachableError where it does not begin with http or https and a host."""
    parts = urlsplit(endpoint())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _no_address(UnreachableError)
    return endpoint()


def _no_address(kind: type[HubError]) -> HubError:
    shown = redacted(endpoint().rpartition("@")[2])
    return kind(f"HF_ENDPOINT is no address ({shown!r}); expected one such as {_HUB}: mend or unset it")


def redacted(text: str, token: str | bool | None = None) -> str:
    """``text`` without users, passwords and queries in addresses, and without access tokens."""
    if isinstance(token, str) and token:
        text = text.replace(token, "…")
    return _SECRETS.sub(lambda found: "" if found[0].endswith("@") else "…", text)


@contextmanager
def mapped_errors(name: str, token: str | bool | None = None) -> Iterator[None]:
    """Raise every other exception of the block as a HubError about the model ``name``, without secrets.

    Raises PackageMissingError where huggingface_hub is not installed.
    """
    try:
        _check_endpoint()
        yield
    except EdgeSTError:
        raise
    except ImportError as error:
        raise PackageMissingError(
            f"to look for {name!r} on the Hub takes huggingface_hub, which is not installed; "
            "pip install huggingface_hub, or give a model folder"
        ) from error
    except Exception as error:  # noqa: BLE001  requests, httpx and their successors share no base
        message = str(error)
        cause = error if redacted(message, token) == message else None  # a traceback prints the cause
        raise _explain(error, name, token) from cause


def refusal(name: str, revision: str, status: int, headers: Mapping[str, str]) -> HubError:
    """The error for an answer whose ``status`` is not that of success."""
    hub, code = redacted(endpoint()), headers.get("X-Error-Code")
    if code == "GatedRepo":
        return HubError(f"{name} is gated; accept its terms at {hub}/{name}, then set HF_TOKEN or pass token=…")
    if code == "RevisionNotFound":
        return HubError(f"{name} has no revision {revision!r}; expected a branch, tag or commit of {hub}/{name}")
    if code == "RepoNotFound" or (status == 401 and headers.get("X-Error-Message") != _REFUSED):
        return NotOnHubError(
            f"there is no model {name!r} at {hub}, or it is private; check the name (edge-st list shows known "
            "ones), give an existing folder, or set HF_TOKEN for a private model"
        )
    if status in {401, 403}:
        return HubError(f"{hub} refuses {name} (status {status}); set a valid HF_TOKEN, or pass token=…")
    if status >= 500 or status in _TRY_LATER:
        return unreachable(name, f"status {status}")
    return HubError(f"{hub} answered with status {status} for {name}; check the name and HF_ENDPOINT")


def unreachable(name: str, reason: str, kind: type[UnreachableError] = UnreachableError) -> UnreachableError:
    """The error for a request that got no, or no complete, answer."""
    return kind(
        f"cannot fetch {name} from {redacted(endpoint())} ({reason}); "
        "check the network and HF_ENDPOINT and run the same again, or give a local folder"
    )


def full(name: str, reason: object) -> HubError:
    """The error for a disk without enough space."""
    return HubError(f"the disk is full ({reason}); free some space and run the same again, which continues {name}")


def _explain(error: Exception, name: str, token: str | bool | None) -> HubError:
    from huggingface_hub import errors

    if isinstance(error, errors.HFValidationError):
        return HubError(f"{name!r} is neither an existing folder nor a name on the Hub; expected owner/name")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return OfflineError(f"HF_HUB_OFFLINE is set, so {name} is not downloaded; unset it, or give a folder")
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return full(name, error)
    if number in _NOT_WRITABLE:
        return HubError(f"cannot write {name} to disk ({error}); choose a folder that this user may write to")
    first = next(iter(redacted(str(error), token).strip().splitlines()), "no details")
    return unreachable(name, f"{type(error).__name__}: {first}")
