"""constant-tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tsrefactor.facts.bindings import starts_empty
from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.moving import moved_expression
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.own_values import Unmovable
from tsrefactor.facts.types import FLOAT, INT, TENSOR, Type, list_of
from tsrefactor.facts.whole import is_whole
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview, shortened

_MAKERS = ("torch.tensor", "torch.as_tensor")
_HEAD = "import torch\n\n\nclass Model(torch.nn.Module):\n"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 5),), (torch.rand(4, 7),), (torch.rand(1, 3),)]"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.TRACE, "baked", recorded=True)


class ConstantTensor(Rule):
    """Make a tensor of sizes so that it follows them in a trace.

    `torch.tensor([h, w])` copies numbers out of Python, and what it gives is a constant of the trace: the example's
    sizes. In a `script_if_tracing` function it is an operation, of sizes that are read there. Sizes that a loop
    collects in a list, or that are unpacked (`[*size]`), cannot be read again; they are put into tensors one by one, by
    `new_full` or `torch.full`, which a trace records. Of a list that may be empty, `torch.tensor` stays for that.

    Left alone: `torch.tensor(n)` of one size, which a trace follows; lists that hold ints and floats together, which
    TorchScript does not take; numbers from data, for soft-refactor.

    Source: the TracerWarning "torch.tensor results are registered as constants in the trace".
    """

    name = "constant-tensor"
    targets = frozenset({Target.TRACE})
    answers = frozenset({"trace-constant"})
    examples = [
        _example(
            """\
    def forward(self, x):
        size = torch.tensor([x.shape[0], x.shape[1]])  # rows, columns
        return x.sum() / size
""",
            """\
    def forward(self, x):
        @torch.jit.script_if_tracing
        def _compute_size(x):
            return torch.tensor([x.shape[0], x.shape[1]])

        size = _compute_size(x)  # rows, columns
        return x.sum() / size
""",
        ),
        # Counts that a loop collects.
        _example(
            """\
    def forward(self, x):
        counts = []
        for limit in (0.2, 0.5):
            counts.append(x[x > limit].numel())
        return torch.tensor(counts, device=x.device)
""",
            """\
    def forward(self, x):
        counts = []
        for limit in (0.2, 0.5):
            counts.append(x[x > limit].numel())
        return torch.stack([x.new_full((), n, dtype=torch.int64) for n in counts])
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions("tensor("):
            return
        names: set[str] = set()
        for function in file.functions:
            if function.dependence.is_compiled:
                continue
            for call in function.calls(*_MAKERS):
                content = call.args[0] if call.args else None
                if content is None or _is_guarded(function, call):
                    continue
                if isinstance(content, ast.Name) and _collects_sizes(function, content.id):
                    yield self._stacked(function, call, content)
                elif (unpacked := _unpacked(function, content)) is not None:
                    yield self._stacked(function, call, *unpacked)
                elif _holds_sizes(function, content):
                    yield self._moved(function, call, settings, names)

    def _stacked(self, function: Function, call: ast.Call, content: ast.expr, dims: int = 1) -> Finding:
        message = f"a trace keeps the example's `{shortened(call)}`"
        form = _stack(function, call, content, dims)
        if form is None:
            return self.finding(call, f"{message}; its device or dtype has no other form")
        template, pieces, imports = form
        message += f"; write `{preview(template, pieces)}`"
        return self.finding(call, message, Replace(call, template, pieces), imports=imports, trap=True)

    def _moved(self, function: Function, call: ast.Call, settings: Settings, names: set[str]) -> Finding:
        message = f"a trace keeps the example's `{shortened(call)}`"
        try:
            made = moved_expression(function, call, settings.placement, names)
        except (Unmovable, ValueError) as reason:
            return self.finding(call, f"{message}; it cannot move into a function: {reason}")
        message += f"; make it in `{made.name}`, which a trace compiles"
        return self.finding(
            call, message, *made.edits, imports=made.imports, presumed=made.presumed, trap=True, caveat=made.caveat
        )


def _holds_sizes(function: Function, content: ast.expr) -> bool:
    """Whether the content is a list of plain numbers, or lists of them, with sizes among them."""
    if function.dependence.may_be_extracted(content) or not function.dependence.may_be_sized(content):
        return False
    if isinstance(content, (ast.List, ast.Tuple)):
        return {function.type_of(e) for e in _elements(content)} in ({INT}, {FLOAT})
    return function.type_of(content) == list_of(INT)


def _elements(content: ast.List | ast.Tuple) -> Iterator[ast.expr]:
    for element in content.elts:
        if isinstance(element, (ast.List, ast.Tuple)):
            yield from _elements(element)
        else:
            yield element


def _collects_sizes(function: Function, name: str) -> bool:
    """Whether a name holds a list that starts empty and to which nothing but sizes is appended."""
    bindings, dependence = function.types.bindings, function.dependence
    values, added = bindings.values.get(name, ()), bindings.mutations.get(name, ())
    if len(values) != 1 or not starts_empty(function, values[0]) or not added:
        return False
    return all(
        isinstance(c, ast.Call)
        and isinstance(c.func, ast.Attribute)
        and c.func.attr == "append"
        and function.type_of(c.args[0]) == INT
        and dependence.is_sized(c.args[0])
        for c in added
    )


def _unpacked(function: Function, content: ast.expr) -> tuple[ast.expr, int] | None:
    """The sizes in ``[[[*size]]]``, and how deep they are."""
    depth = 0
    while isinstance(content, (ast.List, ast.Tuple)) and len(content.elts) == 1:
        content, depth = content.elts[0], depth + 1
    if not isinstance(content, ast.Starred) or not isinstance(content.value, ast.Name):
        return None
    name = content.value
    given = list(function.file.callers.given(function, name.id)) or [(function, name)]
    sized = function.dependence.may_be_sized(name) and all(_are_whole(f.type_of(v)) for f, v in given)
    return (name, depth) if sized else None


def _are_whole(type_: Type) -> bool:
    return type_.name in ("List", "Tuple") and set(type_.args) == {INT}


def _are_shown(function: Function, content: ast.expr) -> bool:
    """Whether the file shows that what is collected, or unpacked, are whole numbers, whatever the instance is."""
    assert isinstance(content, ast.Name)
    added = function.types.bindings.mutations.get(content.id)
    if added is None:
        return is_whole(function, ast.Subscript(content, ast.Constant(0)))
    return all(isinstance(a, ast.Call) and is_whole(function, a.args[0]) for a in added)


def _stack(
    function: Function, call: ast.Call, content: ast.expr, dims: int
) -> tuple[str, Pieces, frozenset[Import]] | None:
    file = function.file
    stack, imports = file.spell("torch.stack")
    keywords = {k.arg: k.value for k in call.keywords}
    pieces: Pieces = {"counts": content}
    count = fresh(function.flow.local_names, "n", "count")
    device, dtype = keywords.pop("device", None), keywords.pop("dtype", None)
    if keywords:
        return None
    if device is None:
        full, more = file.spell("torch.full")
        rest = "" if dtype is None else ", dtype={dtype}"
    elif dtype is None and not _are_shown(function, content):
        return None
    elif isinstance(device, ast.Attribute) and function.type_of(device.value, presume=True) == TENSOR:
        full, more = "{owner}.new_full", frozenset[Import]()
        rest = ", dtype={dtype}"
        pieces = {**pieces, "owner": device.value}
        if dtype is None:
            spelled, more = file.spell("torch.int64")
            rest = f", dtype={spelled}"
    else:
        return None
    if dtype is not None:
        pieces = {**pieces, "dtype": dtype}
    view = f".view({'1, ' * (dims - 1)}-1)" if dims > 1 else ""
    text = f"{stack}([{full}((), {count}{rest}) for {count} in {{counts}}]){view}"
    if _has_items(function, call, content):
        return text, pieces, imports | more
    if device is not None and dims == 1:
        spelled, further = file.spell("torch.float32")
        kind = "{dtype}" if dtype is not None else spelled
        return f"{text} if {{counts}} else {{owner}}.new_zeros(0, dtype={kind})", pieces, imports | more | further
    return f"{text} if {{counts}} else {{call}}", {**pieces, "call": call}, imports | more


def _is_guarded(function: Function, call: ast.Call) -> bool:
    """Whether it is what this rule leaves for a list without items."""
    choice, names = function.file.parents[call], [n for n in walk(call) if isinstance(n, ast.Name)]
    if not isinstance(choice, ast.IfExp) or choice.orelse is not call or not isinstance(choice.test, ast.Name):
        return False
    return any(n.id == choice.test.id for n in names) and function.file.mentions("stack(")


def _has_items(function: Function, call: ast.Call, content: ast.expr) -> bool:
    """Whether a list surely has items: given as a tuple, or appended to on every way."""
    assert isinstance(content, ast.Name)
    added = function.types.bindings.mutations.get(content.id)
    if added is None:
        given = function.file.callers.given(function, content.id)
        return all(f.type_of(v).name == "Tuple" for f, v in given)
    return any((a.lineno, a.col_offset) < (call.lineno, call.col_offset) and _always_runs(function, a) for a in added)


def _always_runs(function: Function, node: ast.AST) -> bool:
    """Whether it stands in the function's body itself, or in loops over what surely has items."""
    node = function.file.statement_of(node)
    while (node := function.file.parents[node]) is not function.node:
        if not isinstance(node, ast.With) and not (isinstance(node, ast.For) and _is_filled(function.file, node.iter)):
            return False
    return True


def _is_filled(file: FileFacts, node: ast.expr) -> bool:
    """``(0.2, 0.5)``, ``range(2)``, ``x.chunk(n)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("chunk", "split"):
        return True
    if isinstance(node, ast.Call) and file.origin(node.func) == "range" and len(node.args) == 1:
        stop = node.args[0]
        return isinstance(stop, ast.Constant) and isinstance(stop.value, int) and stop.value > 0
    return isinstance(node, (ast.Tuple, ast.List)) and bool(node.elts)
