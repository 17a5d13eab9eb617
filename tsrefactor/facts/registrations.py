"""Modules that a class registers under names that it computes: ``self.add_module(f"layer{i}", layer)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .computed_names import defined, pattern, registered_name
from .definitions import Class, Function
from .filling import elements_of, is_left
from .nodes import walk


@dataclass(frozen=True, eq=False)
class Registration:
    """A call that registers ``module`` under ``name``.

    ``is_one_to_one``: it does so for the modules of a list, each of which is another one and gets another name.
    """

    method: Function
    call: ast.Call
    name: ast.expr
    module: ast.expr
    is_one_to_one: bool = False


def registrations(cls: Class) -> Iterator[Registration]:
    """All such calls of a class and its relatives."""
    for c in (cls, *cls.ancestors, *cls.subclasses):
        for method in c.methods.values():
            yield from _of_method(method)


def _of_method(method: Function) -> Iterator[Registration]:
    for call in method.of(ast.Call):
        name = registered_name(method, call)
        if name is not None:
            given = [*call.args, *(k.value for k in call.keywords)]
            yield Registration(method, call, name, given[-1])


def registration(init: Function, attribute: str) -> Registration | None:
    """The call by which the constructor registers each module of the list that an attribute holds."""
    for found in _of_method(init):
        statement = init.file.statement_of(found.call)
        loop = init.file.parents[statement]
        module = found.module
        if not isinstance(loop, ast.For) or init.file.parents[found.call] is not statement:
            continue
        over_list = beside = False
        if isinstance(module, ast.Name):
            target = loop.target.elts[-1] if isinstance(loop.target, ast.Tuple) else loop.target
            over_list = _is_over(init, attribute, loop) and isinstance(target, ast.Name) and target.id == module.id
            appended = f"{init.self_name}.{attribute}.append({module.id})"
            beside = any(isinstance(s, ast.Expr) and ast.unparse(s) == appended for s in loop.body)
        elif _is_element(init, attribute, module, loop):
            over_list = _is_over(init, attribute, loop)
            beside = not over_list and all(n.lineno < module.lineno for n in _appends(init, attribute))
        if over_list or beside:
            sure = _is_one_to_one(init, attribute, found, loop, not over_list)
            return Registration(init, found.call, found.name, module, sure)
    return None


def _is_element(init: Function, attribute: str, module: ast.expr, loop: ast.For) -> bool:
    """Whether each round takes another element of the list, the first in the first: ``self.layers[i]``; or what it has
    just appended: ``self.layers[-1]``."""
    if not isinstance(module, ast.Subscript) or init.self_attribute(module.value) != attribute:
        return False
    index, over = module.slice, loop.iter
    if not isinstance(index, ast.Name):
        return ast.unparse(index) == "-1" and not _is_over(init, attribute, loop)
    starts = over.args[:-1] if isinstance(over, ast.Call) else []  # of `range(0, n)`
    return index.id == _counter(init, loop) and all(ast.unparse(s) == "0" for s in starts)


def _is_over(init: Function, attribute: str, loop: ast.For) -> bool:
    """Whether the loop goes over the whole list, or over its indices."""
    over = _enumerated(init, loop) or loop.iter
    indices = f"range(len({init.self_name}.{attribute}))"
    return init.self_attribute(over) == attribute or ast.unparse(over) == indices


def _appends(init: Function, attribute: str) -> list[ast.Attribute]:
    """Where the constructor calls a method of the list."""
    found = (init.file.parents[n] for n in init.self_attributes[attribute])
    return [n for n in found if isinstance(n, ast.Attribute)]


def _appended_in(block: Sequence[ast.stmt], append: str) -> int | None:
    """How often statements append to the list, whatever branch they take; None where that is not sure."""
    count = 0
    for statement in block:
        if isinstance(statement, ast.If):
            arms = {_appended_in(statement.body, append), _appended_in(statement.orelse, append)}
            more = arms.pop() if len(arms) == 1 else None
        else:
            more = int(ast.unparse(statement).startswith(append))
            if not isinstance(statement, ast.Expr) and append in ast.unparse(statement):
                return None
        if more is None:
            return None
        count += more
    return count


def _enumerated(init: Function, loop: ast.For) -> ast.expr | None:
    over = loop.iter
    numbered = isinstance(over, ast.Call) and init.file.origin(over.func) == "enumerate"
    return over.args[0] if numbered and isinstance(over, ast.Call) and over.args else None


def _is_one_to_one(init: Function, attribute: str, found: Registration, loop: ast.For, beside: bool) -> bool:
    """Whether the loop registers all modules of the list, each of them another one under another name."""
    cls, file = init.cls, init.file
    counter, changed = _counter(init, loop), init.flow.writes(loop.body)
    if cls is None or counter is None or counter in changed or is_left(loop.body):
        return False
    made = cls.assigned[attribute][0][1]
    always = made is not None and loop in file.block_of(file.statement_of(made))
    if not always or not _tells(init, found.name, counter, changed):
        return False
    appends = _appends(init, attribute)
    if beside:
        append = f"{init.self_name}.{attribute}.append("
        once = _appended_in(loop.body, append) == 1 and all(n in set(walk(loop)) for n in appends)
        if not once or not isinstance(made, ast.List) or made.elts:
            return False
    if not beside and any(n.lineno > loop.lineno for n in appends):
        return False
    elements = elements_of(cls, attribute)
    names = [e.id for e in elements if isinstance(e, ast.Name)]
    return len(names) == len(set(names)) and all(_is_made(init, element) for element in elements)


def _counter(init: Function, loop: ast.For) -> str | None:
    """The variable of a loop that counts its rounds."""
    target, over = loop.target, loop.iter
    if _enumerated(init, loop) is not None:
        target = target.elts[0] if isinstance(target, ast.Tuple) else target
    elif not isinstance(over, ast.Call) or init.file.origin(over.func) != "range":
        return None
    return target.id if isinstance(target, ast.Name) else None


def _tells(init: Function, name: ast.expr, counter: str, changed: set[str]) -> bool:
    """Whether a name is another one for every value of the counter: ``f"layer{i + 1}"``, but not of ``i // 2``.

    ``changed``: what else the loop changes.
    """
    if pattern(init, name).count(".+") != 1:
        return False
    name, parents = defined(init, name), init.file.parents
    uses = [n for n in walk(name) if isinstance(n, ast.Name) and n.id == counter]
    if len(uses) != 1:
        return False
    node: ast.AST = uses[0]
    while node is not name:
        inner, node = node, parents[node]
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
                known = not init.flow.reads(right if left is inner else left) & (changed | {counter})
            case ast.BinOp(left=left, op=ast.Mod()):
                known = isinstance(left, ast.Constant) and isinstance(left.value, str)
            case ast.Call(func=func, args=[_]):
                known = init.file.origin(func) == "str" or (isinstance(func, ast.Attribute) and func.attr == "format")
            case _:
                known = isinstance(node, (ast.JoinedStr, ast.FormattedValue, ast.Tuple))
        if not known:
            return False
    return True


def _is_made(init: Function, element: ast.expr) -> bool:
    """Whether an element of the list is a module that is made for it: a call of its class."""
    made = element
    if isinstance(element, ast.Name):  # one that every round of a loop makes
        made, file = defined(init, element), init.file
        appended = file.statement_of(element)
        in_loop = isinstance(appended, ast.Expr) and isinstance(file.parents[appended], (ast.For, ast.While))
        if made is element or not in_loop or file.statement_of(made) not in file.block_of(appended):
            return False
    origin = init.file.origin(made.func) if isinstance(made, ast.Call) else ""
    return init.file.class_named(origin) is not None or origin.rpartition(".")[2][:1].isupper()
