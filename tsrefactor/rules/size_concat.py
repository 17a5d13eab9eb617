"""size-concat."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.file import FileFacts, Function
from tsrefactor.facts.operations import TENSOR_METHODS, is_operation
from tsrefactor.facts.types import TENSOR, UNKNOWN
from tsrefactor.source.edits import Piece, Replace
from tsrefactor.vocabulary import Target

from .base import Finding, Rule, Settings
from .size_concat_examples import EXAMPLES

# Methods of a tensor and functions that take sizes one by one as well as in one sequence.
_SIZE_METHODS = frozenset("view reshape permute expand repeat tile flip new_zeros new_ones new_empty resize_".split())
_SIZE_FUNCTIONS = frozenset(f"torch.{n}" for n in "zeros ones rand randn empty meshgrid".split())
_TUPLES = frozenset(
    "chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind broadcast_tensors meshgrid".split()
)
_TAKERS = TENSOR_METHODS | _SIZE_METHODS | {"amax", "amin", "index_put", "tensor_split", "pad"}
_BUILTINS = {"len", "list", "tuple", "sum", "max", "min", "enumerate", "zip", "sorted", "reversed", "torch.Size"}

# How many values a sequence has is known to TorchScript only for FIXED ones; the others it sees as lists. In eager SIZE
# is a tuple (torch.Size too), LIST a list, OTHER anything that `list` takes.
FIXED, SIZE, LIST, OTHER = "fixed", "size", "list", "other"


class SizeConcat(Rule):
    """Pass sizes as one sequence where TorchScript would have to count them.

    A shape is a list for TorchScript, and how many values a list holds is not known when it compiles: `*shape`,
    `b, *rest = x.shape` and `tuple(values)` fail. `x.view(*shape, -1)` becomes `x.view(shape + (-1,))`,
    `b, *rest = x.shape` reads by index, `torch.cat(tuple(parts))` takes the list itself. Where a tuple is joined it
    stays one in eager; a list is joined as a list.

    Left alone: `*` in calls of functions that do not take a sequence instead, and a tuple of unknown length that is
    returned, since a list in its place would change the model's results. A tuple that becomes a list where nothing
    shows that any sequence will do there is presumed harmless; a case must prove it.

    Source: "cannot statically infer the expected size of a list in this context", raised by
    torch/csrc/jit/python/python_sugared_value.cpp and torch/csrc/jit/frontend/sugared_value.cpp.
    """

    name = "size-concat"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"size-of-list", "unpack-value", "unsupported-syntax"})
    examples = EXAMPLES

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for function in file.functions:
            for node in function.nodes:
                answered = self._at(function, node)
                if isinstance(node, ast.Call) and any(isinstance(a, ast.Starred) for a in node.args):
                    yield from self._call(function, node, answered)
                elif isinstance(node, (ast.Tuple, ast.List)) and any(isinstance(e, ast.Starred) for e in node.elts):
                    if isinstance(node.ctx, ast.Load):
                        yield from self._display(function, node, answered)
                elif isinstance(node, ast.Call) and file.origin(node.func) == "tuple" and len(node.args) == 1:
                    yield from self._tuple(function, node, answered)
                elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                    yield from self._unpack(function, node, answered)

    def _at(self, function: Function, node: ast.AST) -> Diagnosis | None:
        """The diagnosis that speaks of the lines of an expression or assignment."""
        if not isinstance(node, (ast.expr, ast.Assign)):
            return None
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        found = (d for d in self.diagnoses(function.file) if d.place is not None and d.place.line in lines)
        return next((d for d in found if d.kind != "unsupported-syntax" or d.names.get("construct") == "star"), None)

    def _call(self, function: Function, node: ast.Call, answered: Diagnosis | None) -> Iterator[Finding]:
        origin = function.file.origin(node.func)
        starred = [a.value for a in node.args if isinstance(a, ast.Starred)]
        if not any(_counted(function, v, answered) for v in starred):
            return
        method = isinstance(node.func, ast.Attribute) and node.func.attr in _SIZE_METHODS
        if isinstance(node.func, ast.Attribute) and method:
            method = function.type_of(node.func.value, presume=True) in (TENSOR, UNKNOWN)
        first = 1 if origin == "torch.einsum" else 0
        single = len(node.args) == 1 and origin in ("max", "min")
        shown = ", ".join(f"`*{ast.unparse(v)}`" for v in starred)
        if not (method or origin in _SIZE_FUNCTIONS or first or single):
            if answered is not None:
                message = f"TorchScript must know how many arguments {shown} gives, and the function takes no list"
                yield self.finding(node, message, answers=answered)
            return
        joined, pieces = _joined(function, node.args[first:])
        parts = ["{first}"] * first + [joined]
        if first:
            pieces["first"] = node.args[0]
        for i, keyword in enumerate(node.keywords):
            pieces[f"k{i}"] = keyword.value
            parts.append(f"{keyword.arg}={{k{i}}}" if keyword.arg else f"**{{k{i}}}")
        pieces["function"] = node.func
        message = f"TorchScript must know how many values {shown} gives; pass one sequence"
        yield self.finding(node, message, Replace(node, f"{{function}}({', '.join(parts)})", pieces), answers=answered)

    def _display(self, function: Function, node: ast.Tuple | ast.List, answered: Diagnosis | None) -> Iterator[Finding]:
        starred = [e.value for e in node.elts if isinstance(e, ast.Starred)]
        if not any(_counted(function, v, answered) for v in starred) or _unpacked(function, node):
            return
        as_list = isinstance(node, ast.List)
        joined, pieces = _joined(function, node.elts, as_list)
        becomes_list = not as_list and any(_sort(function, v) not in (SIZE, FIXED) for v in starred)
        shown = ", ".join(f"`*{ast.unparse(v)}`" for v in starred)
        yield from self._sequence(
            function, node, f"how many values {shown} gives", joined, pieces, becomes_list, answered
        )

    def _tuple(self, function: Function, node: ast.Call, answered: Diagnosis | None) -> Iterator[Finding]:
        value = node.args[0]
        parent = function.file.parents[node]
        numpy = isinstance(parent, ast.Call) and function.file.origin(parent.func).startswith("numpy.")
        if isinstance(value, ast.Starred) or numpy:
            return
        pieces: dict[str, Piece | ast.expr | Sequence[ast.stmt] | str] = {"value": value}
        sort = _sort(function, value)
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
        yield from self._sequence(function, node, "how long a tuple is", template, pieces, sort != SIZE, answered)

    def _sequence(
        self,
        function: Function,
        node: ast.expr,
        what: str,
        template: str,
        pieces: dict[str, Piece | ast.expr | Sequence[ast.stmt] | str],
        becomes_list: bool,
        answered: Diagnosis | None,
    ) -> Iterator[Finding]:
        """The finding for a tuple that TorchScript cannot count; a list in its place where any sequence will do."""
        parent = function.file.parents[node]
        if becomes_list and (isinstance(parent, (ast.Return, ast.Compare)) or _is_index(parent, node)):
            message = f"TorchScript must know {what}, and a list in its place would change what eager gives"
            yield self.finding(node, message, answers=answered)
            return
        message = f"TorchScript must know {what}; " + ("a list will do" if becomes_list else "join the parts")
        edit = Replace(node, template, pieces)
        presumed = becomes_list and not _any_sequence_will_do(function, node)
        yield self.finding(node, message, edit, presumed=presumed, answers=answered)

    def _unpack(self, function: Function, node: ast.Assign, answered: Diagnosis | None) -> Iterator[Finding]:
        """``b, *rest = x.shape``; ``b, n, device = *x.shape, x.device``."""
        target, value = node.targets[0], node.value
        if not isinstance(target, (ast.Tuple, ast.List)):
            return
        if _unpacked(function, value):
            yield from self._grouped(node, target, value, answered)
            return
        at = next((i for i, t in enumerate(target.elts) if isinstance(t, ast.Starred)), None)
        if at is None or not _counted(function, value, answered):
            return
        starred = target.elts[at]
        assert isinstance(starred, ast.Starred)
        after = len(target.elts) - at - 1
        read = [n.id for n in function.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        unused = isinstance(starred.value, ast.Name) and starred.value.id not in read
        whole, before = "{value}", ""
        pieces: dict[str, Piece | ast.expr | Sequence[ast.stmt] | str] = {"value": value}
        if not _repeatable(value):
            whole = next(n for n in ("sizes", "values", "parts") if n not in function.flow.local_names)
            before = f"{whole} = {{value}}\n"
        names, reads = [], []
        for i, element in enumerate(target.elts):
            if i == at and unused:
                continue
            pieces[f"t{i}"] = starred.value if i == at else element
            names.append(f"{{t{i}}}")
            if i == at:
                part = f"{whole}[{at or ''}:{-after if after else ''}]"
                reads.append(part if _sort(function, value) == LIST else f"list({part})")
            else:
                reads.append(f"{whole}[{i if i < at else i - len(target.elts)}]")
        message = f"TorchScript must know how many values `*{ast.unparse(starred.value)}` takes; read by index"
        template = f"{before}{', '.join(names)} = {', '.join(reads)}"
        yield self.finding(node, message, Replace([node], template, pieces), answers=answered)

    def _grouped(
        self, node: ast.Assign, target: ast.Tuple | ast.List, value: ast.expr, answered: Diagnosis | None
    ) -> Iterator[Finding]:
        """The targets of one starred value as a tuple of their own: ``(b, n), device = x.shape, x.device``."""
        assert isinstance(value, ast.Tuple)
        at = next(i for i, e in enumerate(value.elts) if isinstance(e, ast.Starred))
        several = len(target.elts) - len(value.elts) + 1
        if any(isinstance(t, ast.Starred) for t in target.elts) or several < 1:
            return
        pieces: dict[str, Piece | ast.expr | Sequence[ast.stmt] | str] = {}
        names = []
        for i, element in enumerate(target.elts):
            pieces[f"t{i}"] = element
            names.append(f"{{t{i}}}")
        group = f"({', '.join(names[at : at + several])}{',' if several == 1 else ''})"
        values = []
        for i, element in enumerate(value.elts):
            pieces[f"v{i}"] = element.value if isinstance(element, ast.Starred) else element
            values.append(f"{{v{i}}}")
        template = f"{', '.join([*names[:at], group, *names[at + several :]])} = {', '.join(values)}"
        message = "TorchScript must know how many values a starred one gives; unpack it on its own"
        yield self.finding(node, message, Replace([node], template, pieces), answers=answered)


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


def _counted(function: Function, value: ast.expr, answered: Diagnosis | None) -> bool:
    """Whether TorchScript would have to count the values: it says so, or sees a list there."""
    sort = _sort(function, value)
    if sort is not None:
        return sort != FIXED
    type_ = function.type_of(value)
    return type_.name == "List" or (answered is not None and type_.name != "Tuple")


def _joined(
    function: Function, elements: Sequence[ast.expr], as_list: bool = False
) -> tuple[str, dict[str, Piece | ast.expr | Sequence[ast.stmt] | str]]:
    """One sequence of single values and starred ones: tuples where all the starred ones are, else lists."""
    sorts = {_sort(function, e.value) for e in elements if isinstance(e, ast.Starred)}
    as_list = as_list or not sorts <= {SIZE, FIXED}
    pieces: dict[str, Piece | ast.expr | Sequence[ast.stmt] | str] = {}
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
        plain = _sort(function, element.value) == LIST or not as_list
        alone = len(elements) == 1 and _sort(function, element.value) is None
        parts.append(f"{{p{i}}}" if plain or alone else f"list({{p{i}}})")
    close()
    return " + ".join(parts), pieces


def _sort(function: Function, node: ast.expr, busy: frozenset[str] = frozenset()) -> str | None:
    """What kind of sequence an expression gives in eager; None where the source does not say."""
    match node:
        case ast.Tuple(elts=elements):
            return SIZE if any(isinstance(e, ast.Starred) for e in elements) else FIXED
        case ast.List() | ast.ListComp():
            return LIST
        case ast.Attribute(attr="shape"):
            return SIZE
        case ast.Call():
            return _sort_of_call(function, node)
        case ast.Subscript(slice=ast.Slice()):
            return _sort(function, node.value, busy)
        case ast.BinOp(op=ast.Add()):
            sorts = {_sort(function, node.left, busy), _sort(function, node.right, busy)}
            return (
                None if None in sorts or OTHER in sorts else LIST if LIST in sorts else SIZE if SIZE in sorts else FIXED
            )
        case ast.BinOp(op=ast.Mult()):
            sorts = {_sort(function, node.left, busy), _sort(function, node.right, busy)} - {None}
            return LIST if LIST in sorts else SIZE if sorts & {SIZE, FIXED} else None
        case ast.IfExp():
            sorts = {_sort(function, node.body, busy), _sort(function, node.orelse, busy)}
            return sorts.pop() if len(sorts) == 1 else None
        case ast.Name(id=name) if name not in busy:
            return _sort_of_name(function, name, busy | {name})
    return OTHER if function.type_of(node) == TENSOR else None


def _sort_of_call(function: Function, node: ast.Call) -> str | None:
    origin = function.file.origin(node.func)
    if isinstance(node.func, ast.Attribute) and node.func.attr == "size" and not node.args and not node.keywords:
        return SIZE
    if origin in ("list", "sorted") or (isinstance(node.func, ast.Attribute) and node.func.attr == "tolist"):
        return LIST
    if origin in ("tuple", "torch.Size"):
        return SIZE
    if origin in ("range", "zip", "map", "reversed", "enumerate", "filter"):
        return OTHER
    if (
        function.type_of(node).name == "List"
        and (origin or getattr(node.func, "attr", "")).rpartition(".")[2] in _TUPLES
    ):
        return SIZE
    return OTHER if function.type_of(node) == TENSOR else None


def _sort_of_name(function: Function, name: str, busy: frozenset[str]) -> str | None:
    """The one sort that all bindings of a local name have."""
    stores = [n for n in function.nodes if isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)]
    if any(p.name == name for p in function.parameters) or not stores:
        return OTHER if function.type_of(ast.Name(name, ast.Load())) == TENSOR else None
    sorts = {_sort_of_binding(function, store, busy) for store in stores}
    added = any(isinstance(function.file.parents[s], ast.AugAssign) for s in stores)
    sorts.discard("")
    if added and sorts == {FIXED}:
        return SIZE
    return sorts.pop() if len(sorts) == 1 else None


def _sort_of_binding(function: Function, store: ast.Name, busy: frozenset[str]) -> str | None:
    """What one binding of a name gives it; "" for what is added in place, which changes neither list nor tuple."""
    parent = function.file.parents[store]
    if isinstance(parent, ast.AugAssign):
        return ""
    if isinstance(parent, ast.Starred):
        return LIST
    if isinstance(parent, (ast.Assign, ast.AnnAssign)) and parent.value is not None:
        return _sort(function, parent.value, busy)
    if isinstance(parent, ast.Tuple):
        statement = function.file.parents[parent]
        value = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(value, ast.Tuple) and len(value.elts) == len(parent.elts):
            return _sort(function, value.elts[parent.elts.index(store)], busy)
    return OTHER if function.type_of(ast.Name(store.id, ast.Load())) == TENSOR else None


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


def _is_index(parent: ast.AST, node: ast.expr) -> bool:
    return isinstance(parent, ast.Subscript) and parent.slice is node


def _any_sequence_will_do(function: Function, node: ast.expr) -> bool:
    """Whether a list does as well as a tuple, wherever the value of an expression goes."""
    file = function.file
    parent = file.parents[node]
    if isinstance(parent, ast.keyword):
        parent = file.parents[parent]
    if isinstance(parent, ast.Call):
        origin = file.origin(parent.func)
        method = isinstance(parent.func, ast.Attribute) and parent.func.attr in _TAKERS
        return is_operation(origin) or origin in _BUILTINS or method
    if isinstance(parent, ast.Subscript):
        return parent.value is node
    if isinstance(parent, (ast.Starred, ast.For, ast.comprehension)):
        return True
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        target = parent.targets[0]
        if isinstance(target, ast.Tuple):
            return True
        if isinstance(target, ast.Name):
            named = [n for n in function.nodes if isinstance(n, ast.Name) and n.id == target.id]
            reads = [n for n in named if isinstance(n.ctx, ast.Load)]
            return all(
                not isinstance(file.parents[n], ast.Assign) and _any_sequence_will_do(function, n) for n in reads
            )
    return False
