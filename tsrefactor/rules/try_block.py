"""try-block."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.cold import is_cold
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.eager_part import NotMovable, own_method, own_nodes
from tsrefactor.facts.effects import is_effect
from tsrefactor.facts.family import bound_in_body
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.scriptable import unparsed
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import FLOAT, INT
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_ANY = frozenset({"Exception", "BaseException"})
_OF_NUMBERS = frozenset({"ZeroDivisionError", "ArithmeticError", "OverflowError", "FloatingPointError"})
_HEAD = "import torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
    error = "try blocks aren't supported"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error, recorded=True)


class TryBlock(Rule):
    """Leave a `try` to eager, and give TorchScript what it does where nothing fails.

    TorchScript knows no exceptions that are caught, and parses no `try`. The author's block moves into a method (or,
    outside a class, a function) of its own, which eager calls as before; under `if torch.jit.is_scripting():` stands
    what it tries. Where that fails, the scripted model raises. If a handler does more than raise, the migration is
    *partial*, and the report lists the line. What only has effects on the outside (`rnn.flatten_parameters()`) is left
    out altogether.

    Where runs reached a handler (an extension that is not installed, say), and it binds what the one statement before
    it would, TorchScript gets the handler's code: presumed, for other runs may have got through, and a caveat, always
    printed. An attribute of the module that may be missing is read by `getattr(self, 'scale', 1.0)`, which TorchScript
    decides when it compiles, where nothing but an AttributeError can be caught.

    Refused: handlers of what numbers raise, for TorchScript computes `1 / 0` and `math.sqrt(-1)`; code that jumps out
    of a loop around it or yields, that returns on some paths only, whose names may be unbound before or after it, and
    what TorchScript cannot parse (an import, a lambda).

    Source: "try blocks aren't supported", raised by torch/jit/frontend.py; a static `if` is left out by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "try-block"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        # one for each row
        try:
            y = self.fc(x)
        except RuntimeError as error:
            raise ValueError('rows of four numbers') from error
        return y * 2
""",
            """\
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        # one for each row
        if torch.jit.is_scripting():
            y = self.fc(x)
        else:
            y = self._try_y(x)
        return y * 2

    def _try_y(self, x):
        try:
            y = self.fc(x)
        except RuntimeError as error:
            raise ValueError('rows of four numbers') from error
        return y
""",
        ),
        _example(
            """\
    def __init__(self, scale=None):
        super().__init__()
        if scale is not None:
            self.scale = scale

    def forward(self, x):
        try:
            scale = self.scale
        except AttributeError:
            scale = 1.0
        return x * scale
""",
            """\
    def __init__(self, scale=None):
        super().__init__()
        if scale is not None:
            self.scale = scale

    def forward(self, x):
        scale = getattr(self, 'scale', 1.0)
        return x * scale
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            if diagnosis.place is None or diagnosis.names.get("construct") != "try":
                continue
            function = function_at(file, diagnosis.place.line)
            if function is None or function.skipped or "<locals>" in function.qualname:
                continue
            blocks = [b for b in function.of(ast.Try) if b.lineno <= diagnosis.place.line <= (b.end_lineno or 0)]
            for block in blocks[:1]:
                yield self._answer(function, block, diagnosis)

    def _answer(self, function: Function, block: ast.Try, diagnosis: Diagnosis) -> Finding:
        if (looked_up := _looked_up(function, block)) is not None:
            return self.finding(
                block, "TorchScript has no `try`; give `getattr` the default", looked_up, answers=diagnosis
            )
        message = "TorchScript has no `try`"
        try:
            scripted, caveat, partial = _scripted(function, block)
            own = own_method(function, [block], f"_try_{_hint(function, block)}")
        except NotMovable as reason:
            return self.finding(block, f"{message}, and this one cannot be left to eager: {reason}", answers=diagnosis)
        scripting, imports = function.file.spell("torch.jit.is_scripting")
        template = f"if {scripting}():\n    {{scripted}}\nelse:\n    {{call}}"
        if all(is_effect(function, s) for s in scripted):
            template, partial = f"if not {scripting}():\n    {{call}}", False
        edit = Replace([block], template, {"scripted": scripted, "call": own.call})
        return self.finding(
            block, f"{message}; leave it to eager", edit, own.definition,
            imports=imports, caveat=caveat, presumed=caveat is not None, partial=partial, answers=diagnosis,
        )  # fmt: skip


def _scripted(function: Function, block: ast.Try) -> tuple[list[ast.stmt], str | None, bool]:
    """What TorchScript is to run, a caveat about it, and whether it fails where eager goes on. Raises NotMovable."""
    statements, caveat, partial = [*block.body, *block.orelse, *block.finalbody], None, False
    if any(_of_numbers(function, block, h) for h in block.handlers):
        raise NotMovable("TorchScript computes with numbers where Python raises what it catches")
    caught = [h for h in block.handlers if not _raises(h)]
    reached = [h for h in caught if not is_cold(function, h.body[0])]
    if reached:
        [handler] = reached if len(reached) == 1 else [None]
        alone = len(block.body) == 1 and len(caught) == 1 and not block.orelse and not block.finalbody
        flow = function.flow
        if handler is None or not alone or handler.name in flow.reads(handler.body):
            raise NotMovable("runs reached a handler")
        if flow.always_writes(block.body) != flow.always_writes(handler.body) or leaves(block.body) != leaves(
            handler.body
        ):
            raise NotMovable("runs reached a handler, which binds other names")
        statements = handler.body
        caveat = f"TorchScript never tries `{ast.unparse(block.body[0]).splitlines()[0]}`"
    elif caught:
        partial = True
    if any(map(unparsed, (n for s in statements for n in walk(s)))):
        raise NotMovable("TorchScript cannot parse what it tries")
    returns = any(isinstance(n, ast.Return) for n in own_nodes(block))
    if returns and not (leaves(statements) and all(leaves(h.body) for h in block.handlers)):
        raise NotMovable("it returns on some paths only")
    loops = {n for loop in walk(block) if isinstance(loop, (ast.For, ast.While)) for n in walk(loop)}
    if any(isinstance(n, (ast.Break, ast.Continue)) and n not in loops for n in walk(block)):
        raise NotMovable("it jumps out of a loop around it")
    return statements, caveat, partial


def _raises(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def _caught(function: Function, handler: ast.ExceptHandler) -> set[str]:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {function.file.origin(k) if k is not None else "BaseException" for k in kinds}


def _of_numbers(function: Function, block: ast.Try, handler: ast.ExceptHandler) -> bool:
    """Whether it catches what Python raises of numbers, where TorchScript goes on with infinity or NaN."""
    caught, inside = _caught(function, handler), [n for s in block.body for n in walk(s)]
    if caught & _OF_NUMBERS:
        return True
    calls = any(isinstance(n, ast.Call) and function.file.origin(n.func).startswith("math.") for n in inside)
    divides = any(
        isinstance(n, ast.BinOp) and isinstance(n.op, (ast.Div, ast.FloorDiv, ast.Mod))
        and {function.type_of(n.left), function.type_of(n.right)} <= {INT, FLOAT}
        for n in inside
    )  # fmt: skip
    return (calls and bool(caught & {"ValueError", *_ANY})) or (divides and bool(caught & _ANY))


def _is_stored(function: Function, attribute: str) -> bool:
    """Whether reading it runs no code of the author's: all of the class is seen, and has no property of the name."""
    cls = function.cls
    if cls is None or cls.foreign_bases != ["torch.nn.Module"]:
        return False
    family = (cls, *cls.ancestors, *cls.subclasses)
    return not any({attribute, "__getattr__", "__getattribute__"} & (set(c.methods) | bound_in_body(c)) for c in family)


def _looked_up(function: Function, block: ast.Try) -> Replace | None:
    """The edit of a `try` that only reads an attribute of the module, which may be missing."""
    if len(block.body) != 1 or len(block.handlers) != 1 or block.orelse or block.finalbody:
        return None
    [tried], [handler] = block.body, block.handlers
    if len(handler.body) != 1 or "#" in function.file.source.segment(block):
        return None
    [other] = handler.body
    match tried, other:
        case (
            ast.Assign(targets=[ast.Name(id=first)], value=ast.Attribute() as read),
            ast.Assign(targets=[ast.Name(id=second)], value=ast.Constant() | ast.Name() as default),
        ) if first == second:
            template = f"{first} = getattr({{base}}, {{attribute}}, {{default}})"
        case ast.Return(value=ast.Attribute() as read), ast.Return(value=ast.Constant() | ast.Name() as default):
            template = "return getattr({base}, {attribute}, {default})"
        case _:
            return None
    if not isinstance(read.value, ast.Name) or read.value.id != function.self_name:
        return None
    if isinstance(default, ast.Name) and default.id not in function.flow.bound_before(block) | set(
        function.file.assigned
    ):
        return None
    if _caught(function, handler) != {"AttributeError"} and not _is_stored(function, read.attr):
        return None
    pieces: Pieces = {"base": read.value, "attribute": repr(read.attr), "default": default}
    return Replace([block], template, pieces)


def _hint(function: Function, block: ast.Try) -> str:
    """What it is for, for a name: the first name that it binds for later, else the method that it stands in."""
    later = function.flow.live_after(block)
    bound = [n.id for s in block.body for n in walk(s)
             if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load) and n.id in later]  # fmt: skip
    return bound[0].strip("_") if bound else function.name.strip("_")
