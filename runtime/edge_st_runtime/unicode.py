"""Texts that UTF-8 can hold: those without a lone surrogate."""

from .errors import InputError


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can hold ``text``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_unicode(text: str, where: str) -> None:
    """Raise InputError, which begins with ``where``, for a text with a lone surrogate."""
    if not is_unicode(text):
        raise InputError(f"{where} holds a lone surrogate; remove it: text.encode('utf-8', 'ignore').decode()")
