"""Attributes of nn.Modules that TorchScript types wrongly, or cannot type, from the value that an instance holds."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from .annotations import meant, rejected
from .definitions import Class, Function
from .file import FileFacts
from .nodes import walk
from .observations import ClassObservations
from .signatures import found_type, function_at, widen
from .types import BOOL, NONE, UNKNOWN, Type, dict_of, join, join_all, list_of, optional

_EMPTY = ("List[Tensor]", "Dict[str, Tensor]")  # what the compiler takes an untyped empty container for


@dataclass(frozen=True)
class Declaration:
    """A class-body annotation that a class needs: ``type``, or ``Final[type]``. ``node``: where the need shows."""

    cls: Class
    name: str
    type: Type
    final: bool
    node: ast.AST
    why: str
    presumed: bool = False
    replaces: bool = False


class Attributes:
    """What the classes of one file must declare. TorchScript sees an instance as it is before its first call."""

    def __init__(self, file: FileFacts):
        self.file = file
        self.visible = [f for f in file.functions if f.cls is not None and f.cls.is_module and f.self_name]

    def needed(self) -> Iterator[Declaration]:
        """The declarations that the source, the recorded instances or a diagnosis ask for; each class and name once."""
        given: set[tuple[Class, str]] = set()
        for found in (self._undecided_branches(), self._untyped(), self._rejected(), self._complaints()):
            for declaration in found:
                key = (declaration.cls, declaration.name)
                if key not in given and not self._declared(declaration):
                    given.add(key)
                    yield declaration

    # -- the class and its relatives -------------------------------------------------------------------------------

    def family(self, cls: Class) -> list[Class]:
        """The class, its bases and its subclasses, as far as they are in this file."""
        return [cls, *cls.ancestors, *cls.subclasses]

    def owner(self, cls: Class, name: str) -> Class:
        """The class whose own methods assign the attribute: there its declaration belongs."""
        return next((c for c in (cls, *cls.ancestors) if name in c.assigned), cls)

    def _seen(self, cls: Class) -> list[ClassObservations]:
        return [c.observed for c in (cls, *cls.subclasses) if c.observed is not None]

    def recorded(self, cls: Class, name: str) -> Type:
        """The joined type of the attribute in all recorded instances of the class and its subclasses."""
        return join_all(o.attributes.get(name, UNKNOWN) for o in self._seen(cls))

    def _declared(self, declaration: Declaration) -> bool:
        """Whether the class says it already: by this annotation, or in ``__constants__``."""
        cls, name = declaration.cls, declaration.name
        if name in constants(cls) or name in assigned_annotations(cls):
            return True
        if name not in cls.annotations:
            return False
        if not declaration.final:
            return not declaration.replaces
        return "Final" in ast.unparse(cls.annotations[name])

    def _uses(self, cls: Class, name: str) -> list[tuple[Function, ast.Attribute]]:
        """Where methods that TorchScript sees read or write the attribute."""
        family = self.family(cls)
        return [(f, n) for f in self.visible if f.cls in family for n in f.self_attributes.get(name, ())]

    # -- values that have no type ----------------------------------------------------------------------------------

    def _untyped(self) -> Iterator[Declaration]:
        """Attributes that `__init__` leaves empty or None and that methods use or set."""
        for cls in self.file.classes:
            if not cls.is_module:
                continue
            for name, pairs in cls.assigned.items():
                inits = [(m, v) for m, v in pairs if m.name == "__init__"]
                if not inits or name in cls.annotations or not all(_empty(self.file, v) for _, v in inits):
                    continue
                uses = self._uses(cls, name)
                if not uses or self._filled_before(cls, name):
                    continue
                none = any(isinstance(v, ast.Constant) for _, v in inits)
                stored = any(isinstance(n.ctx, ast.Store) for _, n in uses) or name in self._set_from_outside
                if none and not stored:
                    continue  # always None in the methods: TorchScript sees that and drops the other branch
                type_, presumed = self._type(cls, name, none)
                if type_.known and type_ != NONE:
                    value = inits[0][1]
                    assert value is not None
                    why = f"it is {ast.unparse(value)} when it is scripted"
                    yield Declaration(cls, name, type_, False, value, why, presumed)

    def _rejected(self) -> Iterator[Declaration]:
        """Attributes whose annotation in the class body TorchScript rejects, and which have a type that it takes."""
        for cls in self.file.classes:
            if not cls.is_module or (self.file.observations is not None and not self._seen(cls)):
                continue
            for name, annotation in cls.annotations.items():
                if rejected(self.file, annotation) and any(name in c.assigned for c in self.family(cls)):
                    type_ = widen(meant(self.file, annotation), self.recorded(cls, name))
                    if type_.known and type_ != NONE:
                        why = f"TorchScript rejects `{ast.unparse(annotation)}`"
                        yield Declaration(cls, name, type_, False, annotation, why, replaces=True)

    def _filled_before(self, cls: Class, name: str) -> bool:
        """Whether set-up code puts something in: then the value itself tells the type."""
        setup = [m for c in self.family(cls) for m in c.methods.values() if m not in self.visible]
        return any(not _plain_store(self.file, n) for m in setup for n in m.self_attributes.get(name, ()))

    def _type(self, cls: Class, name: str, none: bool) -> tuple[Type, bool]:
        """The type of an attribute that starts empty: annotated in `__init__`, recorded, or what methods put in.

        And whether that rests on parameters that are only presumed to be tensors.
        """
        for method in cls.methods.values():
            for node in method.of(ast.AnnAssign):
                if method.self_attribute(node.target) == name:
                    return self.file.annotated(node.annotation), False
        found, presumed = self.recorded(cls, name), False
        if not found.known or found == NONE:
            for presume in (False, True):
                put = [t for f, n in self._uses(cls, name) for t in _put(f, n, presume)]
                found, presumed = UNKNOWN if any(not t.known for t in put) else join_all(put), presume
                if found.known:
                    break
        return optional(found) if none and found.known else found, presumed

    # -- branches that only a constant can decide ------------------------------------------------------------------

    def _undecided_branches(self) -> Iterator[Declaration]:
        """Bool attributes that decide branches which use an attribute that an instance may lack, or have as None."""
        for function in self.visible:
            assert function.cls is not None
            for node in function.of(ast.If, ast.IfExp):
                for flag in decided_by(function, node.test):
                    lacking = next((p for p in _read(function, node) if self._may_lack(function.cls, p)), None)
                    none = next((p for p in _read(function, node) if self.recorded(function.cls, p).optional), None)
                    if (lacking or none) is not None and self.is_flag(function.cls, flag):
                        why = f"a branch that it decides uses '{lacking or none}', which "
                        why += "an instance may lack" if lacking else "is None in some instances"
                        yield Declaration(self.owner(function.cls, flag), flag, BOOL, True, node.test, why)

    def is_flag(self, cls: Class, name: str) -> bool:
        """Whether the attribute is always a bool and set by `__init__` alone, so that it can be Final."""
        return self.fixed_type(cls, name) == BOOL

    def fixed_type(self, cls: Class, name: str) -> Type:
        """The type of an attribute that `__init__` alone sets; `UNKNOWN` for any other, and where nothing tells it."""
        if not self.set_by_init(cls, name):
            return UNKNOWN
        assigned = [(m, v) for c in self.family(cls) for m, v in c.assigned.get(name, ())]
        recorded = join_all(self.recorded(c, name) for c in self.family(cls))
        if recorded != UNKNOWN:
            return recorded
        types = [m.type_of(v) if v is not None else UNKNOWN for m, v in assigned]
        return UNKNOWN if UNKNOWN in types else join_all(types)

    def set_by_init(self, cls: Class, name: str) -> bool:
        """Whether `__init__` sets the attribute, and nothing else in the file does."""
        assigned = [m for c in self.family(cls) for m, _ in c.assigned.get(name, ())]
        by_init = bool(assigned) and all(m.name == "__init__" for m in assigned)
        return by_init and name != "training" and name not in self._set_from_outside

    def is_final(self, cls: Class, name: str) -> bool:
        """Whether the class that assigns the attribute declares it Final."""
        return self._declared(Declaration(self.owner(cls, name), name, BOOL, True, cls.node, ""))

    @cached_property
    def _set_from_outside(self) -> set[str]:
        """Attributes that the file sets on anything but self (``model.flag = True``)."""
        selves = {f.self_name for f in self.file.all_functions}
        return {
            n.attr for n in self.file.of(ast.Attribute)
            if isinstance(n.ctx, ast.Store)
            and not (isinstance(n.value, ast.Name) and n.value.id in selves)
        }  # fmt: skip

    def _may_lack(self, cls: Class, name: str) -> bool:
        """Whether some instance lacks the attribute or holds None there: recorded, or set only under an `if`."""
        seen = self._seen(cls)
        if seen:
            return any(
                name in o.absent
                or (name not in o.attributes and name not in o.children and self._stored(cls, name))
                or NONE in (o.attributes.get(name), *o.attributes.get(name, UNKNOWN).args)
                or "None" in o.children.get(name, ())
                for o in seen
            )
        stores = self._stored(cls, name)
        values = [v for c in (cls, *cls.ancestors) for m, v in c.assigned.get(name, ()) if m.name == "__init__"]
        some_none = any(isinstance(v, ast.Constant) and v.value is None for v in values)
        return bool(stores) and ((some_none and len(values) > 1) or all(self._conditional(s) for s in stores))

    def _stored(self, cls: Class, name: str) -> list[ast.Attribute]:
        inits = [c.methods["__init__"] for c in (cls, *cls.ancestors) if "__init__" in c.methods]
        return [
            n for m in inits for n in m.self_attributes.get(name, ()) if isinstance(n.ctx, ast.Store)
        ]  # fmt: skip

    def _conditional(self, store: ast.Attribute) -> bool:
        """Whether a store stands under an `if` whose other arm does not make it too."""
        node: ast.AST = store
        while not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            parent = self.file.parents[node]
            if isinstance(parent, ast.If):
                other = parent.orelse if node in parent.body else parent.body
                if not any(isinstance(n, ast.Attribute) and n.attr == store.attr for s in other for n in walk(s)):
                    return True
            node = parent
        return False

    # -- what the compiler says ------------------------------------------------------------------------------------

    def _complaints(self) -> Iterator[Declaration]:
        here = str(self.file.source.path)
        for diagnosis in self.file.diagnoses:
            place = diagnosis.place
            if place is None or place.file != here:
                continue
            function = function_at(self.file, place.line)
            if function is not None and function in self.visible:
                yield from self._flags_over(function, place.line)
            if diagnosis.kind == "unconvertible-attribute":
                cls = self._class(diagnosis.names["module"]) or (function.cls if function else None)
                name = diagnosis.names["attribute"]
                if cls is not None:
                    cls = self.owner(cls, name)
                    type_, presumed = self._type(cls, name, none=False)
                    if any(self.file.class_named(n.rpartition(".")[2]) is not None for n in type_.names()):
                        continue  # TorchScript finds a class that it can compile by itself
                    values = [v for _, v in cls.assigned.get(name, ()) if v is not None]
                    node: ast.AST = values[0] if values else cls.node
                    why = diagnosis.names.get("reason") or "its value tells no type"
                    yield Declaration(cls, name, type_, False, node, why, presumed)
            elif diagnosis.kind == "attribute-type" and function is not None and "found" in diagnosis.names:
                target = self.file.node_at(diagnosis, ast.Attribute)
                set_ = function.self_attribute(target) if target is not None else None
                wanted = join(found_type(diagnosis.names["expected"]), found_type(diagnosis.names["found"]))
                if set_ is not None and target is not None and diagnosis.names["found"] not in _EMPTY:
                    assert function.cls is not None
                    cls = self.owner(function.cls, set_)
                    type_, replaces = join(wanted, self.recorded(cls, set_)), set_ in cls.annotations
                    yield Declaration(cls, set_, type_, False, target, diagnosis.message, replaces=replaces)

    def _flags_over(self, function: Function, line: int) -> Iterator[Declaration]:
        """Flags that decide a branch around the place, where no run took it: Final drops what does not compile."""
        assert function.cls is not None
        for node in function.of(ast.If, ast.IfExp):
            arms = [node.body, node.orelse] if isinstance(node, ast.IfExp) else [*node.body, *node.orelse]
            under = next((a for a in arms if a.lineno <= line <= (a.end_lineno or line)), None)
            returns = isinstance(node, ast.If) and any(isinstance(s, ast.Return) for s in node.body)
            after = returns and line > (node.end_lineno or line)
            if under is None and not after:
                continue
            if isinstance(under, ast.stmt) and function.reached(under):
                continue
            for flag in decided_by(function, node.test):
                if self.is_flag(function.cls, flag):
                    why = "a branch that it decides does not compile"
                    yield Declaration(self.owner(function.cls, flag), flag, BOOL, True, node.test, why)

    def _class(self, name: str) -> Class | None:
        return next((c for c in self.file.classes if c.name == name.rpartition(".")[2]), None)


def decided_by(function: Function, test: ast.expr) -> list[str]:
    """Attributes of self whose truth can decide a condition: alone, negated, or in `and` and `or`."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return decided_by(function, test.operand)
    if isinstance(test, ast.BoolOp):
        return [name for value in test.values for name in decided_by(function, value)]
    name = function.self_attribute(test)
    return [name] if name is not None else []


def constants(cls: Class) -> set[str]:
    """What the class lists in ``__constants__``."""
    value = _class_value(cls, "__constants__")
    return _strings(value.elts) if isinstance(value, (ast.List, ast.Tuple, ast.Set)) else set()


def assigned_annotations(cls: Class) -> set[str]:
    """What the class annotates by assigning ``__annotations__``, as it must where annotations are kept as strings."""
    value = _class_value(cls, "__annotations__")
    return _strings(value.keys) if isinstance(value, ast.Dict) else set()


def _class_value(cls: Class, name: str) -> ast.expr | None:
    assigned = [s for s in cls.node.body if isinstance(s, ast.Assign)]
    return next((s.value for s in assigned for t in s.targets if isinstance(t, ast.Name) and t.id == name), None)


def _strings(nodes: Sequence[ast.expr | None]) -> set[str]:
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _read(function: Function, branch: ast.If | ast.IfExp) -> list[str]:
    arms = [branch.body, branch.orelse] if isinstance(branch, ast.IfExp) else [*branch.body, *branch.orelse]
    names = [function.self_attribute(n) for arm in arms for n in walk(arm)]
    return [n for n in names if n is not None]


def _empty(file: FileFacts, value: ast.expr | None) -> bool:
    if isinstance(value, ast.Constant):
        return value.value is None
    if isinstance(value, ast.Call) and not value.args and not value.keywords:
        return file.origin(value.func) in ("list", "dict", "collections.OrderedDict")
    return (isinstance(value, ast.List) and not value.elts) or (isinstance(value, ast.Dict) and not value.keys)


def _plain_store(file: FileFacts, node: ast.Attribute) -> bool:
    """Whether the node is the target of an assignment of something empty, or a read that changes nothing."""
    parent = file.parents[node]
    if isinstance(node.ctx, ast.Store):
        value = parent.value if isinstance(parent, (ast.Assign, ast.AnnAssign)) else None
        return _empty(file, value)
    if isinstance(parent, ast.Subscript):
        return isinstance(parent.ctx, ast.Load)
    return not isinstance(parent, ast.Attribute)


def _put(function: Function, node: ast.Attribute, presume: bool) -> list[Type]:
    """The types that one use of an attribute gives it: assigned, appended, set by index."""
    parents = function.file.parents
    parent = parents[node]
    if isinstance(node.ctx, ast.Store):
        value = parent.value if isinstance(parent, (ast.Assign, ast.AnnAssign)) else None
        return [] if value is None or _empty(function.file, value) else [function.type_of(value, presume)]
    if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
        statement = parents[parent]
        value_type = function.type_of(statement.value, presume) if isinstance(statement, ast.Assign) else UNKNOWN
        return [dict_of(function.type_of(parent.slice), value_type)]
    if isinstance(parent, ast.Attribute) and parent.attr in ("append", "insert", "extend"):
        call = parents[parent]
        if isinstance(call, ast.Call) and call.args:
            added = function.type_of(call.args[-1], presume)
            return [added if parent.attr == "extend" else list_of(added)]
    return []
