"""Mapping functions: add one file with one registered function, whose doctest is its manual page (docs/mapping.md).

What the first parameter is called for decides how the function is fed: `str` one value at a time, `list[str]` all
values of the rule, `Field` a whole field, a noun of model.py what the step before made; only keyword parameters:
the named inputs of `from: {name: path}`, asked when one of them has something. Parameters of type `Table` and `Pattern`
are given by name or as text.
"""

from collections.abc import Callable
from typing import Any

from harvester.registry import Registry

MappingFunction = Callable[..., Any]

functions: Registry[MappingFunction] = Registry("mapping function", "harvester.normalize.functions")
