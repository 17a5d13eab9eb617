"""size-concat."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.sequences import (
    FIXED,
    LIST,
    SIZE,
    SIZE_METHODS,
    any_sequence_will_do,
    is_plain_tuple,
    sort_of,
)
from tsrefactor.facts.types import TENSOR, UNKNOWN
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, kept_arguments, preview

_SIZE_FUNCTIONS = frozenset(f"torch.{n}" for n in "zeros ones rand randn empty meshgrid".split())
_MODEL = """\
import torch
from torch import nn


class Model(nn.Module):
    def forward(self, x):
"""


def _example(before: str, after: str) -> Example:
    """An example of a forward's body."""
    inputs = "[(torch.rand(2, 3, 4),), (torch.rand(3, 5, 6),)]"
    error = "cannot statically infer the expected size of a list"
    return Example(_MODEL + before, _MODEL + after, inputs, Target.SCRIPT, error=error)


class SizeConcat(Rule):
    """Pass sizes as one sequence where TorchScript would have to count them.

    A shape is a list for TorchScript, and how many values a list holds is not known when it compiles: `*shape`,
    `b, *rest = x.shape` and `tuple(values)` fail. `x.view(*shape, -1)` becomes `x.view(shape + (-1,))`,
    `b, *rest = x.shape` reads by index, `torch.cat(tuple(parts))` takes the list itself. Where a tuple is joined it
    stays one in eager; a list is joined as a list.

    Left alone: `*` in calls of functions that do not take a sequence instead, and a tuple of unknown length that is
    returned (tuple-of-list), since a list in its place would change the model's results. A tuple that becomes a list,
    or a `torch.Size`, where nothing shows that any sequence will do there is presumed harmless; a case must prove it.

    Source: "cannot statically infer the expected size of a list in this context", raised by
    torch/csrc/jit/python/python_sugared_value.cpp and torch/csrc/jit/frontend/sugared_value.cpp.
    """

    name = "size-concat"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"size-of-list", "unpack-value", "unsupported-syntax"})
    examples = [
        _example(
            """\
        shape = x.size()[:-1] + (2, -1)
        x = x.view(*shape)  # split the heads
        return x.reshape(*x.shape[:2], -1)
""",
            """\
        shape = x.size()[:-1] + (2, -1)
        x = x.view(shape)  # split the heads
        return x.reshape(x.shape[:2] + (-1,))
""",
        ),
        _example(
            """\
        batch, *rest = x.shape
        *_, width = x.size()
        y = x.reshape([batch, 1] + rest)
        return y.sum() + y.new_zeros(width, *rest).sum()
""",
            """\
        batch, rest = x.shape[0], list(x.shape[1:])
        width = x.size()[-1]
        y = x.reshape([batch, 1] + rest)
        return y.sum() + y.new_zeros([width] + rest).sum()
""",
        ),
        _example(
            """\
        parts = []
        for i in range(3):
            parts.append(x * i)
        y = torch.cat(tuple(parts), 1)
        y = torch.stack((y, *parts[:0]))
        return y.sum(dim=tuple(range(1, y.dim())))
""",
            """\
        parts = []
        for i in range(3):
            parts.append(x * i)
        y = torch.cat(parts, 1)
        y = torch.stack([y] + parts[:0])
        return y.sum(dim=list(range(1, y.dim())))
""",
        ),
        _example(
            """\
        height, width = tuple(x.size()[1:3])
        b, n, c, device = *x.shape, x.device
        pad = torch.zeros((*x.shape[:2], 1), device=device)
        x = torch.cat([x, pad], 2)
        return x.view(b, -1) * (height + width + n + c)
""",
            """\
        height, width = x.size()[1:3]
        (b, n, c), device = x.shape, x.device
        pad = torch.zeros(x.shape[:2] + (1,), device=device)
        x = torch.cat([x, pad], 2)
        return x.view(b, -1) * (height + width + n + c)
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for node in function.of(ast.Call, ast.Tuple, ast.List, ast.Assign):
                if isinstance(node, ast.Call) and any(isinstance(a, ast.Starred) for a in node.args):
                    yield from self._call(function, node, self._at(function, node))
                elif isinstance(node, (ast.Tuple, ast.List)) and any(isinstance(e, ast.Starred) for e in node.elts):
                    if isinstance(node.ctx, ast.Load):
                        yield from self._display(function, node, self._at(function, node))
                elif isinstance(node, ast.Call) and len(node.args) == 1 and file.origin(node.func) == "tuple":
                    yield from self._tuple(function, node, self._at(function, node))
                elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                    yield from self._unpack(function, node, self._at(function, node))

    def _at(self, function: Function, node: ast.AST) -> Diagnosis | None:
        """The diagnosis that speaks of the lines of an expression or assignment."""
        if not isinstance(node, (ast.expr, ast.Assign)):
            return None
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        found = (d for d in self.diagnoses(function.file) if d.place is not None and d.place.line in lines)
        return next((d for d in found if d.kind != "unsupported-syntax" or d.names.get("construct") == "star"), None)

    def _call(self, function: Function, node: ast.Call, answered: Diagnosis | None) -> Iterator[Finding]:
        starred = [a.value for a in node.args if isinstance(a, ast.Starred)]
        if not any(_counted(function, v, answered) for v in starred):
            return
        shown = ", ".join(f"`*{ast.unparse(v)}`" for v in starred)
        if not _takes_a_sequence(function, node):
            if answered is not None:
                message = f"TorchScript must know how many arguments {shown} gives, and the function takes no list"
                yield self.finding(node, message, answers=answered)
            return
        first = 1 if function.file.origin(node.func) == "torch.einsum" else 0
        parts, pieces = kept_arguments(node.args[:first], node.keywords)
        joined, values = _joined(function, node.args[first:])
        parts.insert(first, joined)
        edit = Replace(node, f"{{function}}({', '.join(parts)})", {"function": node.func, **pieces, **values})
        message = f"TorchScript must know how many values {shown} gives; write `{preview(edit.template, edit.pieces)}`"
        method = isinstance(node.func, ast.Attribute) and not function.file.origin(node.func).startswith("torch.")
        presumed = method and function.type_of(node.func.value) == UNKNOWN  # type: ignore[attr-defined]
        yield self.finding(node, message, edit, presumed=presumed, answers=answered)

    def _display(self, function: Function, node: ast.Tuple | ast.List, answered: Diagnosis | None) -> Iterator[Finding]:
        starred = [e.value for e in node.elts if isinstance(e, ast.Starred)]
        if not any(_counted(function, v, answered) for v in starred) or _unpacked(function, node):
            return
        as_list = isinstance(node, ast.List)
        joined, pieces = _joined(function, node.elts, as_list)
        becomes_list = not as_list and any(sort_of(function, v) not in (SIZE, FIXED) for v in starred)
        shown = ", ".join(f"`*{ast.unparse(v)}`" for v in starred)
        if as_list:
            message = f"TorchScript must know how many values {shown} gives; write `{preview(joined, pieces)}`"
            yield self.finding(node, message, Replace(node, joined, pieces), answers=answered)
            return
        yield from self._sequence(
            function, node, f"how many values {shown} gives", joined, pieces, becomes_list, starred, answered
        )

    def _tuple(self, function: Function, node: ast.Call, answered: Diagnosis | None) -> Iterator[Finding]:
        value = node.args[0]
        parent = function.file.parents[node]
        numpy = isinstance(parent, ast.Call) and function.file.origin(parent.func).startswith("numpy.")
        if isinstance(value, ast.Starred) or numpy:
            return
        pieces: dict[str, ast.expr | str] = {"value": value}
        sort = sort_of(function, value)
        template = "{value}" if sort in (SIZE, LIST) else "list({value})"
        if isinstance(value, ast.GeneratorExp):
            if len(value.generators) != 1 or value.generators[0].ifs:
                return
            generator = value.generators[0]
            element = function.file.source.segment(value.elt)  # as text it needs no parentheses
            pieces = {
                "value": value.elt if "\n" in element else element,
                "target": generator.target,
                "over": generator.iter,
            }
            template = "[{value} for {target} in {over}]"
        elif not _counted(function, value, answered):
            return
        yield from self._sequence(
            function, node, "how long a tuple is", template, pieces, sort != SIZE, [value], answered
        )

    def _sequence(
        self,
        function: Function,
        node: ast.expr,
        what: str,
        template: str,
        pieces: Pieces,
        becomes_list: bool,
        starred: Sequence[ast.expr],
        answered: Diagnosis | None,
    ) -> Iterator[Finding]:
        """The finding for a tuple that TorchScript cannot count; a list in its place where any sequence will do."""
        if becomes_list:
            node, template, pieces = _with_its_sum(function, node, template, pieces)
        parent = function.file.parents[node]
        as_index = isinstance(parent, ast.Subscript) and parent.slice is node
        if becomes_list and (as_index or isinstance(parent, (ast.Return, ast.Compare))):
            message = f"TorchScript must know {what}, and a list in its place would change what eager gives"
            yield self.finding(node, message, answers=answered)
            return
        message = f"TorchScript must know {what}; write `{preview(template, pieces)}`"
        edit = Replace(node, template, pieces)
        same = not becomes_list and all(is_plain_tuple(function, v) for v in starred)
        presumed = not same and not any_sequence_will_do(function, node, size=not becomes_list)
        shown = isinstance(parent, ast.FormattedValue)
        caveat = f"the text shows `{ast.unparse(node)}` in another way" if shown else None
        yield self.finding(node, message, edit, presumed=presumed, caveat=caveat, answers=answered)

    def _unpack(self, function: Function, node: ast.Assign, answered: Diagnosis | None) -> Iterator[Finding]:
        """``b, *rest = x.shape``; ``b, n, device = *x.shape, x.device``."""
        target, value = node.targets[0], node.value
        if not isinstance(target, (ast.Tuple, ast.List)):
            return
        if _unpacked(function, value):
            stars = [t for t in target.elts if isinstance(t, ast.Starred)]
            found = (
                self._picked(function, node, stars[0], answered)
                if stars
                else self._grouped(node, target, value, answered)
            )
            yield from found
            return
        at = next((i for i, t in enumerate(target.elts) if isinstance(t, ast.Starred)), None)
        if at is None or not _counted(function, value, answered):
            return
        starred = target.elts[at]
        assert isinstance(starred, ast.Starred)
        after = len(target.elts) - at - 1
        unused = _is_unused(function, starred)
        whole, before = "{value}", ""
        pieces: dict[str, ast.expr] = {"value": value}
        if not _repeatable(value):
            whole = fresh(function.flow.local_names, "sizes", "values", "parts")
            before = f"{whole} = {{value}}\n"
        names, reads = [], []
        for i, element in enumerate(target.elts):
            if i == at and unused:
                continue
            pieces[f"t{i}"] = starred.value if i == at else element
            names.append(f"{{t{i}}}")
            if i == at:
                part = f"{whole}[{at or ''}:{-after if after else ''}]"
                reads.append(part if sort_of(function, value) == LIST else f"list({part})")
            else:
                reads.append(f"{whole}[{i if i < at else i - len(target.elts)}]")
        message = f"TorchScript must know how many values `*{ast.unparse(starred.value)}` takes"
        template = f"{before}{', '.join(names)} = {', '.join(reads)}"
        message += f"; write `{preview(template, pieces)}`"
        yield self.finding(node, message, Replace([node], template, pieces), answers=answered)

    def _picked(
        self, function: Function, node: ast.Assign, star: ast.Starred, answered: Diagnosis | None
    ) -> Iterator[Finding]:
        """What is used of one starred value, by index: ``b, *_, device = *x.shape, x.device``."""
        target, value = node.targets[0], node.value
        assert isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, ast.Tuple)
        at, starred = next((i, e.value) for i, e in enumerate(value.elts) if isinstance(e, ast.Starred))
        rest, end = target.elts.index(star), len(target.elts) - (len(value.elts) - at - 1)
        if not at <= rest < end or not _is_unused(function, star) or not _repeatable(starred):
            return
        pieces: dict[str, ast.expr] = {"sizes": starred}
        names, reads = [], []
        for i, element in enumerate(target.elts):
            if i != rest:
                pieces[f"t{i}"] = element
                names.append(f"{{t{i}}}")
                reads.append(f"{{sizes}}[{i - at if i < rest else i - end}]" if at <= i < end else f"{{v{i}}}")
                if not at <= i < end:
                    pieces[f"v{i}"] = value.elts[i if i < at else i - len(target.elts)]
        template = f"{', '.join(names)} = {', '.join(reads)}"
        message = f"TorchScript must know how many values `*{ast.unparse(star.value)}` takes"
        message += f"; write `{preview(template, pieces)}`"
        yield self.finding(node, message, Replace([node], template, pieces), answers=answered)

    def _grouped(
        self, node: ast.Assign, target: ast.Tuple | ast.List, value: ast.expr, answered: Diagnosis | None
    ) -> Iterator[Finding]:
        """The targets of one starred value as a tuple of their own: ``(b, n), device = x.shape, x.device``."""
        assert isinstance(value, ast.Tuple)
        at = next(i for i, e in enumerate(value.elts) if isinstance(e, ast.Starred))
        several = len(target.elts) - len(value.elts) + 1
        if several < 1:
            return
        pieces = {f"t{i}": e for i, e in enumerate(target.elts)}
        pieces |= {f"v{i}": e.value if isinstance(e, ast.Starred) else e for i, e in enumerate(value.elts)}
        names = [f"{{t{i}}}" for i in range(len(target.elts))]
        values = [f"{{v{i}}}" for i in range(len(value.elts))]
        group = f"({', '.join(names[at : at + several])}{',' if several == 1 else ''})"
        template = f"{', '.join([*names[:at], group, *names[at + several :]])} = {', '.join(values)}"
        message = f"TorchScript must know how many values a starred one gives; write `{preview(template, pieces)}`"
        yield self.finding(node, message, Replace([node], template, pieces), answers=answered)


def _with_its_sum(function: Function, node: ast.expr, template: str, pieces: Pieces) -> tuple[ast.expr, str, Pieces]:
    """The whole sum that a tuple stands in: lists are only joined with lists."""
    whole, parents = node, function.file.parents
    while isinstance(parent := parents[whole], ast.BinOp) and isinstance(parent.op, ast.Add):
        whole = parent
    if whole is node:
        return node, template, pieces
    parts, kept = [], dict(pieces)
    for i, part in enumerate(_summands(whole)):
        if part is node:
            parts.append(template)
        elif isinstance(part, ast.Tuple) and not any(isinstance(e, ast.Starred) for e in part.elts):
            kept |= {f"e{i}_{j}": e for j, e in enumerate(part.elts)}
            parts.append(f"[{', '.join(f'{{e{i}_{j}}}' for j in range(len(part.elts)))}]")
        else:
            kept[f"s{i}"] = part
            parts.append(f"{{s{i}}}" if sort_of(function, part) == LIST else f"list({{s{i}}})")
    return whole, " + ".join(parts), kept


def _summands(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_summands(node.left), *_summands(node.right)]
    return [node]


def _takes_a_sequence(function: Function, call: ast.Call) -> bool:
    """Whether a call takes its starred values in one sequence as well."""
    origin, func = function.file.origin(call.func), call.func
    if isinstance(func, ast.Attribute) and func.attr in SIZE_METHODS:
        own = isinstance(func.value, ast.Name) and func.value.id == function.self_name
        return not own and function.type_of(func.value, presume=True) in (TENSOR, UNKNOWN)
    return origin in _SIZE_FUNCTIONS or origin == "torch.einsum" or (origin in ("max", "min") and len(call.args) == 1)


def _unpacked(function: Function, node: ast.expr) -> bool:
    """Whether a tuple with one starred element is the value of an assignment to several targets."""
    parent = function.file.parents[node]
    return (
        isinstance(parent, ast.Assign)
        and isinstance(node, ast.Tuple)
        and len(node.elts) > 1
        and sum(isinstance(e, ast.Starred) for e in node.elts) == 1
        and len(parent.targets) == 1
        and isinstance(parent.targets[0], (ast.Tuple, ast.List))
    )


def _is_unused(function: Function, target: ast.Starred) -> bool:
    """Whether nothing reads the name that takes the rest of an unpacking."""
    read = (n.id for n in function.of(ast.Name) if isinstance(n.ctx, ast.Load))
    return isinstance(target.value, ast.Name) and target.value.id not in read


def _counted(function: Function, value: ast.expr, answered: Diagnosis | None) -> bool:
    """Whether TorchScript would have to count the values: it says so, or sees a list there."""
    sort = sort_of(function, value)
    if sort is not None:
        return sort != FIXED
    type_ = function.type_of(value)
    return type_.name == "List" or (answered is not None and type_.name != "Tuple")


def _joined(function: Function, elements: Sequence[ast.expr], as_list: bool = False) -> tuple[str, dict[str, ast.expr]]:
    """One sequence of single values and starred ones: tuples where all the starred ones are, else lists."""
    sorts = {sort_of(function, e.value) for e in elements if isinstance(e, ast.Starred)}
    as_list = as_list or not sorts <= {SIZE, FIXED}
    pieces: dict[str, ast.expr] = {}
    parts: list[str] = []
    single: list[str] = []

    def close() -> None:
        if single:
            inner = ", ".join(single)
            parts.append(f"[{inner}]" if as_list else f"({inner},)" if len(single) == 1 else f"({inner})")
            single.clear()

    for i, element in enumerate(elements):
        pieces[f"p{i}"] = element.value if isinstance(element, ast.Starred) else element
        if not isinstance(element, ast.Starred):
            single.append(f"{{p{i}}}")
            continue
        close()
        plain = sort_of(function, element.value) == LIST or not as_list
        alone = len(elements) == 1 and sort_of(function, element.value) is None
        parts.append(f"{{p{i}}}" if plain or alone else f"list({{p{i}}})")
    close()
    return " + ".join(parts), pieces


def _repeatable(node: ast.expr) -> bool:
    """Whether an expression may be evaluated several times: a name, attributes of one, ``.size()``."""
    while True:
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "size"
            and not node.args
        ):
            node = node.func.value
        elif isinstance(node, ast.Attribute):
            node = node.value
        else:
            return isinstance(node, ast.Name)
