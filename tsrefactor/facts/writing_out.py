"""The forward of a submodule written where it is called, with the functions that it is handed."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from .callers import arguments
from .definitions import Function
from .flow import root_name
from .inlining import ATOMS, is_plain, runs_first, written
from .layer_helpers import called_parameters
from .names import fresh
from .nodes import walk

_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.NamedExpr, ast.Yield, ast.Await)


class NotWrittenOut(Exception):
    """Why a call stays."""


class WrittenOut:
    """What stands for a call of ``layer``, whose class has this ``forward``, in ``function``.

    ``lines`` go before the statement, ``value`` in the place of the call. Raises NotWrittenOut where the forward, or
    what it is given, does not allow that.
    """

    def __init__(self, function: Function, call: ast.Call, layer: ast.expr, forward: Function):
        self.function, self.call, self.forward = function, call, forward
        self.layer = ast.unparse(layer)
        self.lines: list[str] = []
        self._names: dict[str, str] = {}
        self._handed: dict[str, ast.expr] = {}
        self._taken = {n.id for n in walk(function.node) if isinstance(n, ast.Name)}
        self._taken |= {n.arg for n in walk(function.node) if isinstance(n, ast.arg)}
        body = _checked(function, forward)
        self._give()
        for statement in body[:-1]:
            assert isinstance(statement, ast.Assign) and statement.value is not None
            text = self._text(statement.value)
            [target] = statement.targets
            assert isinstance(target, ast.Name)
            self._names[target.id] = self._bound(target.id, text)
        last = body[-1]
        assert isinstance(last, ast.Return) and last.value is not None
        value = self._text(last.value)
        parent = function.file.parents[call]
        bare = isinstance(last.value, ATOMS) or isinstance(parent, (ast.Assign, ast.Return, ast.Call, ast.keyword))
        self.value = value if bare else f"({value})"
        if self.lines and not _begins(function, call):
            raise NotWrittenOut("other code of the statement runs before it")

    def _give(self) -> None:
        """Takes what the call gives: functions as they are, anything but a plain value in a variable."""
        call, forward = self.call, self.forward
        called = called_parameters(forward)
        if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
            raise NotWrittenOut("it is called with `*` or `**`")
        given = arguments(forward, call)
        for parameter in forward.parameters:
            value = given.get(parameter.name, parameter.default)
            if value is None:
                raise NotWrittenOut(f"it is not given `{parameter.name}`")
            if parameter.name in called:
                if not isinstance(value, ast.Lambda) and not is_plain(value):
                    raise NotWrittenOut(f"`{parameter.name}` is neither a lambda nor an attribute")
                self._handed[parameter.name] = value
            elif is_plain(value):
                self._names[parameter.name] = ast.unparse(value)
            else:
                self._names[parameter.name] = self._bound(parameter.name, ast.unparse(value))

    def _bound(self, wanted: str, text: str) -> str:
        name = fresh(self._taken, wanted)
        self._taken.add(name)
        self.lines.append(f"{name} = {text}")
        return name

    def _text(self, node: ast.expr) -> str:
        """An expression of the forward, as it is written in the function."""
        return written(self.forward.file.source, node, self._changes(node, node))

    def _changes(self, node: ast.AST, whole: ast.expr) -> dict[ast.expr, str]:
        if isinstance(node, ast.Name):
            if node.id == self.forward.self_name:
                return {node: self.layer}
            return {node: self._names[node.id]} if node.id in self._names else {}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._handed:
            return {node: self._run(node, whole)}
        found: dict[ast.expr, str] = {}
        for child in ast.iter_child_nodes(node):
            found |= self._changes(child, whole)
        return found

    def _run(self, call: ast.Call, whole: ast.expr) -> str:
        """The call of a function that the forward was handed."""
        assert isinstance(call.func, ast.Name)
        handed = self._handed[call.func.id]
        if not isinstance(handed, ast.Lambda):
            texts = [self._text(a) for a in call.args] + [f"{k.arg}={self._text(k.value)}" for k in call.keywords]
            return f"{ast.unparse(handed)}({', '.join(texts)})"
        names, body = [a.arg for a in handed.args.args], handed.body
        a = handed.args
        if a.vararg or a.kwarg or a.kwonlyargs or a.posonlyargs or a.defaults or call.keywords:
            raise NotWrittenOut("the lambda, or the call of it, takes more than plain parameters")
        if len(names) != len(call.args) or any(isinstance(n, _SCOPES) for n in walk(body)):
            raise NotWrittenOut("the lambda takes another number of arguments, or has a scope of its own inside")
        changes: dict[ast.expr, str] = {}
        for name, argument in zip(names, call.args, strict=True):
            uses = [n for n in walk(body) if isinstance(n, ast.Name) and n.id == name]
            text = self._text(argument)
            if not is_plain(argument) and not (
                len(uses) == len(names) == 1 and runs_first(self.function, body, uses[0])
            ):
                if not runs_first(self.forward, whole, argument):
                    raise NotWrittenOut("other code of the forward runs before what the lambda is given")
                text = self._bound(_called(argument, name), text)
            changes |= dict.fromkeys(uses, text)
        text = written(self.function.file.source, body, changes)
        inside = isinstance(self.forward.file.parents[call], (ast.Call, ast.keyword, ast.Assign, ast.Return))
        return text if inside or isinstance(body, ATOMS) else f"({text})"


def _checked(function: Function, forward: Function) -> Sequence[ast.stmt]:
    """The statements of a forward that can be written elsewhere."""
    a, body = forward.node.args, forward.code
    if a.vararg or a.kwarg or a.posonlyargs or a.kwonlyargs or forward.node.decorator_list:
        raise NotWrittenOut("its forward takes more than plain parameters, or is decorated")
    simple = all(isinstance(s, ast.Assign) and [type(t) for t in s.targets] == [ast.Name] for s in body[:-1])
    if not body or not simple or not isinstance(body[-1], ast.Return) or body[-1].value is None:
        raise NotWrittenOut("its forward does more than assign variables and return")
    nodes = [n for s in body for n in walk(s)]
    if any(isinstance(n, _SCOPES) for n in nodes) or any(s.lineno != s.end_lineno for s in body):
        raise NotWrittenOut("its forward has a scope of its own inside, or runs over several lines")
    called = called_parameters(forward)
    calls = {n.func for n in nodes if isinstance(n, ast.Call)}
    named = [n for n in nodes if isinstance(n, ast.Name)]
    if any(n.id in called and n not in calls for n in named):
        raise NotWrittenOut("its forward uses the function otherwise than by calling it")
    own = {p.name for p in forward.parameters} | {n.id for n in named if not isinstance(n.ctx, ast.Load)}
    free = {n.id for n in named} - own - {forward.self_name}
    if free & function.flow.local_names or {"super", "__class__"} & free:
        raise NotWrittenOut("a name in its forward means something else here")
    if any(isinstance(n, ast.Attribute) and n.attr.startswith("__") and not n.attr.endswith("__") for n in nodes):
        raise NotWrittenOut("its forward reads a name of its class alone")
    return body


def _called(argument: ast.expr, parameter: str) -> str:
    """A name for what a lambda is given: ``norm_x`` for ``self.norm(x)``."""
    made = argument.func if isinstance(argument, ast.Call) else None
    of = root_name(argument.args[0]) if isinstance(argument, ast.Call) and argument.args else None
    return f"{made.attr}_{of}" if isinstance(made, ast.Attribute) and of else parameter.strip("_") or "x"


def _begins(function: Function, call: ast.Call) -> bool:
    """Whether the statement evaluates nothing before the call, and evaluates it once."""
    statement = function.file.statement_of(call)
    value = statement.value if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.Return, ast.Expr)) else None
    return value is not None and runs_first(function, value, call)
