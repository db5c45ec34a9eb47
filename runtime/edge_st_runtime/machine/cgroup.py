"""The limits that this process' cgroup has on Linux, in both versions."""

from pathlib import Path

_ROOT, _MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cgroup_quota(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> float | None:
    """The cores that the cgroup grants on average; None where it has no quota or cannot be read."""
    groups = _own_groups(membership)
    limits = [_ratio(_read(folder / "cpu.max").split()) for folder in _levels(root, groups.get("", ""))]
    limits += [_quota_v1(folder) for folder in _levels(root / "cpu", groups.get("cpu", ""))]
    return min((limit for limit in limits if limit is not None), default=None)


def cgroup_memory(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int | None:
    """The bytes of memory that the cgroup grants; None where it has no limit or cannot be read."""
    groups = _own_groups(membership)
    texts = [_read(folder / "memory.max") for folder in _levels(root, groups.get("", ""))]
    texts += [_read(folder / "memory.limit_in_bytes") for folder in _levels(root / "memory", groups.get("memory", ""))]
    return min((int(text) for text in texts if text.strip().isdecimal()), default=None)


def _own_groups(membership: Path) -> dict[str, str]:
    """The process' group for each controller; the group of version 2, which has all controllers, under ""."""
    try:
        lines = membership.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return {}
    rows = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return {controller: group.lstrip("/") for _, controllers, group in rows for controller in controllers.split(",")}


def _levels(root: Path, group: str) -> list[Path]:
    """The folders from the group's own up to the root of the hierarchy; the limit of every level applies."""
    folder = root / group
    return [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]


def _quota_v1(folder: Path) -> float | None:
    return _ratio([_read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()])


def _ratio(words: list[str]) -> float | None:
    if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
