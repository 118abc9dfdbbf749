"""Why a request failed, in a few words without addresses: requests and urllib3 repeat them, keys and all."""

from __future__ import annotations

import ssl

from harvester.sources.inflate import CorruptPacking


def causes(error: BaseException | None) -> list[BaseException]:
    """The error and all it was made from; requests and urllib3 hide causes in arguments and attributes."""
    found: list[BaseException] = []
    waiting = [error]
    while waiting and len(found) < 20:
        each = waiting.pop(0)
        if each is None or each in found:
            continue
        found.append(each)
        waiting += [getattr(each, "reason", None) if isinstance(getattr(each, "reason", None), BaseException) else None]
        waiting += [argument for argument in each.args if isinstance(argument, BaseException)]
        waiting += [each.__cause__, each.__context__]
    return found


def words(found: list[BaseException]) -> str:
    """The most telling of the causes: what the operating system said, else the name of the error."""
    for cause in found:
        if isinstance(cause, CorruptPacking):
            return str(cause)
        if isinstance(cause, TimeoutError):
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return str(cause.strerror)
    return type(found[0]).__name__


def certificate_problem(found: list[BaseException]) -> str:
    """What was wrong with the server's certificate; "" when it was something else."""
    return next((each.verify_message for each in found if isinstance(each, ssl.SSLCertVerificationError)), "")
