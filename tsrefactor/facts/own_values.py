"""What code reads of ``self``, as arguments of a function that has none; calls on it as calls of functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from tsrefactor.source.imports import Import

from .definitions import Function
from .layer_functions import LayerFunction, layer_function
from .listed_layers import listed_layer
from .own_tensors import may_be_none, may_lack
from .placement import is_elif
from .plain_methods import CalledMethod, function_name, handed_to, plain_method
from .scriptable import BUILTINS, module_constants
from .types import BOOL, COMPLEX, FLOAT, INT, STR, TENSOR, Type, accepts, optional
from .weighted_layers import OwnValue

_PLAIN = frozenset({INT, FLOAT, BOOL, STR, COMPLEX})
_MOST = 16  # arguments: a function of more is nothing that one would write


class Unmovable(Exception):
    """Why the code cannot become a TorchScript function, as the end of "…: it calls self.conv"."""


@dataclass(frozen=True)
class Argument:
    """A parameter of the new function and what the caller passes for it. A `TENSOR` needs no annotation.

    A ``size`` is a tensor in a trace only; `moved` makes it one where it may be a number there, too.
    """

    name: str
    value: str
    type: Type = TENSOR
    size: bool = False


class OwnValues:
    """What a function of some code needs of ``self`` and of the module: ``arguments``, ``changes`` (new source of
    expressions: ``self.scale`` → ``scale``), ``additions`` (what follows some: more arguments of a call), ``methods``
    (that must become functions, each with what it reads), ``layers`` (whose functions it calls), ``imports``, and
    ``checks`` (what it asserts before statements). ``presumed``: a layer is presumed to be given a batch.
    """

    def __init__(self, function: Function, code: Sequence[ast.AST]):
        self.function, self.flow, self.file, self.code = function, function.flow, function.file, code
        self.arguments: list[Argument] = []
        self.changes: dict[ast.expr, str] = {}
        self.additions: dict[ast.expr, str] = {}
        self.checks: dict[ast.stmt, str] = {}
        self.methods: list[OwnValues] = []
        self.layers: list[str] = []
        self.imports: frozenset[Import] = frozenset()
        self.presumed = False
        self._names: dict[str, str] = {}  # value → name
        self._taken = self.flow.reads(code) | self.flow.writes(code)
        self._close_over()

    def _close_over(self) -> None:
        """Makes arguments of attributes of the instance and of the module's constants."""
        closed = 0
        for node in walk_all(self.code):
            attribute = self.function.self_attribute(node)
            if attribute is None:
                continue
            assert isinstance(node, ast.Attribute)
            closed += 1
            self._close_attribute(node, attribute)
        for call in [n for n in walk_all(self.code) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]:
            self._call_listed(call)
        whole = sum(isinstance(n, ast.Name) and n.id == self.function.self_name for n in walk_all(self.code))
        if self.function.self_name is not None and whole > closed:
            raise Unmovable(f"it uses {self.function.self_name} itself")
        constants = module_constants(self.function, self.code)
        known = set(self.file.imports.origins) | set(constants) | self.flow.local_names | BUILTINS
        for name in sorted(self.flow.reads(self.code) - known):
            if self.file.function_named(name) is None:
                raise Unmovable(f"it reads {name} from outside the function")
        for name, constant in sorted(constants.items()):
            type_ = self.function.type_of(constant)
            if type_ not in _PLAIN:
                raise Unmovable(f"it reads the global {name}")
            self.arguments.append(Argument(name, name, type_))

    def _close_attribute(self, node: ast.Attribute, attribute: str) -> None:
        around = self.file.parents[node]
        call = around if isinstance(around, ast.Call) and around.func is node else None
        method = plain_method(self.function, call) if call is not None else None
        if call is not None and method is not None:
            self._call_method(call, method)
        elif call is not None and (layer := layer_function(self.function, call)) is not None:
            self._call_layer(call, layer, attribute, ast.unparse(call.func))
        elif self._is_listed(around):
            self._call_listed(self.file.parents[around])
        elif isinstance(around, ast.Attribute) and self._is_weight(node, around):
            self._check_layer(around, attribute)
            value = f"{self.function.self_name}.{attribute}.{around.attr}"
            self.changes[around] = self._argument(f"{attribute}_{around.attr}", value, TENSOR)
        else:
            value = f"{self.function.self_name}.{attribute}"
            if value not in self._names:
                self._names[value] = attribute if attribute not in self._taken else f"own_{attribute}"
                self.arguments.append(self._own(node, attribute, self._names[value]))
            self.changes[node] = self._names[value]

    def _is_listed(self, around: ast.AST) -> bool:
        """Whether a layer of the list is called there: ``self.cells[i](x)``."""
        call = self.file.parents[around] if isinstance(around, ast.Subscript) else None
        return isinstance(call, ast.Call) and call.func is around and listed_layer(self.function, around) is not None

    def _call_listed(self, call: ast.AST) -> None:
        """Calls the function of a layer of a list, where it is a layer."""
        layer = listed_layer(self.function, call.func) if isinstance(call, ast.Call) else None
        if layer is None:
            return
        assert isinstance(call, ast.Call)
        if layer.chosen_by & self.flow.writes(self.code):
            raise Unmovable(f"it calls {layer.owner}, another layer in each turn")
        if (method := plain_method(self.function, call)) is not None:
            self._call_method(call, method)
        elif (form := layer_function(self.function, call)) is not None:
            self._call_layer(call, form, layer.name, layer.owner)

    def _is_weight(self, node: ast.Attribute, around: ast.Attribute) -> bool:
        """Whether it is a tensor of a layer: ``self.fc.weight``."""
        return self.function.type_of(node) != TENSOR and self.function.type_of(around) == TENSOR

    def _argument(self, wanted: str, value: str, type_: Type) -> str:
        """The name under which a value is passed, as one argument however often it is read."""
        if value not in self._names:
            self._names[value] = wanted if wanted not in {*self._taken, *self._names.values()} else f"own_{wanted}"
            self.arguments.append(Argument(self._names[value], value, type_))
        if len(self.arguments) > _MOST:
            raise Unmovable(f"it needs more than {_MOST} values of {self.function.self_name}")
        return self._names[value]

    # -- calls -------------------------------------------------------------------------------------------------------

    def _call_method(self, call: ast.Call, called: CalledMethod) -> None:
        """Calls the function that the method becomes, with what it reads of ``self``."""
        name = function_name(called.method)
        if name in self.flow.local_names:
            raise Unmovable(f"a local takes the name of the function {name}")
        made = method_values(called.method)
        owner = self.function.self_name or ""
        if called.layer:
            self._check_layer(call, called.attribute)
            owner = called.owner
            self.layers.append(ast.unparse(call.func))
        own = []
        for argument in made.arguments:
            value = re.sub(rf"\b{called.method.self_name}\b", owner, argument.value, count=1)
            wanted = f"{called.layer}_{argument.name}" if called.layer else argument.name
            name_here = self._argument(wanted, value, argument.type)
            own.append(f"{argument.name}={name_here}" if call.keywords else name_here)
        if own and len(call.args) + len(call.keywords) != len(called.method.parameters):
            raise Unmovable(f"it calls {ast.unparse(call.func)} without some of its arguments")
        self.changes[call.func] = name
        self._add(call, "".join(f", {name}" for name in own))
        self.methods += [m for m in (*made.methods, made) if m.function not in {o.function for o in self.methods}]
        self.layers += made.layers
        self.presumed |= made.presumed

    def _call_layer(self, call: ast.Call, layer: LayerFunction, attribute: str, owner: str) -> None:
        """Calls the function of a layer, with its weights and what its constructor was given."""
        self._check_layer(call, layer.listed.attribute if layer.listed is not None else attribute)
        self.layers.append(ast.unparse(call.func))
        self.presumed |= layer.cell
        names: list[str] = []
        added = ""
        for place, one in enumerate(layer.chain or (layer,)):
            name, needed = self.file.spell(one.origin)
            self.imports |= needed
            names.insert(0, name)
            inner = (f"{attribute}_{place}", f"{owner}[{place}]") if layer.chain else (attribute, owner)
            parts = self._settings(one, *inner)
            added += ")" * (place > 0) + "".join(f", {part}" for part in parts)
        self.changes[call.func] = "(".join(names)
        self._add(call, added)

    def _settings(self, layer: LayerFunction, attribute: str, owner: str) -> list[str]:
        """What the function of a layer is given besides the call's own arguments."""
        parts = []
        for part in layer.settings:
            if isinstance(part, OwnValue):
                named = part.attribute.removeprefix("_flat_")
                name = self._argument(f"{attribute}_{named}", f"{owner}.{part.attribute}", part.type)
                parts.append(f"{part.keyword}={name}" if part.keyword else name)
            else:
                parts.append(part)
        return parts

    def _check_layer(self, use: ast.expr, layer: str) -> None:
        """Raises Unmovable where only some instances have the layer, and a branch of the code uses it."""
        if may_lack(self.function, layer) and not self._always_comes_to(use, set(self.code)):
            raise Unmovable(f"it needs {self.function.self_name}.{layer}, which not every instance has")

    def _add(self, call: ast.Call, text: str) -> None:
        """Puts text after the last argument of a call."""
        if not text:
            return
        given = (*call.args, *(k.value for k in call.keywords))
        if not given:
            raise Unmovable(f"it calls {ast.unparse(call.func)} without arguments")
        last = max(given, key=lambda a: (a.lineno, a.col_offset))
        if self.file.source.text[self.file.source.span(last)[1] : self.file.source.span(call)[1]].count(")") > 1:
            raise Unmovable(f"parentheses stand around what {ast.unparse(call.func)} is given")
        self.additions[last] = text

    # -- attributes --------------------------------------------------------------------------------------------------

    def _own(self, node: ast.Attribute, attribute: str, name: str) -> Argument:
        """The argument for an attribute of the instance. Where only some instances have it, and a branch of the code
        reads it, it is passed as an Optional.
        """
        value, type_ = f"{self.function.self_name}.{attribute}", self._attribute_type(node, attribute)
        roots = set(self.code)
        uses = [n for n in walk_all(roots) if self.function.self_attribute(n) == attribute]
        if any(self._always_comes_to(n, roots) for n in uses) or not may_lack(self.function, attribute):
            return Argument(name, value, type_)
        if type_ != TENSOR or may_be_none(self.function, attribute):
            raise Unmovable(f"it needs {value}, which not every instance has")
        for use in uses:
            statement = self.file.statement_of(use)
            if is_elif(self.file, statement) or not self._always_comes_to(use, {statement}):
                raise Unmovable(f"it needs {value}, which not every instance has")
            block = self.file.block_of(statement)
            first = next(s for s in block if any(n in uses for n in ast.walk(s)))
            self.checks[first] = f"assert {name} is not None"
        return Argument(name, f"getattr({self.function.self_name}, '{attribute}', None)", optional(TENSOR))

    def _always_comes_to(self, node: ast.AST, roots: Set[ast.AST]) -> bool:
        """Whether the code around it always evaluates a node."""
        while node not in roots:
            parent = self.file.parents[node]
            if isinstance(parent, (ast.BoolOp, ast.IfExp, ast.comprehension, ast.ListComp)):
                return False
            if isinstance(parent, (ast.If, ast.While, ast.For)) and node in (*parent.body, *parent.orelse):
                return False
            node = parent
        return True

    def _attribute_type(self, node: ast.Attribute, attribute: str) -> Type:
        type_, cls = one_number(self.function.type_of(node)), self.function.cls
        if type_ in (TENSOR, optional(TENSOR)):
            return type_
        if attribute == "training":
            return BOOL
        if not is_plain(type_):
            raise Unmovable(f"it needs {ast.unparse(node)}, which is not known to be a tensor or a number")
        assert cls is not None
        for c in (cls, *cls.ancestors, *cls.subclasses):
            if any(method.name != "__init__" for method, _ in c.assigned.get(attribute, ())):
                raise Unmovable(f"it needs {ast.unparse(node)}, which changes after construction")
        return type_


def method_values(method: Function) -> OwnValues:
    """What a function of a whole method needs; `plain_methods` writes it. Raises Unmovable."""
    if handed_to(method) is not None:
        return _handed_values(method)
    values = OwnValues(method, method.code)
    values.arguments.sort(key=lambda a: (a.type != TENSOR, layer_of(a)))
    for argument in values.arguments:
        if argument.name in {p.name for p in method.parameters}:
            raise Unmovable(f"{argument.value} has the name of a parameter of {method.name}")
    return values


def _handed_values(method: Function) -> OwnValues:
    """What a method gives the function to which it hands all on, besides its own parameters."""
    values, file = OwnValues(method, []), method.file
    taking = file.function_named(handed_to(method) or "")
    call = next(n for n in ast.walk(method.code[0]) if isinstance(n, ast.Call))
    assert taking is not None
    for parameter, value in list(zip(taking.parameters, call.args, strict=False))[len(method.parameters) :]:
        type_ = file.annotated(parameter.annotation) if parameter.annotation is not None else TENSOR
        if not accepts(type_, method.type_of(value)):
            raise Unmovable(f"it calls {method.name}, and {taking.name} takes no {ast.unparse(value)}")
        values.arguments.append(Argument(parameter.name, ast.unparse(value), type_))
    return values


def layer_of(argument: Argument) -> str:
    """The part of an argument's value that orders it: weights of one layer stay in the layer's order."""
    return argument.value.rpartition(".")[0] if argument.value.count(".") > 1 else argument.value


def one_number(type_: Type) -> Type:
    """float for what is an int here and a float there: TorchScript computes with it alike."""
    return FLOAT if type_.name == "Union" and set(type_.args) == {INT, FLOAT} else type_


def is_plain(type_: Type) -> bool:
    """Whether it is a number or text, or a tuple or list of these."""
    return type_ in _PLAIN or (type_.name in ("Tuple", "List") and all(map(is_plain, type_.args)))


def walk_all(code: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of some code."""
    for root in code:
        yield from ast.walk(root)


def in_order(code: Iterable[ast.AST]) -> list[str]:
    """Names in the order in which the text first has them."""
    names = (n for n in walk_all(code) if isinstance(n, ast.Name))
    return list(dict.fromkeys(n.id for n in sorted(names, key=lambda n: (n.lineno, n.col_offset))))
