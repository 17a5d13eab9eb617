"""An attribute of self that is read into a local, which TorchScript can refine, and kept the same as it."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Sequence

from tsrefactor.source.edits import Edit, InsertBefore, Piece, Replace

from .definitions import Class, Function
from .nodes import walk
from .placement import is_elif


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
    own, holders = set(function.nodes), _holders(attribute)
    for node in (n for s in region for n in walk(s)):
        if isinstance(node, ast.Attribute) and path_of(function, node) == attribute:
            stored = not isinstance(node.ctx, ast.Load)
            statement = function.file.statement_of(node)
            if node not in own or (stored and not _store(function, statement, attribute)):
                return True
        elif isinstance(node, ast.Attribute) and path_of(function, node) in holders:
            if not isinstance(node.ctx, ast.Load):
                return True
        elif isinstance(node, ast.Call):
            passed = [*node.args, *(k.value for k in node.keywords)]
            if any(isinstance(a, ast.Name) and a.id == function.self_name for a in passed):
                return True
            if path_of(function, node.func) in holders:  # a call of the module that holds it may set it
                return True
            method = function.self_attribute(node.func)
            if method is not None and function.cls is not None and _sets(function.cls, method, attribute, set()):
                return True
    return False


def _holders(attribute: str) -> list[str]:
    """``a`` and ``a.b`` of ``a.b.c``."""
    parts = attribute.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def _sets(cls: Class, method: str, attribute: str, seen: set[str]) -> bool:
    """Whether a method, or one that it calls, assigns it or its holder; in the class or one that derives from it."""
    if method in seen:
        return False
    seen.add(method)
    versions = [c.methods[method] for c in (cls, *cls.ancestors, *cls.subclasses) if method in c.methods]
    for version in versions:
        for node in walk(version.node):
            if isinstance(node, ast.Attribute) and path_of(version, node) in (attribute, *_holders(attribute)):
                if not isinstance(node.ctx, ast.Load):
                    return True
            elif isinstance(node, ast.Call):
                called = version.self_attribute(node.func)
                if called is not None and _sets(cls, called, attribute, seen):
                    return True
    return False
