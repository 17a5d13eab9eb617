"""numpy-array."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tsrefactor.facts.definitions import Class, Function
from tsrefactor.facts.diagnosis import Diagnosis
from tsrefactor.facts.family import attributes_in_use
from tsrefactor.facts.fields import Held, stored_at
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.names import fresh
from tsrefactor.facts.nodes import walk
from tsrefactor.facts.placement import always_evaluated
from tsrefactor.facts.signatures import function_at
from tsrefactor.facts.types import TENSOR
from tsrefactor.source.edits import Edit, InsertAfter, Replace, kept_arguments, verbatim
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings

_MAKERS = frozenset(
    f"torch.{name}"
    for name in "from_numpy tensor as_tensor Tensor FloatTensor DoubleTensor LongTensor IntTensor BoolTensor".split()
)
_AS_ARRAY = frozenset({"astype", "copy"})
_ARRAY_METHODS = frozenset("astype copy reshape transpose ravel flatten argsort cumsum clip permutation".split())
_CONTIGUOUS = frozenset(
    "array arange zeros ones eye full stack concatenate argsort linspace cumsum random.permutation".split()
)
_LOOKS = frozenset({"shape", "size", "ndim", "dtype", "tolist", "mean", "sum", "max", "min", "astype", "copy"})
_HEAD = "import numpy as np\nimport torch\nfrom torch import nn\n\n\nclass Model(nn.Module):\n"


def _example(before: str, after: str) -> Example:
    inputs = "[(torch.rand(2, 3),), (torch.rand(4, 3),)]"
    error = "failed to convert Python type: 'numpy.ndarray'"
    return Example(_HEAD + before, _HEAD + after, inputs, Target.SCRIPT, error=error)


class NumpyArray(Rule):
    """Let `__init__` make a tensor of an array, where forward makes it at every call.

    TorchScript takes no numpy arrays as attributes. Where methods only read one as a tensor, by
    `torch.from_numpy(self.mask)`, `torch.FloatTensor(self.kernel)` or as an index, `x[:, self.order]`, `__init__` keeps
    that tensor beside the array, as a plain attribute: no key comes to the state_dict, and it neither moves nor changes
    its type with the module, as before. What follows, `.to(x.device)`, stays where it is.

    Left alone: arrays that are changed, or set elsewhere than in `__init__`; methods that use the array itself or
    change the tensor; values that may be no array.

    Source: "failed to convert Python type: 'numpy.ndarray' to a TorchScript type", raised by
    torch/csrc/jit/python/python_sugared_value.cpp.
    """

    name = "numpy-array"
    targets = frozenset({Target.SCRIPT})
    answers = frozenset({"unconvertible-attribute"})
    needs_diagnosis = True
    examples = [
        _example(
            """\
    def __init__(self, size=3):
        super().__init__()
        self.mask = np.tril(np.ones((size, size)))  # no future
        self.fc = nn.Linear(size, size)

    def forward(self, x):
        mask = torch.from_numpy(self.mask.astype(np.float32)).to(x.device)
        return self.fc(x @ mask)
""",
            """\
    def __init__(self, size=3):
        super().__init__()
        self.mask = np.tril(np.ones((size, size)))  # no future
        self.mask_tensor = torch.from_numpy(self.mask.astype(np.float32))
        self.fc = nn.Linear(size, size)

    def forward(self, x):
        mask = self.mask_tensor.to(x.device)
        return self.fc(x @ mask)
""",
        ),
        _example(
            """\
    def __init__(self, size=3):
        super().__init__()
        self.order = np.random.RandomState(0).permutation(size)
        self.back = np.argsort(self.order)

    def forward(self, x):
        y = torch.exp(x[:, self.order])
        return y[:, self.back]
""",
            """\
    def __init__(self, size=3):
        super().__init__()
        self.order = np.random.RandomState(0).permutation(size)
        self.order_tensor = torch.from_numpy(self.order.copy())
        self.back = np.argsort(self.order)
        self.back_tensor = torch.from_numpy(self.back)

    def forward(self, x):
        y = torch.exp(x[:, self.order_tensor])
        return y[:, self.back_tensor]
""",
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        for diagnosis in self.diagnoses(file):
            assert diagnosis.place is not None
            function = function_at(file, diagnosis.place.line)
            name = diagnosis.names["attribute"]
            if function is None or function.cls is None or diagnosis.names.get("type") != "numpy.ndarray":
                continue
            found = _kept(function.cls, name)
            why = f"TorchScript does not take the array in `self.{name}`"
            node = next(iter(function.self_attributes.get(name, ())), function.node)
            if isinstance(found, str):
                yield self.finding(node, f"{why}, and {found}", answers=diagnosis)
                continue
            yield self._moved(function.cls, *found, why, diagnosis)

    def _moved(self, cls: Class, place: Held, reads: Sequence[_Read], why: str, diagnosis: Diagnosis) -> Finding:
        names: dict[str, str] = {}
        edits: list[Edit] = []
        for read in reads:
            if read.text not in names:
                taken = attributes_in_use(cls) | set(names.values())
                names[read.text] = fresh(taken, f"{place.name}_tensor")
            kept = f"{read.function.self_name}.{names[read.text]}"
            options, pieces = kept_arguments([], read.options)
            edits.append(Replace(read.node, f"{kept}.to({', '.join(options)})" if options else kept, pieces))
        lines = [f"{place.self_name}.{name} = {text}" for text, name in names.items()]
        return self.finding(
            reads[0].node,
            f"{why}; let `__init__` keep the tensor, with `{lines[0]}`",
            InsertAfter(place.anchor, verbatim("\n".join(lines))),
            *edits,
            caveat=f"`{cls.name}` makes the tensor once, in `__init__`: a later change of `{place.name}` has no effect",
            answers=diagnosis,
        )


@dataclass(frozen=True)
class _Read:
    """An expression that makes a tensor of the array, or the array as an index; ``text`` makes that tensor.

    ``options``: the dtype and device that the expression gives it.
    """

    function: Function
    node: ast.expr
    text: str
    options: Sequence[ast.keyword] = ()


def _kept(cls: Class, name: str) -> tuple[Held, list[_Read]] | str:
    """Where `__init__` stores the array and what the methods make of it, or why that cannot be kept."""
    place = stored_at(cls, name)
    if place is None:
        return "it is not set once, by `__init__`"
    init = cls.methods["__init__"]
    values = [v for m, v in cls.assigned.get(name, ()) if m is init]
    array = _is_array(init, values[0]) if len(values) == 1 else False
    reads: list[_Read] = []
    for method in (m for c in (cls, *cls.ancestors, *cls.subclasses) for m in c.methods.values()):
        for node in method.self_attributes.get(name, ()):
            if method is init:
                if node.lineno > (place.anchor.end_lineno or 0) and not _only_looks(init, node):
                    return "`__init__` may change it"
                continue
            if method.self_name != init.self_name:
                return "methods call the instance by another name"
            read = _read(method, node, values[0] if array else None)
            if read is None or not (array or (method.name == "forward" and always_evaluated(method, node))):
                return "it is used otherwise than as a tensor, or may be no array"
            if _is_changed(method, read.node):
                return "the tensor is changed"
            reads.append(read)
    local = {n.id for v in values if v is not None for n in walk(v) if isinstance(n, ast.Name)}
    if any(isinstance(n, ast.Name) and n.id in local and n.lineno > place.anchor.lineno for n in _changed_in(init)):
        return "`__init__` may change it"
    return (place, reads) if reads else "no method reads it as a tensor"


def _read(function: Function, node: ast.Attribute, array: ast.expr | None) -> _Read | None:
    file, source = function.file, function.file.source
    parent = file.parents[node]
    index = file.parents[parent] if isinstance(parent, ast.Tuple) else parent
    if isinstance(index, ast.Subscript) and index.slice in (node, parent) and isinstance(index.ctx, ast.Load):
        if array is None or function.type_of(index.value, presume=True) != TENSOR:
            return None
        module, _ = file.spell("torch.from_numpy")
        made = array.func if isinstance(array, ast.Call) else array
        copied = "" if file.origin(made).removeprefix("numpy.") in _CONTIGUOUS else ".copy()"
        return _Read(function, node, f"{module}({ast.unparse(node)}{copied})")
    inner: ast.expr = node
    if isinstance(parent, ast.Attribute) and parent.attr in _AS_ARRAY and isinstance(file.parents[parent], ast.Call):
        inner = file.parents[parent]  # type: ignore[assignment]
    call = file.parents[inner]
    if not isinstance(call, ast.Call) or call.args != [inner] or file.origin(call.func) not in _MAKERS:
        return None
    if any(k.arg not in ("dtype", "device") for k in call.keywords):
        return None
    names = {n.id for n in walk(inner) if isinstance(n, ast.Name)} - {function.self_name}
    text = f"{source.segment(call.func)}({' '.join(source.segment(inner).split())})"
    return _Read(function, call, text, call.keywords) if names <= set(file.imports.origins) else None


def _is_array(init: Function, value: ast.expr | None) -> bool:
    """Whether what `__init__` stores is sure to be an array of numpy's."""
    match value:
        case ast.Call(func=func):
            if init.file.origin(func).startswith("numpy."):
                return True
            drawn = isinstance(func, ast.Attribute) and func.attr in _ARRAY_METHODS
            return drawn and _is_of_numpy(init, func.value)  # type: ignore[attr-defined]
        case ast.BinOp(left=left, right=right):
            return _is_array(init, left) or _is_array(init, right)
        case ast.Subscript(value=inner, slice=ast.Tuple() | ast.Slice()):
            return _is_array(init, inner)
        case ast.Attribute(value=inner, attr="T"):
            return _is_array(init, inner)
    return False


def _is_of_numpy(init: Function, node: ast.expr) -> bool:
    """Whether an expression begins at something of numpy, or at a variable that holds it (``rng.permutation(n)``)."""
    while isinstance(node, (ast.Call, ast.Attribute)):
        if init.file.origin(node).startswith("numpy."):
            return True
        node = node.func if isinstance(node, ast.Call) else node.value
    values = init.bindings.values.get(node.id, []) if isinstance(node, ast.Name) else []
    made = values[0] if len(values) == 1 else None
    return isinstance(made, ast.Call) and init.file.origin(made.func).startswith("numpy.")


def _only_looks(init: Function, node: ast.Attribute) -> bool:
    """Whether the constructor only reads the array there: its shape, an element, or to make something else of it."""
    parent = init.file.parents[node]
    if isinstance(parent, ast.Attribute):
        return parent.attr in _LOOKS
    if isinstance(parent, ast.Subscript):
        return isinstance(parent.ctx, ast.Load)
    origin = init.file.origin(parent.func) if isinstance(parent, ast.Call) and node in parent.args else ""
    return origin in _MAKERS or origin == "len" or origin.removeprefix("numpy.") in _CONTIGUOUS


def _changed_in(function: Function) -> Iterator[ast.expr]:
    """What a function stores something into: ``A`` in ``A[0] = 1`` and ``A += 1``."""
    for node in function.of(ast.Subscript):
        if not isinstance(node.ctx, ast.Load):
            yield node.value
    for statement in function.of(ast.AugAssign):
        yield statement.target


def _is_changed(function: Function, node: ast.expr) -> bool:
    """Whether a tensor, or the variable that holds it, is changed in place, or goes out of the method as it is."""
    parents = function.file.parents
    parent = parents[node]
    while isinstance(parent, ast.Attribute) and isinstance(parents[parent], ast.Call):
        if parent.attr.endswith("_"):
            return True
        parent = parents[parents[parent]]
    if isinstance(parent, ast.Assign):
        target = parent.targets[0]
        mutated = function.flow.mutates(function.node.body)
        return not isinstance(target, ast.Name) or len(parent.targets) > 1 or target.id in mutated
    return isinstance(parent, (ast.Return, ast.AugAssign))
