"""An attribute of self that is read into a local, which TorchScript can refine, and kept the same as it."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Sequence

from tsrefactor.source.edits import Edit, InsertBefore, Piece, Replace

from .definitions import Class, Function
from .nodes import walk
from .placement import is_elif
from .types import TENSOR

_TABLES = ("__dict__", "_modules", "_parameters", "_buffers")
_HARMLESS = frozenset({"parameters", "named_parameters", "buffers", "named_buffers"})  # of nn.Module


def path_of(function: Function, node: ast.AST) -> str | None:
    """``a.b`` when the node is ``self.a.b``: what these functions take for an attribute."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    is_self = isinstance(node, ast.Name) and node.id == function.self_name
    return ".".join(names) if names and is_self else None


def local_name(function: Function, attribute: str) -> str | None:
    """A name for the local: the attribute's own, where it is free, else with what holds it."""
    taken = function.flow.local_names | {n.id for n in walk(function.node) if isinstance(n, ast.Name)}
    holder, _, plain = attribute.rpartition(".")
    longer = f"{holder.replace('.', '_')}_{plain}" if holder else f"current_{plain.strip('_')}"
    names = [n.strip("_") for n in (plain, longer)]
    return next((n for n in names if n.isidentifier() and not keyword.iskeyword(n) and n not in taken), None)


def as_local(function: Function, use: ast.stmt, attribute: str, local: str) -> list[Edit] | None:
    """The edits that keep the attribute in a local from its test or assignment to the end of that block.

    None where no statement around or before the use tests or sets it, or where it may change out of sight.
    """
    file = function.file
    statement: ast.AST = use
    while statement is not function.node:
        if isinstance(statement, ast.stmt):
            block = file.block_of(statement)
            for first in block[: block.index(statement) + 1]:
                if _tests(function, first, attribute) or _store(function, first, attribute):
                    return from_statement(function, block[block.index(first) :], attribute, local)
        statement = file.parents[statement]
    return None


def from_statement(
    function: Function,
    region: Sequence[ast.stmt],
    attribute: str,
    local: str,
    test: tuple[ast.Compare, str] | None = None,
) -> list[Edit] | None:
    """The edits that keep it in a local in these statements, which end a block; None where it may change out of sight.

    ``test`` is a comparison with it and the template that takes its place, in which ``{test}`` is the comparison.
    """
    file, first = function.file, region[0]
    if is_elif(file, first) or _changes_out_of_sight(function, region, attribute):
        return None
    edits: list[Edit] = []
    if not _store(function, first, attribute):
        edits.append(InsertBefore(first, f"{local} = {function.self_name}.{attribute}"))
    inside: set[ast.AST] = set()
    if test is not None:
        inside |= set(reads(function, [test[0]], attribute))
        compared = Piece(test[0], dict.fromkeys(reads(function, [test[0]], attribute), local))
        edits.append(Replace(test[0], test[1], {"test": compared}))
    for node in (n for s in region for n in walk(s)):
        if isinstance(node, ast.Assign) and _store(function, node, attribute):
            used = reads(function, [node.value], attribute)
            inside |= set(used)
            value = Piece(node.value, dict.fromkeys(used, local))
            text = f"{local} = {{value}}\n{function.self_name}.{attribute} = {local}"
            edits.append(Replace([node], text, {"value": value}))
    edits += [Replace(n, local) for n in reads(function, region, attribute) if n not in inside]
    return edits


def _tests(function: Function, statement: ast.stmt, attribute: str) -> bool:
    """Whether it is an `if` or `assert` that compares the attribute with None."""
    if not isinstance(statement, (ast.If, ast.Assert)):
        return False
    return any(
        isinstance(n, ast.Compare) and path_of(function, n.left) == attribute
        and isinstance(n.ops[0], (ast.Is, ast.IsNot))
        for n in walk(statement.test)
    )  # fmt: skip


def _store(function: Function, statement: ast.stmt, attribute: str) -> bool:
    """Whether it does nothing but assign the attribute."""
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return len(targets) == 1 and path_of(function, targets[0]) == attribute


def reads(function: Function, code: Iterable[ast.AST], attribute: str) -> list[ast.expr]:
    return [
        n for root in code for n in walk(root)
        if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load) and path_of(function, n) == attribute
    ]  # fmt: skip


def _changes_out_of_sight(function: Function, region: Sequence[ast.stmt], attribute: str) -> bool:
    """Whether anything but a plain assignment may set the attribute, or what holds it, in these statements."""
    own, inside = set(function.nodes), {n for s in region for n in walk(s)}
    for node in inside:
        if isinstance(node, ast.Attribute) and path_of(function, node) == attribute:
            stored = not isinstance(node.ctx, ast.Load)
            if node not in own or (stored and not _store(function, function.file.statement_of(node), attribute)):
                return True
    beside = [n for n in walk(function.node) if n not in inside]
    if any(_is_handed_on(function, n, attribute) and not _is_in_call(function, n) for n in beside):
        return True  # under another name, by which these statements may set it
    rest = [n for n in inside if path_of(function, n) != attribute] + [n for n in beside if n not in own]
    return _disturbs(function, rest, attribute, set())


def _disturbs(function: Function, nodes: Iterable[ast.AST], attribute: str, seen: set[str]) -> bool:
    """Whether this code may set it or what holds it, itself or by what it calls."""
    holders = _holders(attribute)
    tables = {".".join(filter(None, (h, t))) for h in ("", *holders) for t in _TABLES}
    for node in nodes:
        if _is_handed_on(function, node, attribute):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
            return True
        path = path_of(function, node)
        if not isinstance(node, ast.Attribute) or path is None:
            continue
        if path in tables or (path in (attribute, *holders) and not isinstance(node.ctx, ast.Load)):
            return True
        call = function.file.parents[node]
        called = isinstance(call, ast.Call) and call.func is node
        of_holder = any(path.startswith(f"{h}.") for h in holders) and not path.startswith(f"{attribute}.")
        if called and of_holder and function.type_of(node.value) != TENSOR:  # a method of the holder may set it
            return True
        if path == node.attr and function.cls is not None and _sets(function.cls, path, called, attribute, seen):
            return True
    return False


def _sets(cls: Class, name: str, called: bool, attribute: str, seen: set[str]) -> bool:
    """Whether ``self.name``, of the class or one that derives from it, runs code that may set the attribute."""
    if name in seen:
        return False
    family = (cls, *cls.ancestors, *cls.subclasses)
    versions = [c.methods[name] for c in family if name in c.methods]  # a property, or a method handed on, too
    if versions:
        seen.add(name)
        return name == attribute.partition(".")[0] or any(_disturbs(v, walk(v.node), attribute, seen) for v in versions)
    known = any(name in c.assigned or name in c.body_values or name in c.annotations for c in family)
    made = known or any(c.observed is not None and name in c.observed.children for c in family)
    return called and not made and name not in _HARMLESS


def _is_handed_on(function: Function, node: ast.AST, attribute: str) -> bool:
    """Whether it is ``self``, or what holds the attribute, and not only to read or set one of its own attributes."""
    is_self = isinstance(node, ast.Name) and node.id == function.self_name
    if not is_self and path_of(function, node) not in _holders(attribute):
        return False
    parent = function.file.parents[node]
    if isinstance(parent, ast.Compare):
        return not all(isinstance(op, (ast.Is, ast.IsNot)) for op in parent.ops)
    return not isinstance(parent, ast.Attribute) and isinstance(getattr(node, "ctx", None), ast.Load)


def _is_in_call(function: Function, node: ast.AST) -> bool:
    return isinstance(function.file.parents[node], (ast.Call, ast.keyword))


def _holders(attribute: str) -> list[str]:
    """``a`` and ``a.b`` of ``a.b.c``."""
    parts = attribute.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]
