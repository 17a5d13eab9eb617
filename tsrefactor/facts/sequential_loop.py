"""Who makes a Sequential, and what its forward does, as a loop in the place of its call."""

from __future__ import annotations

import ast

from tsrefactor.source.edits import Edit, InsertBefore, Replace

from .definitions import Function
from .filling import values_of
from .loop_edits import slice_guard
from .names import fresh

SEQUENTIAL = "torch.nn.Sequential"
_NOT_ONCE = (ast.BoolOp, ast.IfExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)
_ONLY_READ = (ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple)


def loop_in_place(
    function: Function, call: ast.Call, value: ast.expr, container: str, module: str, part: ast.Slice | None = None
) -> list[Edit]:
    """A loop over ``container``, before the statement or in its place, that gives ``value`` to its modules; no edits
    where the statement does not evaluate the call first. ``module``: what to call one of them; ``part``: of which
    slice."""
    statement = function.file.statement_of(call)
    # the names that it reads count, too: a local of such a name would hide the file's function
    taken = function.flow.local_names | {n.id for n in ast.walk(function.node) if isinstance(n, ast.Name)}
    if function.file.source.segment(value).count("\n") and not _moves_as_it_is(function, value, statement):
        return []
    module = fresh(taken, module, "module", "layer")
    loop = f"for {module} in {container}:\n    {{name}} = {module}({{name}})\n"
    if part is not None:
        index = fresh(taken, "i", "j", "index")
        guard = slice_guard(part, container, index)
        if not guard:
            return []
        loop = f"for {index}, {module} in enumerate({container}):\n    if {guard}:\n"
        loop += f"        {{name}} = {module}({{name}})\n"
    if isinstance(statement, ast.Assign) and statement.value is call and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name) and target.id != container:
            first = "" if isinstance(value, ast.Name) and value.id == target.id else "{name} = {value}\n"
            return [Replace([statement], first + loop, {"name": target.id, "value": value})]
    if not _evaluated_first(function, call, statement):
        return []
    if isinstance(value, ast.Name) and isinstance(statement, ast.Return) and statement.value is call:
        first, name = "", value.id
    else:
        first, name = "{name} = {value}\n", fresh(taken, "out", "output", "result")
    return [InsertBefore(statement, first + loop, {"name": name, "value": value}), Replace(call, name)]


def _evaluated_first(function: Function, call: ast.Call, statement: ast.stmt) -> bool:
    """Whether the statement always evaluates the call, and nothing with an effect before it."""
    if not isinstance(statement, (ast.Assign, ast.Return, ast.Expr, ast.AugAssign)):
        return False
    around: list[ast.AST] = [call]
    while around[-1] is not statement:
        around.append(function.file.parents[around[-1]])
    if any(isinstance(n, _NOT_ONCE) for n in around):
        return False
    apart = {*around, *ast.walk(call)}
    others = [n for n in ast.walk(statement) if n not in apart]
    if any(isinstance(n, ast.Call) and not function.flow.is_pure(n) for n in others):
        return False
    # a module may change in place what an operation before the call would read; a bare name is read either way
    targets = {n for t in statement.targets for n in ast.walk(t)} if isinstance(statement, ast.Assign) else set()
    start = (call.lineno, call.col_offset)
    before = [n for n in others if isinstance(n, ast.expr) and (n.lineno, n.col_offset) < start and n not in targets]
    return all(isinstance(n, _ONLY_READ) for n in before)


def _moves_as_it_is(function: Function, value: ast.expr, statement: ast.stmt) -> bool:
    """Whether a value of several lines stands at the statement's indentation: its first line ends with a bracket."""
    first = function.file.source.segment(value).partition("\n")[0].rstrip()
    return value.lineno == statement.lineno and first.endswith(("[", "(", "{"))


def makers(function: Function, node: ast.expr) -> list[tuple[Function, ast.Call]] | None:
    """The calls that make the Sequential of an attribute; None where the file does not show that it always is one, or
    where one of them makes those of several attributes."""
    attribute, cls = function.self_attribute(node), function.cls
    if attribute is None or cls is None:
        return None
    family = (cls, *cls.ancestors, *cls.subclasses)
    values = [(m, v) for c in family for m, v in values_of(c, attribute)]
    found = [(m, v) for m, v in values if isinstance(v, ast.Call) and m.file.origin(v.func) == SEQUENTIAL]
    direct = {id(v) for c in family for _, v in c.assigned.get(attribute, ())}
    if not values or len(found) < len(values) or any(id(v) not in direct for _, v in found):
        return None
    return found
