"""Download a file from any address."""

import http.client
import os
import urllib.request
from pathlib import Path

from edge_st_runtime.errors import HubError, OptionError

_CHUNK = 1 << 16
_TIMEOUT = 10.0  # seconds to connect, and between two pieces


def download(url: str, path: str | os.PathLike[str]) -> None:
    """Download ``url`` to the file ``path``; arguments and errors are those of `edge_st.util.http_get`."""
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        raise OptionError(f"url is {url!r}; expected an address that begins with https:// or http://")
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}_part")
    try:
        _fetch(url, part)
        part.replace(target)
    except (OSError, http.client.HTTPException) as error:
        raise HubError(f"{url} could not be downloaded ({error}); try again, or check the address") from error
    finally:
        part.unlink(missing_ok=True)


def _fetch(url: str, part: Path) -> None:
    from tqdm.auto import tqdm

    with (
        urllib.request.urlopen(url, timeout=_TIMEOUT) as answer,  # noqa: S310 - the address is checked by the caller
        part.open("wb") as file,
    ):
        length = answer.headers.get("Content-Length")
        total = int(length) if length is not None and length.isdigit() else None
        done = 0
        name = part.name.removesuffix("_part")
        with tqdm(total=total, unit="B", unit_scale=True, leave=False, desc=f"Downloading {name}") as bar:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                bar.update(len(chunk))
        if total not in (None, done):
            raise OSError(f"{done} of {total} bytes arrived")
