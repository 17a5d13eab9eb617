"""What a method needs that passes a call on to one of several modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from tsrefactor.source.imports import Import

from .definitions import Class, Function
from .family import members
from .lookups import Lookup, Use, argument_types
from .names import fresh
from .types import TENSOR

_OF_MODULE = {"_call_impl"}  # what torch.nn.Module has itself


def method_name(cls: Class, given: set[str], wanted: str) -> str:
    """A name for a new method that neither the class nor its relatives have; it joins those ``given`` away."""
    name = fresh(given | members(cls) | _OF_MODULE, wanted)
    given.add(name)
    return name


def passed_on(
    function: Function, call: ast.Call | None, taken: Iterable[str], others: Iterable[ast.Call] = ()
) -> tuple[list[str], list[str], frozenset[Import]]:
    """The parameters of such a method for the arguments of a call, with the types that are no tensors'; how they are
    passed on; and the imports that this needs. ``taken``: names that the method has already; ``others``: calls that it
    serves as well, which may have other names for their arguments."""
    parameters: list[str] = []
    passed: list[str] = []
    imports: set[Import] = set()
    used = set(taken)
    given = [(None, a) for a in call.args] + [(k.arg, k.value) for k in call.keywords] if call is not None else []
    for i, (keyword, value) in enumerate(given):
        named = {ast.unparse(c.args[i]) for c in others if i < len(c.args)} if keyword is None else set()
        wanted = keyword or (value.id if isinstance(value, ast.Name) and named <= {value.id} else "x")
        name = fresh(used, wanted)
        used.add(name)
        type_ = function.type_of(value)
        if type_.known and type_ != TENSOR and type_.name != "Module":
            spelt, needed = function.file.spell_type(type_)
            imports |= needed
            parameters.append(f"{name}: {spelt}")
        else:
            parameters.append(name)
        passed.append(f"{keyword}={name}" if keyword else name)
    return parameters, passed, frozenset(imports)


@dataclass(frozen=True, eq=False)
class Dispatch:
    """One such method: what it serves, its parameters after ``self`` and the key, and what follows the module in it."""

    name: str
    uses: list[tuple[Lookup, Use]]
    parameters: list[str]
    result: str
    imports: frozenset[Import]

    @property
    def last(self) -> Function:
        """The method of the class after which it stands."""
        return max((lookup.function for lookup, _ in self.uses), key=lambda f: f.node.lineno)


def dispatches(
    cls: Class, lookups: Sequence[Lookup], word: str, given: set[str], taken: Iterable[str]
) -> list[Dispatch]:
    """The methods that serve all uses of the modules that are looked up: one for each form of use. ``word`` is what a
    module is called, ``taken`` the names that the methods have already. Raises ValueError where an argument has a type
    that no annotation says."""
    groups: dict[Hashable, list[tuple[Lookup, Use]]] = {}
    for lookup in lookups:
        for use in lookup.uses:
            groups.setdefault((use.form, argument_types(lookup.function, use)), []).append((lookup, use))
    found = []
    for uses in groups.values():
        lookup, use = uses[-1]
        calls = [u.call for _, u in uses if u.call is not None]
        parameters, passed, imports = passed_on(lookup.function, use.call, taken, calls)
        name = "_".join([f"_{'call' if calls else 'get'}_{word}", *re.findall(r"\w+", use.suffix)])
        result = f"{use.suffix}({', '.join(passed)})" if calls else use.suffix
        found.append(Dispatch(method_name(cls, given, name), uses, parameters, result, imports))
    return found
