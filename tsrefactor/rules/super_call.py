"""super-call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import Class, FileFacts, Function
from tsrefactor.source.edits import Edit, InsertAfter, InsertBefore, RenameFunction, Replace
from tsrefactor.vocabulary import Target

from .base import Finding, Rule, Settings
from .super_call_examples import EXAMPLES
from .super_call_idioms import BATCH_NORM_METHOD, BATCH_NORMS, IDIOMS


@dataclass(frozen=True)
class _ParentCall:
    """``super().method(…)``, or the same spelt otherwise. ``start``: the class after which the search begins."""

    node: ast.Call
    method: str
    arguments: list[ast.expr]
    start: Class
    named: str | None  # the parent that is called by its name


class SuperCall(Rule):
    """Call the parent's forward by a method of its own name.

    TorchScript compiles a class with its methods flattened into one: it knows no `super()`, and a parent's method that
    the child overrides does not exist there. For a parent of torch.nn, the call becomes what that class's `forward`
    does: `self._conv_forward(x, self.weight, self.bias)`, `F.linear(x, self.weight, self.bias)`, a loop over `self` for
    a Sequential. For a parent in the same file, its `forward` moves to `_forward_impl`, which both call, as torchvision
    does it; other children of that parent keep working.

    Left alone, with a reason: parents in other files, more than one base class, classes of torch.nn whose `forward` is
    more than a call (LSTM, MultiheadAttention), and parents with `*args` or decorators.

    Source: the TorchScript language reference lists `super` as supported only for `nn.Module`'s `__init__`.
    """

    name = "super-call"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"no-attribute-on-type", "python-type-as-value", "python-value-as-value"})
    examples = EXAMPLES

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            if function.cls is None or function.self_name is None:
                continue
            for call in _parent_calls(function):
                answered = next((d for d in self.diagnoses(file) if d.place and d.place.line == call.node.lineno), None)
                if answered is not None or call.method == "forward" or function.name == "forward":
                    yield self._answer(function, call, answered)

    def _answer(self, function: Function, call: _ParentCall, answered: Diagnosis | None) -> Finding:
        """The finding for one call of a parent's method, with edits where one of the two ways is open."""
        found, reason = _resolve(function, call)
        if isinstance(found, Function):
            return self._own_parent(function, call, found, answered)
        if found is not None and call.method == "forward":
            return self._torch_parent(function, call, found, answered)
        reason = reason or f"torch.nn.{found}.{call.method} has no form that TorchScript can call"
        return self._advice(call, reason, answered)

    def _advice(self, call: _ParentCall, reason: str, answered: Diagnosis | None) -> Finding:
        message = f"TorchScript cannot call the parent's `{call.method}`, and {reason}"
        return self.finding(call.node, message, answers=answered)

    # -- the author's own parent -----------------------------------------------------------------------------------

    def _own_parent(
        self, function: Function, call: _ParentCall, parent: Function, answered: Diagnosis | None
    ) -> Finding:
        assert parent.cls is not None and function.cls is not None
        owner = f"{parent.cls.name}.{parent.name}"
        shared = _delegate(parent)
        if shared is not None and parent.cls.method(shared) is function.cls.method(shared) is not None:
            edits = [_call_to(function, call, shared)]
            return self.finding(call.node, f"TorchScript knows no super(); call `{shared}`", *edits, answers=answered)
        if parent.node.decorator_list:
            return self._advice(call, f"`{owner}` is decorated", answered)
        if any(p.kind in ("args", "kwargs") for p in parent.parameters):
            return self._advice(call, f"`{owner}` takes *args or **kwargs", answered)
        if parent.self_name is None or isinstance(parent.node, ast.AsyncFunctionDef):
            return self._advice(call, f"`{owner}` is no plain method", answered)
        shared = _shared_name(parent)
        message = f"TorchScript knows no super(); `{owner}` and this call share `{shared}`"
        return self.finding(
            call.node, message, *_move_body(parent, shared), _call_to(function, call, shared), answers=answered
        )

    # -- a parent of torch.nn --------------------------------------------------------------------------------------

    def _torch_parent(self, function: Function, call: _ParentCall, parent: str, answered: Diagnosis | None) -> Finding:
        file, self_name = function.file, function.self_name
        if any(k.arg not in ("input", "x") for k in call.node.keywords) or any(
            isinstance(a, ast.Starred) for a in call.arguments
        ):
            return self._advice(call, "its arguments are not plain", answered)
        arguments = [*call.arguments, *(k.value for k in call.node.keywords)]
        message = f"TorchScript knows no super(); do what torch.nn.{parent}.forward does"
        if parent == "Sequential" and len(arguments) == 1:
            edits = _loop_over_self(function, call.node, arguments[0])
            if not edits:
                return self._advice(call, "the call stands where no loop can be put before it", answered)
            return self.finding(call.node, message, *edits, answers=answered)
        if parent in BATCH_NORMS and len(arguments) == 1:
            name = _free_name(function, "_batch_norm")
            spelling, imports = file.spell("torch.nn.functional.batch_norm")
            method = BATCH_NORM_METHOD.format(name=name, batch_norm=spelling)
            return self.finding(
                call.node,
                message,
                Replace(call.node, f"{self_name}.{name}({{x}})", {"x": arguments[0]}),
                InsertAfter(function.node, "{method}", {"method": method}),
                imports=imports,
                answers=answered,
            )
        idiom = IDIOMS.get(parent)
        if idiom is None:
            return self._advice(call, f"no one call does what torch.nn.{parent}.forward does", answered)
        wanted = len(set(re.findall(r"\{(\d)\}", idiom)))
        if len(arguments) != wanted:
            return self._advice(call, f"only the call with {wanted} argument(s) has a known form", answered)
        imports = frozenset()
        if match := re.match(r"(F|torch)\.(\w+)", idiom):
            origin = f"torch.nn.functional.{match[2]}" if match[1] == "F" else match[0]
            spelling, imports = file.spell(origin)
            idiom = spelling + idiom[match.end() :]
        template = re.sub(r"\{(\d)\}", r"{a\1}", idiom.replace("self.", f"{self_name}."))
        pieces = {f"a{i}": argument for i, argument in enumerate(arguments)}
        return self.finding(call.node, message, Replace(call.node, template, pieces), imports=imports, answers=answered)


def _parent_calls(function: Function) -> Iterator[_ParentCall]:
    """Calls of a parent's method in a method, but for those in nested functions."""
    file, cls = function.file, function.cls
    assert cls is not None
    for node in function.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        value, method = node.func.value, node.func.attr
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super":
            start = file.class_named(file.origin(value.args[0])) if value.args else cls
            if start is not None:
                yield _ParentCall(node, method, list(node.args), start, None)
        elif node.args and isinstance(node.args[0], ast.Name) and node.args[0].id == function.self_name:
            origin = file.origin(value)
            if file.class_named(origin) is not None or origin in cls.foreign_bases:
                yield _ParentCall(node, method, list(node.args[1:]), cls, origin)


def _resolve(function: Function, call: _ParentCall) -> tuple[Function | str | None, str | None]:
    """The method that the call reaches: a Function of this file or the name of a class of torch.nn; else the reason."""
    file, cls = function.file, function.cls
    assert cls is not None
    if call.start is not cls and call.start not in cls.ancestors:
        return None, f"`{cls.name}` does not derive from `{call.start.name}`"
    current: Class | None = call.start
    if call.named is not None:
        current = file.class_named(call.named)
        if current is not None and current is not cls and current not in cls.ancestors:
            return None, f"`{cls.name}` does not derive from `{current.name}`"
    several = next((c for c in (cls, *cls.subclasses, *cls.ancestors) if len(c.bases) > 1), None)
    if several is not None and call.named is None:
        return None, f"`{several.name}` has several base classes"
    if call.named is not None and current is None:
        return _torch_class(call.named)
    if call.named is not None and current is not None and call.method in current.methods:
        return current.methods[call.method], None
    while current is not None:
        if len(current.bases) != 1:
            return (
                None,
                f"`{current.name}` has several base classes" if current.bases else f"no parent defines `{call.method}`",
            )
        base = current.bases[0]
        current = file.class_named(base)
        if current is None:
            return _torch_class(base)
        if call.method in current.methods:
            return current.methods[call.method], None
    return None, None


def _torch_class(origin: str) -> tuple[str | None, str | None]:
    name = origin.rpartition(".")[2]
    if origin.startswith("torch.nn.") and name != "Module":
        return name, None
    if origin == "torch.nn.Module":
        return None, "no parent defines it"
    return None, f"`{name or origin}` lies in another file"


def _delegate(parent: Function) -> str | None:
    """``name`` when the whole body is ``return self.name(…)`` over its own parameters."""
    body = [s for s in parent.node.body if not _is_docstring(s)]
    if len(body) == 1 and isinstance(body[0], ast.Return) and isinstance(body[0].value, ast.Call):
        call = body[0].value
        given = [a.id for a in (*call.args, *(k.value for k in call.keywords)) if isinstance(a, ast.Name)]
        if given == [p.name for p in parent.parameters]:
            return parent.self_attribute(call.func)
    return None


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _shared_name(parent: Function) -> str:
    """A name for the moved body that no class above or below the parent has."""
    assert parent.cls is not None
    relatives = (parent.cls, *parent.cls.ancestors, *parent.cls.subclasses)
    # A class between two calls of super(): its parent's body must not be found under the name of its own.
    passed_on = any(_calls_super(c.methods.get(parent.name)) and c.subclasses for c in parent.cls.subclasses)
    taken = {name for c in relatives for name in (*c.methods, *c.assigned)}
    of_class = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parent.cls.name).lower().strip("_")
    plain = f"_{parent.name.strip('_')}_impl"
    wanted = [f"_{of_class}_{parent.name.strip('_')}", plain]
    if not passed_on:
        wanted.reverse()
    return next(n for n in (*wanted, *(f"{wanted[0]}_{i}" for i in range(2, 99))) if n not in taken)


def _calls_super(method: Function | None) -> bool:
    return method is not None and any(c.method == method.name for c in _parent_calls(method))


def _free_name(function: Function, wanted: str) -> str:
    assert function.cls is not None
    relatives = (function.cls, *function.cls.ancestors, *function.cls.subclasses)
    taken = {name for c in relatives for name in (*c.methods, *c.assigned)}
    return next(n for n in (wanted, *(f"{wanted}_{i}" for i in range(2, 99))) if n not in taken)


def _call_to(function: Function, call: _ParentCall, shared: str) -> Replace:
    """The call under the shared name; its arguments stay as they are written."""
    pieces: dict[str, ast.expr] = {f"a{i}": a for i, a in enumerate(call.arguments)}
    parts = [f"{{a{i}}}" for i in range(len(pieces))]
    for i, keyword in enumerate(call.node.keywords):
        pieces[f"k{i}"] = keyword.value
        parts.append(f"{keyword.arg}={{k{i}}}" if keyword.arg else f"**{{k{i}}}")
    return Replace(call.node, f"{function.self_name}.{shared}({', '.join(parts)})", pieces)


def _move_body(parent: Function, shared: str) -> tuple[RenameFunction, InsertAfter]:
    """The parent's method gets the shared name, and a short one under the old name calls it."""
    arguments = ", ".join(f"{p.name}={p.name}" if p.kind == "keyword" else p.name for p in parent.parameters)
    returns = f" -> {ast.unparse(parent.node.returns)}" if parent.node.returns else ""
    signature = f"{parent.node.name}({ast.unparse(parent.node.args)}){returns}"
    template = f"\ndef {{signature}}:\n    return {parent.self_name}.{shared}({arguments})\n"
    return RenameFunction(parent.node, shared), InsertAfter(parent.node, template, {"signature": signature})


def _loop_over_self(function: Function, call: ast.Call, value: ast.expr) -> list[Edit]:
    """What Sequential.forward does, as a loop before the statement; none where the call is not evaluated first."""
    file = function.file
    statement = file.statement_of(call)
    taken = function.flow.local_names
    module = next(n for n in ("module", "layer", *(f"module_{i}" for i in range(2, 99))) if n not in taken)
    loop = f"for {module} in {function.self_name}:\n    {{name}} = {module}({{name}})\n"
    if isinstance(statement, ast.Assign) and statement.value is call:
        target = statement.targets[0]
        if len(statement.targets) == 1 and isinstance(target, ast.Name):
            first = "" if isinstance(value, ast.Name) and value.id == target.id else "{name} = {value}\n"
            return [Replace([statement], first + loop, {"name": target.id, "value": value})]
    if not isinstance(statement, (ast.Assign, ast.Return, ast.Expr, ast.AugAssign)):
        return []
    inside: ast.AST = call
    while inside is not statement:  # nothing may be evaluated before the call, or only sometimes
        outer = file.parents[inside]
        if isinstance(outer, (ast.BoolOp, ast.IfExp, ast.ListComp, ast.GeneratorExp, ast.Lambda, ast.DictComp)):
            return []
        inside = outer
    others = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and n is not call]
    ancestors = {id(n) for n in others if any(m is call for m in ast.walk(n))}
    within = {id(n) for n in ast.walk(call)}
    if any(id(n) not in ancestors | within and not function.flow.is_pure(n) for n in others):
        return []
    parameter = isinstance(value, ast.Name) and isinstance(statement, ast.Return) and statement.value is call
    outs = ("out", "output", "result", *(f"out_{i}" for i in range(2, 99)))
    name = value.id if parameter and isinstance(value, ast.Name) else next(n for n in outs if n not in taken)
    first = "" if parameter else "{name} = {value}\n"
    return [InsertBefore(statement, first + loop, {"name": name, "value": value}), Replace(call, name)]
