"""What keeps a piece of code from being a TorchScript function of its own, as far as the source alone tells."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .flow import root_name
from .layer_functions import layer_function
from .listed_layers import listed_layer
from .operations import is_operation
from .plain_methods import handed_to, plain_method, type_is_told
from .types import TENSOR, UNKNOWN

if TYPE_CHECKING:
    from .definitions import Function

BUILTINS = frozenset(
    "len int float bool abs max min range enumerate zip sum round list sorted any all divmod pow ord chr str isinstance"
    " Exception ValueError RuntimeError AssertionError NotImplementedError IndexError TypeError KeyError".split()
)
_PYTHON_ONLY = frozenset(
    "numpy tolist from_numpy backward register_hook retain_grad share_memory_ save load manual_seed seed vmap compile"
    " set_num_threads no_grad enable_grad set_grad_enabled inference_mode data_ptr storage untyped_storage"
    " get_default_dtype apply_ map_".split()
)
_SYNTAX: dict[type[ast.AST], str] = {
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef), "it defines a function"),
    **dict.fromkeys((ast.Import, ast.ImportFrom), "it imports"),
    **dict.fromkeys((ast.Yield, ast.YieldFrom), "it yields"),
    **dict.fromkeys((ast.Await, ast.AsyncFor, ast.AsyncWith), "it awaits"),
    **dict.fromkeys((ast.Set, ast.SetComp), "it holds a set"),
    **dict.fromkeys((ast.Dict, ast.DictComp), "it holds a dictionary"),
    ast.ClassDef: "it defines a class",
    ast.Lambda: "it holds a lambda",
    ast.Try: "it holds a `try`",
    ast.Match: "it holds a `match`",
    ast.NamedExpr: "it holds a `:=`",
    ast.GeneratorExp: "it holds a generator",
    ast.Global: "it declares a global",
    ast.Nonlocal: "it declares a nonlocal",
    ast.Starred: "it unpacks with `*`",
    ast.Delete: "it deletes a name",
}
_UNPARSED = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom),
    *(ast.Try, ast.Lambda, ast.NamedExpr, ast.Set, ast.SetComp, ast.Global, ast.Match),
)
_GRAD_MODES = ("torch.no_grad", "torch.enable_grad")


def unparsed(node: ast.AST) -> bool:
    """Whether TorchScript refuses to parse it, wherever it stands: also in what it does not compile."""
    if isinstance(node, (ast.For, ast.While)):
        return bool(node.orelse)
    if isinstance(node, ast.Dict):
        return None in node.keys
    if isinstance(node, ast.Call):
        return any(k.arg is None for k in node.keywords)
    if isinstance(node, ast.FormattedValue):
        return node.conversion != -1 or node.format_spec is not None
    if isinstance(node, (ast.ListComp, ast.DictComp, ast.GeneratorExp)):
        return len(node.generators) > 1 or bool(node.generators[0].ifs)
    return isinstance(node, _UNPARSED)


def obstacle(function: Function, code: Iterable[ast.AST]) -> str | None:
    """Why the code of a function cannot be a TorchScript function: the first reason found, None when there is none.

    Reading ``self.x`` is no obstacle (its value can be passed), calling or assigning it is.
    """
    return _Check(function, frozenset()).statements(code)


class _Check:
    def __init__(self, function: Function, within: frozenset[str]):
        self.function, self.within = function, within

    def statements(self, code: Iterable[ast.AST]) -> str | None:
        return next((reason for s in code if (reason := self.node(s)) is not None), None)

    def node(self, node: ast.AST) -> str | None:
        if (reason := self._here(node)) is not None:
            return reason
        if isinstance(node, (ast.Raise, ast.Assert)):  # the message may be an f-string
            parts = [node.test] if isinstance(node, ast.Assert) else []
            return next((r for p in parts if (r := self.node(p)) is not None), None)
        if isinstance(node, ast.With):  # its contexts are known
            return self.statements(node.body)
        children = (self.node(c) for c in ast.iter_child_nodes(node))
        return next((r for r in children if r is not None), None)

    def _here(self, node: ast.AST) -> str | None:
        if type(node) in _SYNTAX:
            return _SYNTAX[type(node)]
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, (ast.For, ast.While)) and node.orelse:
            return "it has an `else` to a loop"
        if isinstance(node, ast.With):
            heads = [i.context_expr.func if isinstance(i.context_expr, ast.Call) else None for i in node.items]
            known = all(h is not None and self.function.file.origin(h) in _GRAD_MODES for h in heads)
            return None if known else f"it holds `with {ast.unparse(node.items[0])}`"
        if isinstance(node, ast.comprehension) and (node.ifs or node.is_async):
            return "it filters in a comprehension"
        if isinstance(node, ast.JoinedStr):
            return "it formats a string"
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            return f"it assigns {ast.unparse(node)}"
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) and self._of_self(node):
            own = self.function.self_attribute(node.value) is not None  # a tensor that is passed can be updated
            passed = own and self.function.type_of(node.value) == TENSOR and isinstance(node.ctx, ast.Store)
            return None if passed else f"it assigns {ast.unparse(node)}"
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            types = {self.function.type_of(node.left).name, self.function.type_of(node.right).name}
            if types == {"List", "Tuple"}:  # a size and a tuple: fine in Python only
                return f"it joins a size and a tuple in `{ast.unparse(node)}`"
        return None

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call(self, call: ast.Call) -> str | None:
        if any(k.arg is None for k in call.keywords):
            return "it unpacks with `**`"
        function, file = self.function, self.function.file
        written = ast.unparse(call.func)
        origin = file.origin(call.func)
        if isinstance(call.func, ast.Attribute):
            if self._of_self(call.func) and function.type_of(call.func.value) != TENSOR:
                run = plain_method(function, call)
                if run is None and layer_function(function, call) is not None:
                    return None
                return f"it calls {written}" if run is None else self._called(run.method, call)
            if self._of_self(call.func) and call.func.attr.endswith("_"):
                return f"it updates {ast.unparse(call.func.value)}"
            return self._method(call.func, origin, written)
        if isinstance(call.func, (ast.Name, ast.Subscript)) and listed_layer(function, call.func) is not None:
            run = plain_method(function, call)
            if run is not None:
                return self._called(run.method, call)
            return None if layer_function(function, call) is not None else f"it calls {written}"
        if not isinstance(call.func, ast.Name):
            return f"it calls `{written}`"
        if call.func.id == "print":
            return "it prints"
        if call.func.id in function.flow.local_names:
            return f"it calls {written}, a local value"
        if origin == call.func.id and origin in BUILTINS and file.function_named(origin) is None:
            return None
        called = file.function_named(origin)
        if called is not None:
            return self._called(called, call)
        operation = is_operation(origin) and origin.rpartition(".")[2] not in _PYTHON_ONLY
        if operation or origin.startswith("math."):
            return None
        return f"it calls {written}, which may not be TorchScript"

    def _method(self, func: ast.Attribute, origin: str, written: str) -> str | None:
        if origin.startswith("math.") or origin == "torch.jit.annotate":
            return None
        if is_operation(origin):
            return f"it calls {written}" if func.attr in _PYTHON_ONLY else None
        type_ = self.function.type_of(func.value, presume=True)
        if type_ == TENSOR:
            return f"it calls {written}" if func.attr in _PYTHON_ONLY else None
        if type_.name == "List" or func.attr == "append" or (type_ == UNKNOWN and func.attr == "shape"):
            return None
        return f"it calls {written}, which may not be TorchScript"

    def _called(self, called: Function, call: ast.Call) -> str | None:
        """Whether a function of the file that the code calls would compile with it."""
        if called.qualname in self.within:
            return f"{called.name} calls itself"
        if any(d not in ("torch.jit.script", "torch.jit.script_if_tracing") for d in called.decorators):
            return f"it calls {called.name}, which is decorated"
        given = dict(zip((p.name for p in called.parameters), call.args, strict=False))
        given |= {k.arg: k.value for k in call.keywords if k.arg}
        for parameter in called.parameters:
            value = given.get(parameter.name, parameter.default)
            if parameter.kind in ("args", "kwargs"):
                return f"it calls {called.name}, which takes `*{parameter.name}`"
            tensor = value is not None and self.function.type_of(value, presume=True) == TENSOR
            typed = parameter.annotation is not None or (parameter.default is None and tensor)
            if called.cls is not None:
                typed = type_is_told(called, parameter, tensor)
            elif handed_to(self.function) == called.name:  # its parameters are those of the method
                typed = True
            if not typed:
                return f"it calls {called.name}, whose parameter {parameter.name} is not annotated"
        inner = _Check(called, self.within | {called.qualname})
        reason = inner.statements(called.node.body)
        constants = sorted(module_constants(called, called.node.body))
        if reason is None and constants:
            reason = f"it reads the global {constants[0]}"
        return None if reason is None else f"it calls {called.name}, and there {reason}"

    def _of_self(self, node: ast.expr) -> bool:
        name = self.function.self_name
        return name is not None and root_name(node) == name


def module_constants(function: Function, code: Iterable[ast.AST]) -> dict[str, ast.expr]:
    """Names that the code reads and the module binds once, with the value: TorchScript functions see no globals."""
    read = function.flow.reads(code) - function.flow.local_names
    found: dict[str, list[ast.expr]] = {}
    for statement in function.file.tree.body:
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name) and target.id in read:
                    found.setdefault(target.id, []).append(statement.value)
    return {name: values[0] for name, values in found.items() if len(values) == 1}
