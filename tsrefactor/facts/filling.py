"""How a container of modules is filled, by the constructor or by a method that it calls, and how many it holds then."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from .computed_names import defined
from .definitions import Class, Function
from .nodes import walk

Made = tuple[Function, ast.expr]  # an expression, and the method that has it


@dataclass(frozen=True)
class LocalList:
    """A local list that starts empty, is filled by ``append``, and then only handed over."""

    start: ast.Assign
    appended: list[ast.Call]


def values_of(cls: Class, attribute: str) -> list[tuple[Function, ast.expr | None]]:
    """What the class assigns to ``self.attribute``; for ``self._make_layers(…)`` what that method returns, but None."""
    found: list[tuple[Function, ast.expr | None]] = []
    for method, value in cls.assigned.get(attribute, ()):
        name = method.self_attribute(value.func) if isinstance(value, ast.Call) else None
        builder = cls.method(name) if name is not None else None
        if builder is None or any(name in c.methods for c in cls.subclasses):
            found.append((method, value))
            continue
        returned = [r.value for r in builder.of(ast.Return) if r.value is not None and not is_none(r.value)]
        found += [(builder, v) for v in returned]
    return found


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def elements_made(cls: Class, attribute: str) -> list[Made]:
    """Expressions of what ``self.attribute`` is built of, as far as they are written there."""
    found: list[Made] = []
    for method, value in values_of(cls, attribute):
        if value is not None:
            found += elements_in(method, value)
    return found + [(method, call.args[0]) for method, call in _appended(cls, attribute)]


def elements_of(cls: Class, attribute: str) -> list[ast.expr]:
    return [element for _, element in elements_made(cls, attribute)]


def elements_in(method: Function, value: ast.expr) -> list[Made]:
    """The same for one list, or one container that is made of a list."""
    listed = value.args[0] if isinstance(value, ast.Call) and value.args else value
    if isinstance(listed, ast.Name) and listed is not value:
        filled = local_list(method, listed)
        return [(method, call.args[0]) for call in filled.appended] if filled is not None else []
    if isinstance(listed, (ast.List, ast.Tuple)):
        return [(method, element) for element in listed.elts]
    return [(method, listed.elt)] if isinstance(listed, (ast.ListComp, ast.GeneratorExp)) else []


def local_list(method: Function, handed: ast.Name) -> LocalList | None:
    """The list that a method hands over there, as `LocalList` says; where a loop makes it anew, in the same round."""
    parents = method.file.parents
    names = [n for n in walk(method.node) if isinstance(n, ast.Name) and n.id == handed.id and n is not handed]
    starts = [parents[n] for n in names if isinstance(n.ctx, ast.Store)]
    calls = [parents[p] for n in names if isinstance(p := parents[n], ast.Attribute) and p.attr == "append"]
    if len(starts) != 1 or len(calls) != len(names) - 1:
        return None
    start, appended = starts[0], [c for c in calls if isinstance(c, ast.Call) and len(c.args) == 1 and not c.keywords]
    if not isinstance(start, ast.Assign) or not isinstance(start.value, ast.List) or start.value.elts:
        return None
    if len(appended) < len(calls) or not all(isinstance(parents[c], ast.Expr) for c in appended):
        return None
    block = method.file.block_of(start)
    if parents[start] is not method.node and method.file.statement_of(handed) not in block:
        return None
    in_order = all(start.lineno < c.lineno < handed.lineno for c in appended)
    return LocalList(start, appended) if in_order else None


def iterated(function: Function, name: str) -> ast.expr | None:
    """What the loop goes over whose variable is ``name``: ``a`` in ``for i, name in enumerate(a)``."""
    for loop in function.of(ast.For):
        pairs = dict(_pairs(function, loop.target, loop.iter))
        if name in pairs:
            return pairs[name]
    return None


def _pairs(function: Function, target: ast.expr, over: ast.expr) -> list[tuple[str, ast.expr]]:
    origin = function.file.origin(over.func) if isinstance(over, ast.Call) else ""
    if isinstance(target, ast.Name):
        return [(target.id, over)]
    if isinstance(target, ast.Tuple) and isinstance(over, ast.Call):
        if origin == "enumerate" and len(target.elts) == 2 and over.args:
            return _pairs(function, target.elts[1], over.args[0])
        if origin == "zip" and len(target.elts) == len(over.args):
            return [p for t, a in zip(target.elts, over.args, strict=True) for p in _pairs(function, t, a)]
    return []


def _appended(cls: Class, attribute: str) -> list[tuple[Function, ast.Call]]:
    """The calls ``self.attribute.append(module)``."""
    return [
        (method, node)
        for method in cls.methods.values()
        for node in method.of(ast.Call)
        if isinstance(node.func, ast.Attribute)
        and node.func.attr == "append"
        and method.self_attribute(node.func.value) == attribute
        and len(node.args) == 1
    ]


# -- how many ------------------------------------------------------------------------------------------------------


def lengths(function: Function, base: ast.expr) -> set[str]:
    """Expressions that are sure to give the number of modules in ``self.attribute``, or in each container of it that a
    loop gives a name; none but ``len`` where nothing says so."""
    found = {f"len({ast.unparse(base)})"}
    outer = _only_iterated(function, base.id) if isinstance(base, ast.Name) else None
    attribute, cls = function.self_attribute(base if outer is None else outer), function.cls
    owner = next((c for c in (cls, *cls.ancestors) if c.assigned.get(attribute or "")), None) if cls else None
    if owner is None or attribute is None:
        return found
    made = values_of(owner, attribute)
    appended = _appended(owner, attribute)
    if outer is not None:
        made = [(method, element) for method, element in elements_made(owner, attribute)]
        counts = {(method, _count(method, value)) for method, value in made}
        method, counted = counts.pop() if len(counts) == 1 else (function, None)
    elif len(made) != 1:
        return found
    else:
        method, value = made[0]
        counted = _count(method, value) if not appended else None
        if isinstance(value, ast.Call) and not value.args and len(appended) == 1 and appended[0][0] is method:
            counted = _rounds(method, method.node.body, [appended[0][1]])
    if counted is None:
        return found
    lasting = counted.isdigit() or method is function or _set_once(owner, counted)  # a local name ends with its method
    return found | ({counted} if lasting else set()) | _stored_as(owner, method, counted)


def _only_iterated(function: Function, name: str) -> ast.expr | None:
    stores = [n for n in function.of(ast.Name) if n.id == name and isinstance(n.ctx, ast.Store)]
    return iterated(function, name) if len(stores) == 1 else None


def _count(method: Function, value: ast.expr | None) -> str | None:
    """How many a container holds, by the list that it is made of."""
    if not isinstance(value, ast.Call) or len(value.args) != 1:
        return None
    listed = value.args[0]
    if isinstance(listed, (ast.List, ast.Tuple)) and not any(isinstance(e, ast.Starred) for e in listed.elts):
        return str(len(listed.elts))
    if isinstance(listed, (ast.ListComp, ast.GeneratorExp)) and len(listed.generators) == 1:
        generator = listed.generators[0]
        return _range_length(method, generator.iter) if not generator.ifs else None
    if isinstance(listed, ast.Name) and (filled := local_list(method, listed)) is not None:
        return _rounds(method, method.file.block_of(filled.start), filled.appended)
    return None


def _rounds(method: Function, block: Sequence[ast.stmt], calls: Sequence[ast.Call]) -> str | None:
    """How often calls are made in a loop of the block that makes one of them in every round, if it is over
    ``range(n)``."""
    statements = {method.file.statement_of(c) for c in calls}
    loop = next((s for s in block if isinstance(s, ast.For) and statements & set(walk(s))), None)
    if loop is None or not statements <= set(walk(loop)) or is_left(loop.body) or not _one_of(loop.body, statements):
        return None
    return _range_length(method, loop.iter)


def _one_of(block: Sequence[ast.stmt], chosen: set[ast.stmt]) -> bool:
    """Whether running a block runs exactly one of the statements, once."""
    found = [s for s in block if chosen & set(walk(s))]
    if len(found) != 1:
        return False
    if isinstance(found[0], ast.If):
        return all(_one_of(arm, chosen) for arm in (found[0].body, found[0].orelse))
    return found[0] in chosen


def _range_length(method: Function, over: ast.expr) -> str | None:
    """``n`` of ``range(n)`` when nothing in the method changes it."""
    if not isinstance(over, ast.Call) or method.file.origin(over.func) != "range" or len(over.args) != 1:
        return None
    number = defined(method, over.args[0])  # `n = self.n`
    if method.self_attribute(number) is None:
        number = over.args[0]
    changed = method.flow.reads(number) & method.flow.writes(method.node.body)
    return ast.unparse(number) if not changed else None


def _set_once(cls: Class, text: str) -> bool:
    """Whether the text is ``self.n``, and the class assigns that once."""
    head, _, name = text.partition(".")
    return head == "self" and sum(len(c.assigned.get(name, ())) for c in (cls, *cls.subclasses)) == 1


def _stored_as(cls: Class, method: Function, text: str) -> set[str]:
    """``self.n`` for every attribute that only that method sets, once, to the same expression."""
    return {
        f"self.{name}"
        for name, values in cls.assigned.items()
        if len(values) == 1
        and values[0][0] is method
        and values[0][1] is not None
        and ast.unparse(values[0][1]) == text
    }


def is_left(body: Sequence[ast.stmt]) -> bool:
    """Whether a ``break`` or ``continue`` belongs to the loop around these statements."""
    for statement in body:
        if isinstance(statement, (ast.Break, ast.Continue)):
            return True
        if isinstance(statement, (ast.For, ast.While)):
            if is_left(statement.orelse):
                return True
        elif not isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            inner = [s for field in ("body", "orelse", "finalbody") for s in getattr(statement, field, [])]
            if is_left(inner):
                return True
    return False
