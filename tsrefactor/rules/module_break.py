"""module-break."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.filling import is_left
from tsrefactor.facts.flow import leaves
from tsrefactor.facts.loop_edits import holds_modules
from tsrefactor.facts.module_loops import Loop
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.source.edits import Edit, Piece, Replace
from tsrefactor.source.excerpt import indented
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_WHY = "TorchScript unrolls a loop over modules, which then cannot have `break` or `continue`"
_OPPOSITE = {
    ast.Eq: "!=", ast.NotEq: "==", ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_HEAD = """\
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(4)])

"""


def _example(before: str, after: str) -> Example:
    """An example of the methods of a model, after its constructor."""
    inputs = "[(torch.rand(2, 4),), (torch.ones(3, 4),), (torch.full((1, 4), -9.0),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error="do not support break or continue")


class ModuleBreak(Rule):
    """Leave a loop over modules, or a round of it, by conditions in the place of `break` and `continue`.

    TorchScript unrolls a loop over modules; there is nothing to break out of. What follows `if …: continue` goes into
    an `else` (or behind the opposite condition); for `break` a variable says that the loop is done, and the rounds that
    are left do nothing. Where the loop ends at a number of its counter, a condition on the counter is enough.

    Left alone: a loop with an `else`; `break` and `continue` inside `with` or `try`, or in a branch that only sometimes
    ends the round and is followed by more; loops that alone define a name that is read later; a `break` where a
    variable of the loop's header is read later (it would go on to the last module).

    Source: "we do not support break or continue inside the body of these loops", raised by
    torch/csrc/jit/frontend/ir_emitter.cpp.
    """

    name = "module-break"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unsupported-syntax"})
    examples = [
        _example(
            """\
    def forward(self, x):
        for layer in self.layers:  # until it is good enough
            x = torch.relu(layer(x))
            if x.sum() < 1:
                break
        return x
""",
            """\
    def forward(self, x):
        done = False
        for layer in self.layers:  # until it is good enough
            if not done:
                x = torch.relu(layer(x))
                if x.sum() < 1:
                    done = True
        return x
""",
        ),
        _example(
            """\
    def forward(self, x, skip: int = 1, count: int = 3):
        for i, layer in enumerate(self.layers):
            if i == skip:
                continue
            # all others
            x = torch.relu(layer(x))
        for i, layer in enumerate(self.layers):
            if i >= count:
                break
            x = layer(x)
        return x
""",
            """\
    def forward(self, x, skip: int = 1, count: int = 3):
        for i, layer in enumerate(self.layers):
            if i != skip:
                # all others
                x = torch.relu(layer(x))
        for i, layer in enumerate(self.layers):
            if i < count:
                x = layer(x)
        return x
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("break", "continue"):
            return
        left = [d for d in self.diagnoses(file) if d.names.get("construct") == "break-in-unrolled-loop"]
        told = {d.place.line: d for d in left if d.place is not None}
        for function in file.functions:
            if not function.of(ast.Break, ast.Continue):
                continue
            names = {n.id for n in walk(function.node) if isinstance(n, ast.Name)}
            for node in function.of(ast.For):
                if not is_left(node.body):
                    continue
                lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
                answered = next((told[line] for line in told if line in lines), None)
                if not _over_modules(function, node.iter) and (answered is None or _holds_such_loop(function, node)):
                    continue
                loop = Loop(function, node, names)
                try:
                    edits = _edits(loop)
                except _Refused as reason:
                    yield self.finding(node, f"{_WHY}, and {reason}", answers=answered)
                    continue
                yield self.finding(node, f"{_WHY}; write them as `if` conditions", *edits, answers=answered)


class _Refused(Exception):
    """Why a loop stays as it is."""


def _over_modules(function: Function, over: ast.expr) -> bool:
    """Whether a loop goes over a ModuleList or a Sequential, also by enumerate, zip or reversed."""
    if isinstance(over, ast.Call) and function.file.origin(over.func) in ("enumerate", "zip", "reversed"):
        return any(_over_modules(function, a) for a in over.args)
    if isinstance(over, ast.Subscript) and isinstance(over.slice, ast.Slice):
        over = over.value
    return holds_modules(function, over)


def _holds_such_loop(function: Function, loop: ast.For) -> bool:
    """Whether a loop inside has a `break` or `continue` of its own, of which the compiler may complain."""
    inner = (n for s in loop.body for n in walk(s) if isinstance(n, ast.For))
    return any(is_left(n.body) for n in inner)


def _edits(loop: Loop) -> list[Edit]:
    node = loop.node
    if node.orelse:
        raise _Refused("the loop has an `else`")
    if unbound := loop.unbound_after():
        raise _Refused(f"`{unbound}` is only defined in the loop")
    writer = _Writer(loop)
    texts = {"beside": loop.beside(), "below": loop.below(2)}
    head = "for {target} in {over}:{beside}\n"
    if (counted := _counted(loop)) is not None:
        texts["guard"], body = counted
        text = "if {guard}:\n" + indented(writer.block(body), "    ")
    else:
        text = writer.block(node.body)
        if writer.flag is not None:
            head = f"{writer.flag} = False\n{head}"
            text = f"if not {writer.flag}:\n" + indented(text, "    ")
    flow = loop.function.flow
    breaks = counted is not None or writer.flag is not None
    if breaks and (later := flow.writes(node.target) & flow.live_after(node)):
        raise _Refused(f"`{min(later)}` is read after the loop, as it was at the `break`")
    template = head + indented(text, "    ") + ("\n{below}" if texts["below"] else "")
    return [Replace([node], template, {"target": node.target, "over": node.iter, **texts, **writer.pieces})]


def _counted(loop: Loop) -> tuple[str, list[ast.stmt]] | None:
    """The condition on the counter of a loop that its only `break` ends at a number of it, and the rest of its body."""
    node = loop.node
    over, target = node.iter, node.target
    enumerated = isinstance(over, ast.Call) and loop.function.file.origin(over.func) == "enumerate"
    counter = target.elts[0] if enumerated and isinstance(target, ast.Tuple) else None
    own = [n for s in node.body for n in walk(s) if isinstance(n, (ast.Break, ast.Continue))]
    if not isinstance(over, ast.Call) or len(over.args) != 1 or over.keywords or not isinstance(counter, ast.Name):
        return None  # it may start at another number than 0
    if len(own) != 1 or not isinstance(own[0], ast.Break):
        return None
    for place, sign in ((0, "<"), (-1, "<=")):
        test = node.body[place]
        if not isinstance(test, ast.If) or test.orelse or test.body != own or len(node.body) < 2:
            continue
        compared = test.test
        if not isinstance(compared, ast.Compare) or len(compared.ops) != 1 or not _is_name(compared.left, counter.id):
            return None
        end, equal = compared.comparators[0], isinstance(compared.ops[0], ast.Eq)
        number = isinstance(end, ast.Constant) and isinstance(end.value, int)
        if counter.id in loop.function.flow.writes(node.body) or not loop.is_fixed(end):
            return None
        if not number and (equal or place == -1):  # it may be negative, and end no round or only the first
            return None
        if equal or isinstance(compared.ops[0], ast.GtE):
            rest = node.body[1:] if place == 0 else node.body[:-1]
            return f"{counter.id} {sign} {ast.unparse(end)}", rest
    return None


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


class _Writer:
    """Writes statements without `break` and `continue`; ``pieces``: what it keeps of the author's."""

    def __init__(self, loop: Loop):
        self.loop = loop
        self.flag: str | None = None
        self.pieces: dict[str, Piece | ast.expr | Sequence[ast.stmt] | str] = {}

    def block(self, statements: Sequence[ast.stmt]) -> str:
        """The statements as a template; "" for those that do nothing but end the round."""
        for place, statement in enumerate(statements):
            if not is_left([statement]):
                continue
            before = self._kept(statements[:place])
            return "\n".join(filter(None, [before, self._leaving(statement, statements[place + 1 :])]))
        return self._kept(statements)

    def _kept(self, statements: Sequence[ast.stmt]) -> str:
        if not statements:
            return ""
        name = f"kept{len(self.pieces)}"
        self.pieces[name] = list(statements)
        return f"{{{name}}}"

    def _leaving(self, statement: ast.stmt, rest: Sequence[ast.stmt]) -> str:
        if isinstance(statement, ast.Continue):
            return ""
        if isinstance(statement, ast.Break):
            if self.flag is None:
                self.flag = fresh(self.loop.taken | self.loop.function.flow.local_names, "done", "stopped")
            return f"{self.flag} = True"
        if not isinstance(statement, ast.If):
            raise _Refused("one of them stands inside another block than an `if`")
        body, orelse = statement.body, statement.orelse
        if rest and leaves(body):
            orelse = [*orelse, *rest]
        elif rest and orelse and leaves(orelse):
            body = [*body, *rest]
        elif rest:
            raise _Refused("one of them stands in a branch that only sometimes ends the round")
        chained = len(orelse) == 1 and isinstance(orelse[0], ast.If) and not rest
        return self._choice(statement, self.block(body), self.block(orelse), chained)

    def _choice(self, statement: ast.If, body: str, orelse: str, chained: bool) -> str:
        name = f"test{len(self.pieces)}"
        self.pieces[name] = statement.test
        if body:
            text = f"if {{{name}}}:\n{indented(body, '    ')}"
            if chained and orelse.startswith("if "):
                return f"{text}\nel{orelse}"
            return text + (f"\nelse:\n{indented(orelse, '    ')}" if orelse else "")
        return f"if {self._negated(statement.test, name)}:\n{indented(orelse, '    ')}" if orelse else ""

    def _negated(self, test: ast.expr, name: str) -> str:
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
            self.pieces[f"{name}_right"] = test.comparators[0]
            self.pieces[name] = test.left
            return f"{{{name}}} {_OPPOSITE[type(test.ops[0])]} {{{name}_right}}"
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self.pieces[name] = test.operand
            return f"{{{name}}}"
        return f"not {{{name}}}"
