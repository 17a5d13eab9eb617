"""What an attribute of a module cannot register, whatever an instance is given, and who looks at what is registered.

All of it is read off the source: what was recorded holds for the recorded instances alone.
"""

from __future__ import annotations

import ast
import re

from .definitions import Class, Function
from .file import FileFacts
from .operations import ONLY_TENSOR_METHODS, TENSOR_ATTRIBUTES, is_operation

LOOKS = ("children", "named_children", "modules", "named_modules", "_modules")
_LITERALS = (
    *(ast.Constant, ast.JoinedStr, ast.Compare, ast.Lambda, ast.List, ast.Tuple, ast.Dict, ast.Set),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
_PLAIN_CALLS = frozenset("int float str bool len list tuple dict set range sorted isinstance hasattr callable".split())
_PLAIN_TYPES = frozenset("int float bool str None List Dict Tuple Optional Union torch.device torch.dtype".split())
_NEW_TENSORS = ONLY_TENSOR_METHODS - {"contiguous", "expand_as", "type_as"} | {"new", "new_empty"}
_SAME_TENSOR = frozenset("to cuda cpu float double half type type_as contiguous expand_as requires_grad_".split())
_TENSOR_CLASSES = re.compile(r"torch\.(\w+\.)?\w*Tensor")
_GIVEN_BACK = ("torch.as_tensor", "torch.compile", "torch.load")
_MADE_WITH_SIZES = re.compile(
    r"torch\.nn\.((Conv|ConvTranspose|BatchNorm|InstanceNorm|(Adaptive)?(Avg|Max)Pool)[123]d|Bilinear|Linear|Embedding"
    r"|GroupNorm|Dropout"
    r"|(RNN|GRU|LSTM)(Cell)?)"
)
_WITH_PARAMETERS = re.compile(r"torch\.nn\.(\w*(Linear|Conv|Norm|Embedding|RNN|LSTM|GRU)\w*|PReLU|MultiheadAttention)")


def registers_nothing(function: Function, node: ast.expr | None, seen: frozenset[ast.AST] = frozenset()) -> bool:
    """Whether a value is sure to be neither a module nor a parameter."""
    if node is None or node in seen:
        return node is not None  # what else it may be was asked before
    seen |= {node}
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            return registers_nothing(function, body, seen) and registers_nothing(function, orelse, seen)
        case ast.BoolOp(values=values):
            return all(registers_nothing(function, v, seen) for v in values)
        case ast.BinOp(left=left, op=op, right=right):  # a Sequential can be added and multiplied
            known = not isinstance(op, (ast.Add, ast.Mult))
            return known or (registers_nothing(function, left, seen) and registers_nothing(function, right, seen))
        case ast.UnaryOp():
            return True
        case ast.Call():
            return _gives_nothing(function, node, seen)
        case ast.Name():
            return _is_size(function, node) or _names_nothing(function, node, seen)
        case ast.Attribute():
            name, cls = function.self_attribute(node), function.cls
            family = (cls, *cls.ancestors, *cls.subclasses) if name is not None and cls is not None else ()
            pairs = [pair for c in family for pair in c.assigned.get(name or "", ())]
            stored = bool(pairs) and all(registers_nothing(m, v, seen) for m, v in pairs)
            of_tensor = name is None and node.attr in TENSOR_ATTRIBUTES
            return stored or of_tensor or _is_size(function, node)
    return isinstance(node, _LITERALS)


def _gives_nothing(function: Function, call: ast.Call, seen: frozenset[ast.AST]) -> bool:
    """Whether what a call gives is sure to be neither a module nor a parameter."""
    origin, func = function.file.origin(call.func), call.func
    if origin in _PLAIN_CALLS or origin.startswith(("math.", "numpy.")):
        return True
    if _TENSOR_CLASSES.fullmatch(origin):
        return True
    if is_operation(origin):
        return not origin.endswith("_") and origin not in _GIVEN_BACK
    called = _definitions(function, func)
    if called:
        given = [(f, r.value) for f in called for r in f.of(ast.Return)]
        return all(value is None or registers_nothing(f, value, seen) for f, value in given)
    if not isinstance(func, ast.Attribute):
        return False
    if func.attr in _SAME_TENSOR or func.attr.endswith("_"):
        return registers_nothing(function, func.value, seen)
    return func.attr in _NEW_TENSORS


def _definitions(function: Function, called: ast.expr) -> list[Function]:
    """The functions of the file that a call can reach: one of its top level, or a method in all its versions."""
    name, cls = function.self_attribute(called), function.cls
    if name is None or cls is None:
        found = function.file.function_named(function.file.origin(called))
        return [found] if found is not None else []
    own = cls.method(name)
    return [own, *(c.methods[name] for c in cls.subclasses if name in c.methods)] if own is not None else []


def _names_nothing(function: Function, node: ast.Name, seen: frozenset[ast.AST]) -> bool:
    """Whether all that a name is bound to is neither a module nor a parameter."""
    values = [v if isinstance(v, ast.expr) else None for v in function.bindings.values.get(node.id, ())]
    if not all(registers_nothing(function, v, seen) for v in values):
        return False
    parameter = next((p for p in function.parameters if p.name == node.id), None)
    if parameter is None or parameter.kind in ("args", "kwargs"):
        return bool(values) or parameter is not None
    if parameter.annotation is not None:
        return function.file.annotated(parameter.annotation).names() <= _PLAIN_TYPES
    default = parameter.default
    return isinstance(default, ast.Constant) and default.value is not None


def _is_size(function: Function, node: ast.expr) -> bool:
    """Whether a value, or an attribute that holds it, serves for a size of a layer or for the rounds of a loop."""
    text, cls = ast.unparse(node), function.cls
    texts = {text}
    for name, values in cls.assigned.items() if cls is not None else ():
        if len(values) == 1 and values[0][0] is function and values[0][1] is not None:
            texts |= {f"self.{name}"} if ast.unparse(values[0][1]) == text else set()
    for method in {function, *(cls.methods.values() if cls is not None else ())}:
        for call in method.of(ast.Call):
            origin = method.file.origin(call.func)
            if origin != "range" and not _MADE_WITH_SIZES.fullmatch(origin):
                continue
            sizes = [*call.args[:3], *(k.value for k in call.keywords if k.arg != "_weight")]
            chosen = texts if method is function else {t for t in texts if t.startswith("self.")}
            if any(isinstance(s, (ast.Name, ast.Attribute)) and ast.unparse(s) in chosen for s in sizes):
                return True
    return False


# -- who looks at what is registered -------------------------------------------------------------------------------


def sees_children(cls: Class) -> bool:
    """Whether a class or a relative looks at its submodules: one that comes or goes would make a difference.

    A loop that asks each of them for the class of a layer with parameters passes over all others.
    """
    return any(
        not _chooses_with_parameters(method.file, node)
        for c in (cls, *cls.ancestors, *cls.subclasses)
        for method in c.methods.values()
        for name in LOOKS
        for node in method.self_attributes.get(name, ())
    )


def file_sees_children(file: FileFacts) -> bool:
    """Whether any code of the file looks at the submodules of its own module so, or at those of another one."""
    own = {n for f in file.all_functions for nodes in f.self_attributes.values() for n in nodes}
    looks = (n for n in file.of(ast.Attribute) if n.attr in LOOKS and n not in own)
    return any(sees_children(c) for c in file.classes if c.is_module) or not all(
        _chooses_with_parameters(file, n) for n in looks
    )


def _chooses_with_parameters(file: FileFacts, node: ast.expr) -> bool:
    loop = file.parents[file.parents[node]]
    if not isinstance(loop, ast.For) or loop.orelse:
        return False
    target = loop.target.elts[-1] if isinstance(loop.target, ast.Tuple) else loop.target
    todo = list(loop.body)
    for statement in todo:
        if not isinstance(statement, ast.If) or not _asks_for_parameters(file, statement.test, target):
            return False
        todo += statement.orelse
    return True


def _asks_for_parameters(file: FileFacts, test: ast.expr, module: ast.expr) -> bool:
    """Whether a test holds for none but layers of torch with parameters."""
    if isinstance(test, ast.BoolOp):
        asked = [_asks_for_parameters(file, v, module) for v in test.values]
        return asked[0] if isinstance(test.op, ast.And) else all(asked)
    if not isinstance(test, ast.Call) or file.origin(test.func) != "isinstance" or len(test.args) != 2:
        return False
    subject, classes = test.args
    named = classes.elts if isinstance(classes, ast.Tuple) else [classes]
    known = all(_WITH_PARAMETERS.fullmatch(file.origin(c)) for c in named)
    return known and ast.unparse(subject) == ast.unparse(module)
