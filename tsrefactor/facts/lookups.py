"""Modules that a method looks up by a computed name or index, what it does with them, and the calls that take the place
of that."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from tsrefactor.source.edits import Edit, Piece, Replace
from tsrefactor.source.excerpt import is_commented

from .definitions import Function
from .names import fresh
from .types import TENSOR


@dataclass(frozen=True, eq=False)
class Use:
    """What is done with a module that was looked up: ``module(x)``, ``module.encode(x)``, ``module.weight``.

    ``node``: all of it; ``suffix``: what stands between the module and the arguments (``.encode``).
    """

    node: ast.expr
    suffix: str
    call: ast.Call | None

    @property
    def form(self) -> Hashable:
        """What two uses have in common that one method can serve."""
        named = tuple(k.arg for k in self.call.keywords) if self.call is not None else ()
        return self.suffix, self.call is None, len(self.call.args) if self.call is not None else 0, named


@dataclass(frozen=True, eq=False)
class Lookup:
    """A module that is looked up: ``node`` (``self.layers[i]``) by ``key`` (``i``).

    ``held``: what gives it a name; ``movable``: whether the key is the same where the module is used.
    """

    function: Function
    node: ast.expr
    key: ast.expr
    uses: list[Use]
    held: ast.Assign | None = None
    movable: bool = True


def looked_up(function: Function, node: ast.expr, key: ast.expr) -> Lookup | None:
    """The lookup with its uses; None where the module goes other ways."""
    parent = function.file.parents[node]
    if isinstance(parent, ast.Assign) and parent.value is node:
        reads, region = _reads_of_held(function, parent)
        uses = [_use_of(function, read) for read in reads]
        found = [use for use in uses if use is not None]
        if not found or len(found) < len(uses):
            return None
        return Lookup(function, node, key, found, parent, _is_same(function, key, region))
    use = _use_of(function, node)
    return Lookup(function, node, key, [use]) if use is not None else None


def _use_of(function: Function, node: ast.expr) -> Use | None:
    parents, suffix = function.file.parents, ""
    while True:
        parent = parents[node]
        if not isinstance(parent, (ast.Attribute, ast.Subscript)) or parent.value is not node:
            break
        if not isinstance(parent.ctx, ast.Load):
            return None
        if isinstance(parent, ast.Attribute):
            suffix += f".{parent.attr}"
        elif isinstance(parent.slice, ast.Constant):
            suffix += f"[{parent.slice.value!r}]"
        else:
            return None
        node = parent
    if isinstance(parent, ast.Call) and parent.func is node:
        return Use(parent, suffix, parent) if _is_plain(parent) else None
    return Use(node, suffix, None) if suffix else None


def _is_plain(call: ast.Call) -> bool:
    """Whether it passes nothing by * or **."""
    return not any(isinstance(a, ast.Starred) for a in call.args) and all(k.arg for k in call.keywords)


def argument_types(function: Function, use: Use) -> tuple[str, ...]:
    """The types of what a use passes, as text; what is unknown counts as a Tensor."""
    values = [*use.call.args, *(k.value for k in use.call.keywords)] if use.call is not None else []
    types = (function.type_of(value) for value in values)
    return tuple(str(t if t.known else TENSOR) for t in types)


def _reads_of_held(function: Function, held: ast.Assign) -> tuple[list[ast.Name], list[ast.stmt]]:
    """The reads of a module that an assignment gives a name, and the statements up to the last of them; none where the
    name may hold another module there."""
    target = held.targets[0]
    if len(held.targets) != 1 or not isinstance(target, ast.Name):
        return [], []
    block = function.file.block_of(held)
    after = block[block.index(held) + 1 :]
    again = next((i for i, s in enumerate(after) if target.id in function.flow.writes(s)), len(after))
    region = after[:again]
    inside = {n for s in region for n in ast.walk(s)}
    reads = [n for n in function.of(ast.Name) if n.id == target.id and isinstance(n.ctx, ast.Load)]
    mine = [n for n in reads if n in inside]
    used = [i for i, s in enumerate(region) if any(n in mine for n in ast.walk(s))]
    if not used or not (len(mine) == len(reads) or _others_have_theirs(function, target.id, reads)):
        return [], []
    return mine, region[: used[-1] + 1]


def _is_same(function: Function, key: ast.expr, region: Sequence[ast.stmt]) -> bool:
    """Whether a key has one value, however often it is computed, before the statements and in them."""
    flow, cls = function.flow, function.cls
    if not flow.is_pure(key) or flow.reads(key) & (flow.writes(region) | flow.mutates(region)):
        return False
    read = {function.self_attribute(n) for n in ast.walk(key) if isinstance(n, ast.Attribute)}
    family = (cls, *cls.ancestors, *cls.subclasses) if cls is not None else ()
    setters = (m for c in family for name in read if name is not None for m, _ in c.assigned.get(name, ()))
    return all(m.name == "__init__" for m in setters)  # others may be called in the statements


def _others_have_theirs(function: Function, name: str, reads: Sequence[ast.Name]) -> bool:
    """Whether every read of a name follows an assignment of it in the same block, or in one around it."""
    for read in reads:
        statement: ast.AST = function.file.statement_of(read)
        while True:
            block = function.file.block_of(statement) if isinstance(statement, ast.stmt) else []
            before = block[: block.index(statement)] if isinstance(statement, ast.stmt) else []
            if any(isinstance(s, ast.Assign) and name in function.flow.writes(s) for s in before):
                break
            statement = function.file.parents[statement]
            if statement is function.node:
                return False
    return True


# -- the calls in their place --------------------------------------------------------------------------------------


def passed_through(lookups: Sequence[Lookup], methods: Mapping[Use, str], key_names: Sequence[str]) -> list[Edit]:
    """``self.method(key, …)`` in the place of every use of the modules that are looked up.

    A module that had a name is none any more. Where its key is simple or used once, and still the same there, and no
    comment would be lost, the assignment goes; else it gives the key a name, the first of ``key_names`` that is free. A
    use inside the arguments of another is changed with it.
    """
    keys = _keys(lookups, key_names)
    edits: list[Edit] = []
    for lookup in lookups:
        if lookup.held is not None:
            key = keys[lookup]
            kept = f"{key} = {{key}}" if isinstance(key, str) else ""
            edits.append(Replace([lookup.held], kept, {"key": lookup.key} if kept else {}))
    every = {use.node: (lookup, use) for lookup in lookups for use in lookup.uses}
    texts = {node: f"{lookup.function.self_name}.{methods[use]}" for node, (lookup, use) in every.items()}
    nested = {n for outer in every for n in ast.walk(outer) if n is not outer and n in every}
    for node, (lookup, use) in every.items():
        if node in nested:
            continue
        pieces: dict[str, Piece | ast.expr | str] = {"key": keys[lookup]}
        written = ["{key}"]
        given = [(None, a) for a in use.call.args] + [(k.arg, k.value) for k in use.call.keywords] if use.call else []
        for i, (keyword, value) in enumerate(given):
            inner = [n for n in ast.walk(value) if n in every]
            outermost = [n for n in inner if not any(n is not o and n in ast.walk(o) for o in inner)]
            changes = {n: _rewritten(n, texts, every, keys) for n in outermost if isinstance(n, ast.expr)}
            pieces[f"a{i}"] = Piece(value, changes)
            written.append(f"{keyword}={{a{i}}}" if keyword else f"{{a{i}}}")
        edits.append(Replace(node, f"{texts[node]}({', '.join(written)})", pieces))
    return edits


def _keys(lookups: Sequence[Lookup], names: Sequence[str]) -> dict[Lookup, ast.expr | str]:
    """The key as the calls pass it: the expression itself, or the name of a local that an assignment gives it."""
    found: dict[Lookup, ast.expr | str] = {}
    given: set[str] = set()
    for lookup in lookups:
        found[lookup] = lookup.key
        held, function = lookup.held, lookup.function
        simple = lookup.movable and (len(lookup.uses) == 1 or isinstance(lookup.key, ast.Name))
        if held is not None and not (simple and not is_commented(function.file.source, held)):
            name = fresh(function.flow.local_names | given, *names)
            given.add(name)
            found[lookup] = name
    return found


def _rewritten(
    node: ast.expr,
    texts: Mapping[ast.expr, str],
    every: Mapping[ast.expr, tuple[Lookup, Use]],
    keys: Mapping[Lookup, ast.expr | str],
) -> str:
    """The text of a use, and of those inside it, when they are changed."""
    source = next(iter(keys)).function.file.source
    start, end = source.span(node)
    parts = []
    for inner in (n for n in ast.walk(node) if n in every):
        assert isinstance(inner, ast.expr)
        lookup, use = every[inner]
        key = keys[lookup]
        opening = f"{texts[inner]}({key if isinstance(key, str) else source.segment(key)}"
        begin, stop = source.span(inner)
        if use.call is None:
            parts.append((begin, stop, f"{opening})"))
        else:
            after = source.text.index("(", source.span(use.call.func)[1]) + 1
            parts.append((begin, after, f"{opening}{', ' if use.call.args or use.call.keywords else ''}"))
    text = source.text[start:end]
    for a, b, new in sorted(parts, reverse=True):
        text = text[: a - start] + new + text[b - start :]
    return text
