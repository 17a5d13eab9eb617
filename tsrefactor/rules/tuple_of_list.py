"""tuple-of-list."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.signatures import function_at
from tsrefactor.source.edits import InsertBefore, Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview

_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    inputs, error = "[(torch.rand(3, 4),), (torch.rand(2, 4),)]", "cannot statically infer the expected size of a list"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class TupleOfList(Rule):
    """Keep a list under TorchScript where eager makes a tuple of it that TorchScript cannot count.

    The length of a tuple is part of its type in TorchScript, and that of a list is not known when it compiles: so
    `return tuple(outs)` does not compile. With `return outs if torch.jit.is_scripting() else tuple(outs)` eager gives
    the tuple as before, and the scripted model the list: it is indexed, unpacked, iterated and joined as the tuple
    is. That it is a list there is a caveat.

    A generator or comprehension gets a name first; in a variable that is only iterated, indexed, unpacked or measured
    a list takes the place of its tuple in eager, too. Left alone: functions whose return is annotated, and arguments
    of calls, which are the business of size-concat.

    Source: "cannot statically infer the expected size of a list in this context", raised by
    torch/csrc/jit/frontend/sugared_value.h for `asTuple` of a list.
    """

    name = "tuple-of-list"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"size-of-list"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
        outs = []
        for stage in self.stages:
            x = stage(x)
            outs.append(x)
        return tuple(outs)  # of all stages
""",
            """\
        outs = []
        for stage in self.stages:
            x = stage(x)
            outs.append(x)
        return outs if torch.jit.is_scripting() else tuple(outs)  # of all stages
""",
        ),
        _example(
            """\
        shares = tuple(x / n for n in range(1, 4))
        x = x + shares[0] + len(shares)
        return tuple(stage(x) for stage in self.stages)
""",
            """\
        shares = [x / n for n in range(1, 4)]
        x = x + shares[0] + len(shares)
        outputs = [stage(x) for stage in self.stages]
        return outputs if torch.jit.is_scripting() else tuple(outputs)
""",
        ),
        _example(
            """\
        outs = [stage(x) for stage in self.stages]
        return x.sum(), tuple(outs)
""",
            """\
        outs = [stage(x) for stage in self.stages]
        return x.sum(), (outs if torch.jit.is_scripting() else tuple(outs))
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            for call in function.calls("tuple") if function is not None else ():
                assert function is not None
                statement = file.statement_of(call)
                here = call.lineno <= diagnosis.place.line <= (call.end_lineno or call.lineno)
                if here and len(call.args) == 1 and isinstance(statement, (ast.Return, ast.Assign)):
                    yield from self._answer(function, call, statement, diagnosis)

    def _answer(
        self, function: Function, call: ast.Call, statement: ast.Return | ast.Assign, diagnosis: Diagnosis
    ) -> Iterator[Finding]:
        file, argument, parent = function.file, call.args[0], function.file.parents[call]
        if (isinstance(statement, ast.Return) and function.node.returns is not None) or function.types.bindings.shadows(
            "tuple"
        ):
            return
        scripting, imports = file.spell("torch.jit.is_scripting")
        what = "TorchScript cannot count this tuple"
        caveat = f"under TorchScript `{ast.unparse(call)}` is a list"
        if isinstance(argument, ast.Name) and isinstance(parent, (ast.Return, ast.Assign, ast.Tuple, ast.Dict)):
            template = f"{argument.id} if {scripting}() else {{call}}"
            if not isinstance(parent, (ast.Return, ast.Assign)):
                template = f"({template})"
            edit = Replace(call, template, {"call": call})
            message = f"{what}; write `{preview(template, edit.pieces)}`"
            yield self.finding(call, message, edit, imports=imports, caveat=caveat, answers=diagnosis)
            return
        made = _as_list(argument)
        if made is None or parent is not statement:
            return
        template, pieces = made
        if isinstance(statement, ast.Assign) and _only_looked_at(function, statement):
            message = f"{what}; a list does the same here"
            yield self.finding(call, message, Replace(call, template, pieces), answers=diagnosis)
            return
        name = fresh(function.flow.local_names | file.module_names, "outputs")
        edits = (
            InsertBefore(statement, f"{name} = {template}", pieces),
            Replace(call, f"{name} if {scripting}() else {{made}}({name})", {"made": call.func}),
        )
        message = f"{what}; make the list first, and no tuple of it when scripted"
        yield self.finding(call, message, *edits, imports=imports, caveat=caveat, answers=diagnosis)


def _as_list(node: ast.expr) -> tuple[str, Pieces] | None:
    """A generator or comprehension as a list comprehension: template and pieces."""
    if not isinstance(node, (ast.GeneratorExp, ast.ListComp)) or len(node.generators) > 1:
        return None
    [generator] = node.generators
    if generator.ifs or generator.is_async:
        return None
    pieces = {"element": node.elt, "target": generator.target, "values": generator.iter}
    return "[{element} for {target} in {values}]", pieces


def _only_looked_at(function: Function, statement: ast.Assign) -> bool:
    """Whether the one variable that is assigned is only iterated, indexed, unpacked or measured."""
    target = statement.targets[0]
    if isinstance(target, (ast.Tuple, ast.List)) and len(statement.targets) == 1:
        return True
    if not isinstance(target, ast.Name) or len(function.bindings.values.get(target.id, ())) != 1:
        return False
    names = [n for n in ast.walk(function.node) if isinstance(n, ast.Name) and n.id == target.id]
    return all(n is target or _looked_at(function, n) for n in names)


def _looked_at(function: Function, node: ast.Name) -> bool:
    match function.file.parents[node]:
        case ast.For(iter=over) | ast.comprehension(iter=over):
            return over is node
        case ast.Subscript(value=value, slice=index, ctx=ast.Load()):
            return value is node and not isinstance(index, ast.Slice)
        case ast.Assign(targets=[ast.Tuple() | ast.List()]):
            return True
        case ast.Call(func=called):
            return function.file.origin(called) in ("len", "enumerate", "zip", "torch.cat", "torch.stack")
    return False
