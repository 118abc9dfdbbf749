"""Numbers that fill a field and identify nothing: no keys, no evidence."""

from __future__ import annotations


def is_bogus(value: str) -> bool:
    """Whether *value* is one digit repeated, a count up or down, or an ISBN whose body is such.

    Some pass the check digit (9780000000002); frequency would suspend them too, later.

    >>> is_bogus("9780000000002"), is_bogus("9789793062792")
    (True, False)
    """
    digits = value if value.isdigit() else _digits(value)
    if not digits:
        return False
    body = digits[3:-1] if len(digits) == 13 and digits[:3] in ("978", "979") else digits
    if body[:1] != body[1:2] and body[:2] not in _COUNTING:
        return False
    return _is_filler(body) or (len(body) > 6 and _is_filler(body[:-1]))


_NO_DIGIT = bytes(code for code in range(128) if not chr(code).isdigit())


def _digits(value: str) -> str:
    if value.isascii():
        return value.encode().translate(None, _NO_DIGIT).decode()
    return "".join(filter(str.isdigit, value))


# How counts up and down begin.
_COUNTING = frozenset(f"{digit}{(digit + step) % 10}" for digit in range(10) for step in (1, -1))


def _is_filler(digits: str) -> bool:
    if len(digits) < 4:
        return False
    return digits == digits[0] * len(digits) or digits in "01234567890123456789" or digits in "98765432109876543210"
