"""legacy-tensor."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from tsrefactor.facts.definitions import Function
from tsrefactor.facts.file import FileFacts
from tsrefactor.facts.signs import not_negative
from tsrefactor.facts.types import FLOAT, INT, TENSOR, list_of
from tsrefactor.source.edits import Pieces, Replace
from tsrefactor.source.imports import Import
from tsrefactor.vocabulary import Target

from .base import Example, Finding, Rule, Settings, preview, shortened

_RENAMED = {"ndimension": "dim", "nelement": "numel"}
_ONLY_TENSORS = (*_RENAMED, "new_tensor")  # methods that nothing else has
_CASTS = ("bool", "bfloat16")  # the two that TorchScript has no method for
_DTYPES = {
    "FloatTensor": "float", "DoubleTensor": "double", "HalfTensor": "half", "LongTensor": "long", "IntTensor": "int",
    "ShortTensor": "short", "CharTensor": "char", "ByteTensor": "byte", "BoolTensor": "bool",
    "BFloat16Tensor": "bfloat16",
}  # fmt: skip
_CONSTRUCTORS = {f"torch.{name}": f"torch.{dtype}" for name, dtype in _DTYPES.items()} | {"torch.Tensor": None}
_PRODUCTS = ("torch.spmm", "torch.dsmm", "torch.hsmm")


def _example(
    before: str, after: str, error: str, inputs: str = "[(torch.rand(2, 4),), (torch.rand(3, 4),)]"
) -> Example:
    head = "import torch\n\n\nclass Model(torch.nn.Module):\n    def forward(self, x):\n"
    return Example(head + before, head + after, inputs, Target.SCRIPT, error=error)


@dataclass
class _Modern:
    """What is written today: a template and its pieces. ``presumed``: it may raise where the legacy form does not."""

    template: str
    pieces: Pieces
    names: list[str] = field(default_factory=list)
    presumed: bool = False


class LegacyTensor(Rule):
    """Write today's form of tensor methods and constructors that TorchScript lacks.

    | legacy | today |
    |---|---|
    | `x.ndimension()`, `x.nelement()` | `x.dim()`, `x.numel()` |
    | `x.size().numel()` | `x.numel()` |
    | `x.new(n, m)`, `x.new(x.size())`, `x.new()` | `x.new_empty(n, m)`, `x.new_empty(x.size())`, `x.new_empty(0)` |
    | `x.new(n).zero_()` | `x.new_zeros(n)` |
    | `x.new([a, b])`, `x.new_tensor([a, b])` | `torch.tensor([a, b], dtype=x.dtype, device=x.device)` |
    | `x.type(torch.FloatTensor)`, `x.type('torch.FloatTensor')` | `x.cpu().float()` |
    | `x.bool()`, `x.bfloat16()` | `x.to(torch.bool)`, `x.to(torch.bfloat16)` |
    | `x.unique()` | `torch.unique(x)` |
    | `x.norm(dim=1)`, `x.norm(p='fro')` | `x.norm(p=2, dim=1)`, `x.norm()` |
    | `x.nonzero(as_tuple=False)`, `torch.nonzero(x, as_tuple=False)` | `x.nonzero()`, `torch.nonzero(x)` |
    | `x.nonzero(as_tuple=True)` | `torch.where(x)` |
    | `torch.Tensor(n, m)`, `torch.Tensor()` | `torch.empty(n, m)`, `torch.empty(0)` |
    | `torch.Tensor([1, n])` | `torch.tensor([1.0, float(n)])` |
    | `torch.Tensor([math.exp(i) for i in range(n)])` | `torch.tensor([math.exp(i) for i in range(n)])` |
    | `torch.LongTensor(x.size())` | `torch.empty(x.size(), dtype=torch.long)` |
    | `torch.spmm(a, b)` | `torch.mm(a, b)` |
    | `x.requires_grad = False` | `x.requires_grad_(False)` |

    The last constructor compiles and is silently wrong: TorchScript takes the sizes for the values, so this form is
    rewritten even where nothing fails. Values, types, devices and gradients stay as they are.

    A trace keeps the example's sizes in `x.new(n)`, `x.new_tensor([n])` and the constructors, without a warning, where
    it records those of today's forms: so there, these are rewritten when they take a size.

    Left alone: what only tensors on a GPU can be (`torch.cuda.FloatTensor`), `x.new(y)` and `torch.Tensor(y)` where
    nothing tells whether `y` is a size, a list or a tensor, and methods of what is not known to be a tensor.

    Source: "has no attribute or method", "Unknown builtin op" and "Legacy Tensor Constructor", raised by
    torch/csrc/jit/frontend (sugared_value.cpp, schema_matching.cpp).
    """

    name = "legacy-tensor"
    targets = frozenset({Target.SCRIPT, Target.TRACE})
    answers = frozenset(
        {
            "unknown-builtin-op",
            "no-attribute-on-type",
            "tensor-constructor",
            "not-a-value",
            "arguments-not-valid",
            "set-attribute-on-value",
        }
    )
    examples = [
        _example(
            """\
        noise = x.data.new(x.size(0), 4).normal_()  # drawn anew
        mask = (noise * x).ge(0).type(torch.FloatTensor)
        scale = torch.Tensor([2, x.nelement()])
        return mask, scale, x.new_tensor([1, 2])
""",
            """\
        noise = x.data.new_empty(x.size(0), 4).normal_()  # drawn anew
        mask = (noise * x).ge(0).cpu().float()
        scale = torch.tensor([2.0, float(x.numel())])
        return mask, scale, torch.tensor([1, 2], dtype=x.dtype, device=x.device)
""",
            "has no attribute or method 'new'",
        ),
        _example(
            """\
        if x.ndimension() == 1:
            x = x.unsqueeze(0)
        start = torch.Tensor(x.size()).fill_(1)
        return torch.spmm(start + x, x.new(4, 2).zero_())
""",
            """\
        if x.dim() == 1:
            x = x.unsqueeze(0)
        start = torch.empty(x.size()).fill_(1)
        return torch.mm(start + x, x.new_zeros(4, 2))
""",
            "has no attribute or method 'ndimension'",
        ),
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        counts = torch.LongTensor(x.size()).zero_()
        return counts + x
""",
            after="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x: torch.Tensor):
        counts = torch.empty(x.size(), dtype=torch.long).zero_()
        return counts + x
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.SCRIPT,
            outcome="run-error",
        ),
        Example(
            before="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        n = x.size(0)
        counts = torch.LongTensor(n, 2).fill_(n)
        order = torch.LongTensor(list(range(n)))
        return x.new(n, 2).fill_(1) * x.sum(), counts, order, torch.FloatTensor([i for i in range(n)])
""",
            after="""\
import torch


class Model(torch.nn.Module):
    def forward(self, x):
        n = x.size(0)
        counts = torch.empty(n, 2, dtype=torch.long).fill_(n)
        order = torch.arange(n)
        return x.new_empty(n, 2).fill_(1) * x.sum(), counts, order, torch.arange(n, dtype=torch.float)
""",
            inputs="[(torch.rand(2, 4),), (torch.rand(3, 4),)]",
            breaks=Target.TRACE,
            outcome="baked",
            recorded=True,
            settings=Settings(Target.TRACE),
        ),
    ]

    def findings(self, file: FileFacts, settings: Settings) -> Iterator[Finding]:
        if not file.mentions_torch:
            return
        traced = self.for_trace(file, settings)
        complained = {(d.place.line, d.names.get("attribute")) for d in self.diagnoses(file) if d.place is not None}
        for function in file.functions:
            if traced and function.dependence.is_compiled:
                continue
            if not traced:
                yield from self._gradients(function, complained)
            for call in function.of(ast.Call):
                if any(k.arg is None for k in call.keywords) or (traced and not _keeps_sizes(function, call)):
                    continue
                modern = _constructed(function, call, traced)
                presumed = modern is not None and modern.presumed
                if modern is None and isinstance(call.func, ast.Attribute):
                    modern = _method(function, call.func, call)
                    if modern is None:
                        continue
                    receiver = modern.pieces["x"]
                    assert isinstance(receiver, ast.expr)
                    certain = call.func.attr in _ONLY_TENSORS and getattr(receiver, "id", "") != function.self_name
                    if not certain and (call.lineno, call.func.attr) not in complained:
                        presumed = function.type_of(receiver) != TENSOR
                    if presumed and function.type_of(receiver, presume=True) != TENSOR:
                        continue
                if modern is not None:
                    yield self._found(file, call, modern, presumed, traced)

    def _gradients(self, function: Function, complained: set[tuple[int, str | None]]) -> Iterator[Finding]:
        """``x.requires_grad = flag``."""
        for statement in function.of(ast.Assign):
            target = statement.targets[0]
            if not isinstance(target, ast.Attribute) or target.attr != "requires_grad" or len(statement.targets) > 1:
                continue
            presumed = function.type_of(target.value) != TENSOR
            told = (statement.lineno, "requires_grad") in complained
            if presumed and not told and function.type_of(target.value, presume=True) != TENSOR:
                continue
            template, pieces = "{x}.requires_grad_({flag})", {"x": target.value, "flag": statement.value}
            message = f"TorchScript sets no attributes of a tensor; write `{preview(template, pieces)}`"
            yield self.finding(statement, message, Replace([statement], template, pieces), presumed=presumed)

    def _found(self, file: FileFacts, call: ast.Call, modern: _Modern, presumed: bool, traced: bool) -> Finding:
        imports: set[Import] = set()
        names = {}
        for name in modern.names:
            names[name.rpartition(".")[2]], needed = file.spell(name)
            imports |= needed
        edit = Replace(call, modern.template, {**modern.pieces, **names})
        message = f"TorchScript does not know `{ast.unparse(call.func)}` as eager does; "
        if traced:
            message = f"a trace keeps the example's sizes in `{shortened(call)}`; "
        return self.finding(
            call,
            f"{message}write `{preview(edit.template, edit.pieces)}`",
            edit,
            imports=imports,
            presumed=presumed,
            trap=traced or bool(_CONSTRUCTORS.get(file.origin(call.func))),
        )


def _keeps_sizes(function: Function, call: ast.Call) -> bool:
    """Whether a trace keeps the sizes that a call is given, or numbers from data, with which it makes a tensor."""
    func = call.func
    if isinstance(func, ast.Attribute) and func.attr == "zero_" and isinstance(func.value, ast.Call):
        call, func = func.value, func.value.func
    makes = isinstance(func, ast.Attribute) and func.attr in ("new", "new_tensor")
    makes |= function.file.origin(func) in _CONSTRUCTORS
    return makes and any(function.dependence.holds_kept(a) or _collects_kept(function, a) for a in call.args)


def _collects_kept(function: Function, node: ast.expr) -> bool:
    """Whether it is a list to which such numbers are appended."""
    if not isinstance(node, ast.Name):
        return False
    changed = function.types.bindings.mutations.get(node.id, ())
    return any(isinstance(c, ast.Call) and any(map(function.dependence.holds_kept, c.args)) for c in changed)


def _method(function: Function, func: ast.Attribute, call: ast.Call) -> _Modern | None:
    """A legacy method of a tensor."""
    name, plain = func.attr, not call.args and not call.keywords
    pieces: dict[str, ast.expr] = {"x": func.value}
    if name in _RENAMED and plain:
        return _Modern(f"{{x}}.{_RENAMED[name]}()", pieces)
    if name in _CASTS and plain:
        return _Modern(f"{{x}}.to({{{name}}})", pieces, [f"torch.{name}"])
    if name == "numel" and plain and (tensor := _sized(func.value)) is not None:
        return _Modern("{x}.numel()", {"x": tensor})
    keywords = {k.arg: k.value for k in call.keywords}
    if name == "norm" and not call.args and "dim" in keywords and keywords.keys() <= {"dim", "keepdim"}:
        parts, kept = _arguments(call)
        return _Modern(f"{{x}}.norm({', '.join(['p=2', *parts])})", {**pieces, **kept})
    if name == "norm" and _is_frobenius(call):
        return _Modern("{x}.norm()", pieces)
    if name == "nonzero" and not call.args and (as_tuple := _as_tuple(call)) is not None:
        return _Modern("{where}({x})", pieces, ["torch.where"]) if as_tuple else _Modern("{x}.nonzero()", pieces)
    if name == "unique" and not any(isinstance(a, ast.Starred) for a in call.args):
        parts, kept = _arguments(call)
        return _Modern(f"{{unique}}({', '.join(['{x}', *parts])})", {**pieces, **kept}, ["torch.unique"])
    if name == "zero_" and plain and isinstance(func.value, ast.Call) and isinstance(func.value.func, ast.Attribute):
        made = func.value
        if made.func.attr == "new" and not made.keywords and made.args:  # type: ignore[attr-defined]
            sizes = _sizes(function, made.args)
            if sizes is not None:
                parts, kept = sizes
                return _Modern(f"{{x}}.new_zeros({', '.join(parts)})", {"x": made.func.value, **kept})  # type: ignore[attr-defined]
    if name == "new" and not call.keywords:
        if not call.args:
            return _Modern("{x}.new_empty(0)", pieces)
        sizes = _sizes(function, call.args)
        if sizes is not None:
            return _Modern(f"{{x}}.new_empty({', '.join(sizes[0])})", {**pieces, **sizes[1]})
        return _tensor_like(func.value, call) if isinstance(call.args[0], (ast.List, ast.ListComp)) else None
    if name == "new_tensor":
        return _tensor_like(func.value, call)
    if name == "type" and len(call.args) == 1 and not call.keywords:
        return _typed(function, func.value, call.args[0])
    return None


def _is_frobenius(call: ast.Call) -> bool:
    """Whether it asks for the norm over all dimensions by the name of the default."""
    named = [k.value for k in call.keywords if k.arg == "p"]
    given = [*call.args, *named]
    return len(named) == len(call.keywords) and len(given) == 1 and _constant(given[0]) == "fro"


def _constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _as_tuple(call: ast.Call) -> bool | None:
    """The ``as_tuple`` of a `nonzero`, where it is all that it is told by name."""
    value = call.keywords[0].value if [k.arg for k in call.keywords] == ["as_tuple"] else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, bool) else None


def _typed(function: Function, value: ast.expr, type_: ast.expr) -> _Modern | None:
    """``x.type(torch.FloatTensor)``: the type names the device too, the CPU."""
    origin = type_.value if isinstance(type_, ast.Constant) else function.file.origin(type_)
    if not isinstance(origin, str) or not _CONSTRUCTORS.get(origin):
        return None
    dtype = _DTYPES[origin.rpartition(".")[2]]
    if dtype in _CASTS:
        return _Modern(f"{{x}}.cpu().to({{{dtype}}})", {"x": value}, [f"torch.{dtype}"])
    return _Modern(f"{{x}}.cpu().{dtype}()", {"x": value})


def _tensor_like(like: ast.expr, call: ast.Call) -> _Modern | None:
    """``x.new_tensor(data)``: a tensor of x's dtype and device."""
    if len(call.args) != 1 or not {k.arg for k in call.keywords} <= {"dtype", "device", "requires_grad"}:
        return None
    root = like
    while isinstance(root, ast.Attribute):
        root = root.value
    if not isinstance(root, ast.Name):
        return None  # written twice it would be computed twice
    text = ast.unparse(like)
    parts, kept = _arguments(call)
    parts += [f"{a}={text}.{a}" for a in ("dtype", "device") if a not in {k.arg for k in call.keywords}]
    return _Modern(f"{{tensor}}({', '.join(parts)})", {"x": like, **kept}, ["torch.tensor"])


def _constructed(function: Function, call: ast.Call, traced: bool) -> _Modern | None:
    """A legacy constructor, or a function that has another name today."""
    origin = function.file.origin(call.func)
    if origin in _PRODUCTS:
        parts, kept = _arguments(call)
        return _Modern(f"{{mm}}({', '.join(parts)})", kept, ["torch.mm"])
    if origin == "torch.nonzero" and len(call.args) == 1 and (as_tuple := _as_tuple(call)) is not None:
        name = "where" if as_tuple else "nonzero"
        return _Modern(f"{{{name}}}({{x}})", {"x": call.args[0]}, [f"torch.{name}"])
    if traced and not call.keywords and len(call.args) == 1 and (listed := _listed(function, origin, call.args[0])):
        return listed
    if origin not in _CONSTRUCTORS or call.keywords:
        return None
    dtype = _CONSTRUCTORS[origin]
    if not call.args:
        return None if dtype else _Modern("{empty}(0)", {}, ["torch.empty"])
    sizes = _sizes(function, call.args)
    if sizes is not None:
        if dtype and not traced and not _whole_size(call.args[0]):
            return None  # TorchScript reads these as eager does
        parts = [*sizes[0], *([f"dtype={{{dtype.rpartition('.')[2]}}}"] if dtype else [])]
        return _Modern(f"{{empty}}({', '.join(parts)})", sizes[1], ["torch.empty", *([dtype] if dtype else [])])
    if dtype is None and len(call.args) == 1 and isinstance(call.args[0], (ast.List, ast.Tuple)):
        return _floats(function, call.args[0].elts)
    if dtype is None and len(call.args) == 1 and isinstance(call.args[0], ast.ListComp):
        floats = function.type_of(call.args[0].elt) == FLOAT
        return _Modern("{tensor}({a0})", {"a0": call.args[0]}, ["torch.tensor"]) if floats else None
    return None


def _listed(function: Function, origin: str, values: ast.expr) -> _Modern | None:
    """``torch.LongTensor([n, m])``, also of a list in a variable, ``torch.LongTensor(range(n))``,
    ``torch.FloatTensor([i for i in range(n)])``.

    Not `torch.tensor(range(n))`, which is of floats where n is 0.
    """
    dtype = _CONSTRUCTORS.get(origin)
    if dtype is None:
        return None
    end = _end_of_range(function, values)
    if end is not None:
        given = "" if dtype == "torch.long" else f", dtype={{{dtype.rpartition('.')[2]}}}"
        names = ["torch.arange", *([dtype] if given else [])]
        return _Modern(f"{{arange}}({{end}}{given})", {"end": end}, names, not not_negative(function, end))
    fitting = (INT, FLOAT) if dtype in ("torch.float", "torch.double") else (INT,)
    if isinstance(values, ast.Name):
        fits = function.type_of(values) in map(list_of, fitting)
    else:
        fits = isinstance(values, (ast.List, ast.Tuple)) and bool(values.elts)
        fits = fits and all(function.type_of(v) in fitting for v in values.elts)  # type: ignore[attr-defined]
    if not fits:
        return None
    return _Modern(
        f"{{tensor}}({{values}}, dtype={{{dtype.rpartition('.')[2]}}})", {"values": values}, ["torch.tensor", dtype]
    )


def _end_of_range(function: Function, node: ast.expr) -> ast.expr | None:
    """``n`` of ``range(n)``, ``list(range(n))`` and ``[i for i in range(n)]``."""
    if isinstance(node, ast.ListComp) and len(node.generators) == 1 and not node.generators[0].ifs:
        same = ast.unparse(node.elt) == ast.unparse(node.generators[0].target)
        return _end_of_range(function, node.generators[0].iter) if same else None
    if not isinstance(node, ast.Call) or len(node.args) != 1 or node.keywords:
        return None
    if function.file.origin(node.func) == "list":
        return _end_of_range(function, node.args[0])
    number = function.file.origin(node.func) == "range" and function.type_of(node.args[0]) == INT
    return node.args[0] if number else None


def _floats(function: Function, values: list[ast.expr]) -> _Modern | None:
    """``torch.Tensor([1, n])``: numbers of the default type."""
    parts: list[str] = []
    pieces: dict[str, ast.expr] = {}
    for at, value in enumerate(values):
        plain = value.operand if isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.USub) else value
        type_ = function.type_of(value)
        if isinstance(plain, ast.Constant) and type(plain.value) is int:
            parts.append(str(float(ast.literal_eval(value))))
        elif type_ in (INT, FLOAT):
            parts.append(f"float({{e{at}}})" if type_ == INT else f"{{e{at}}}")
            pieces[f"e{at}"] = value
        else:
            return None
    return _Modern(f"{{tensor}}([{', '.join(parts)}])", pieces, ["torch.tensor"])


def _sizes(function: Function, arguments: list[ast.expr]) -> tuple[list[str], dict[str, ast.expr]] | None:
    """Arguments that are sizes: ints, one size, one size unpacked; parts of a template and their pieces."""
    if len(arguments) == 1:
        [one] = arguments
        size = one.value if isinstance(one, ast.Starred) else one
        if _whole_size(size) or _holds_size(function, size):
            return ["{a0}"], {"a0": size}
    if all(function.type_of(a) == INT for a in arguments):
        return [f"{{a{i}}}" for i in range(len(arguments))], {f"a{i}": a for i, a in enumerate(arguments)}
    return None


def _whole_size(node: ast.expr) -> bool:
    """Whether an expression is a size (``x.size()``, ``x.shape``, a slice of one), which eager tells from a list."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        return _whole_size(node.value)
    return _sized(node) is not None


def _holds_size(function: Function, node: ast.expr) -> bool:
    """Whether a local variable is only ever a size."""
    values = function.types.bindings.values.get(node.id, []) if isinstance(node, ast.Name) else []
    given = isinstance(node, ast.Name) and any(p.name == node.id for p in function.parameters)
    return bool(values) and not given and all(isinstance(v, ast.expr) and _whole_size(v) for v in values)


def _sized(node: ast.expr) -> ast.expr | None:
    """``x`` of ``x.size()`` and ``x.shape``."""
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        return node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "size" else None
    return node.value if isinstance(node, ast.Attribute) and node.attr == "shape" else None


def _arguments(call: ast.Call) -> tuple[list[str], dict[str, ast.expr]]:
    pieces = {f"a{i}": a for i, a in enumerate(call.args)}
    parts = [f"{{a{i}}}" for i in range(len(call.args))]
    for keyword in call.keywords:
        assert keyword.arg is not None
        pieces[f"k_{keyword.arg}"] = keyword.value
        parts.append(f"{keyword.arg}={{k_{keyword.arg}}}")
    return parts, pieces
