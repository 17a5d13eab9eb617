"""What types the parameters of a file's functions take: recorded calls, calls in the file, defaults, complaints."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from .annotations import meant, presumed, rejected
from .callees import asked_of, passed_on
from .definitions import Function, Parameter
from .diagnosis import Diagnosis
from .file import FileFacts
from .types import (
    COMPLEX,
    DEVICE,
    FLOAT,
    INT,
    NONE,
    SCALARS,
    STR,
    TENSOR,
    TOP,
    UNKNOWN,
    Type,
    accepts,
    join,
    join_all,
    join_given,
    list_of,
    optional,
    parse,
)  # fmt: skip

NUMBERS = frozenset({INT, FLOAT, COMPLEX})
# What an annotation and a recorded value call by the same name, so that two that differ contradict each other.
_PLAIN = frozenset("Tensor int float bool str complex None List Dict Tuple Optional".split())
_MUTABLE_CALLS = ("list", "dict", "set")
_SPELLED = {"NoneType": NONE, "Device": Type("torch.device"), "number": join(INT, FLOAT), "Scalar": join(INT, FLOAT)}


@dataclass(frozen=True)
class Wanted:
    """The annotation that a parameter needs, or (``type`` None) what stands against one.

    ``presumed``: nothing but the lack of other evidence makes it a tensor. ``replaces``: the author's annotation.
    """

    type: Type | None
    why: str
    presumed: bool = False
    replaces: ast.expr | None = None


def found_type(text: str) -> Type:
    """A type as TorchScript's messages write it; unknown where they say nothing."""
    text = text.removesuffix(" (inferred)")
    return _SPELLED.get(text) or (parse(text) if text else UNKNOWN)


def widen(a: Type, b: Type) -> Type:
    """As `join`, for what a parameter takes: TorchScript passes a tuple of one type where a list stands."""
    joined = join_given(a, b)
    if joined != TOP:
        return joined
    elements = {e for t in (a, b) for e in (t.args if t.name in ("List", "Tuple") else (TOP,))}
    return list_of(elements.pop()) if len(elements) == 1 and elements != {TOP} else TOP


def obstacle(file: FileFacts, type_: Type, at: int, tested: bool = False) -> str | None:
    """Why a value of this type cannot be declared at a line of the file; None when it can.

    ``tested`` says that the function tells a Union's members apart by isinstance.
    """
    if not type_.known or "Module" in type_.names():
        return "holds modules" if "Module" in type_.names() else "no single TorchScript type covers what it holds"
    for part in _parts(type_):
        if part.name in ("List", "Dict") and NONE in part.args:
            return "its elements are only ever None"
        if part.name == "Union" and not set(part.args) <= NUMBERS and not tested:
            return f"it is {' or '.join(map(str, part.args))}, and TorchScript computes only with unions of numbers"
        if part.name in ("List", "Dict") and any(p.name == "Union" for a in part.args for p in _parts(a)):
            return f"a {part} takes no list or dict of one of its types"
        if "." in part.name and not part.name.startswith("torch."):
            cls = file.class_named(part.name.rpartition(".")[2])
            if (cls is None or cls.node.lineno >= at) and part.name not in file.imports.origins.values():
                return f"the class {part.name} has no name in this file yet"
    return None


def _parts(type_: Type) -> Iterator[Type]:
    yield type_
    for argument in type_.args:
        yield from _parts(argument)


def function_at(file: FileFacts, line: int) -> Function | None:
    """The innermost function that holds a line."""
    holds = [f for f in file.all_functions if f.node.lineno <= line <= (f.node.end_lineno or line)]
    return max(holds, key=lambda f: f.node.lineno, default=None)


def has_type_comment(file: FileFacts, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the author types the function by comments (``# type: (Tensor, int) -> Tensor``)."""
    lines = file.source.lines[node.lineno - 1 : node.body[0].lineno]
    return any("# type:" in line and "# type: ignore" not in line for line in lines)


def written_header(function: Function) -> str:
    """A function's header as the author wrote it, from ``def`` to the colon."""
    node, depth = function.node, 0
    lines = function.file.source.lines[node.lineno - 1 : node.body[0].lineno]
    indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
    lines = [line.removeprefix(indent) for line in lines]
    for token in tokenize.generate_tokens(iter(lines).__next__):
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if token.string == ":" and not depth:
            row, column = token.end
            return "".join([*lines[: row - 1], lines[row - 1][:column]])
    raise AssertionError("a header ends in a colon")


class Signatures:
    """The parameters of the functions of one file."""

    def __init__(self, file: FileFacts):
        self.file = file

    @cached_property
    def functions(self) -> list[Function]:
        """The functions to look at: with a recording, those that a forward reached and those a diagnosis is about."""
        if self.file.observations is None:
            return self.file.functions
        reached = [f for f in self.file.functions if f.observed is not None and f.observed.scripted]
        return reached + [f for f in self.file.functions if f in self.complained and f not in reached]

    @cached_property
    def complained(self) -> dict[Function, dict[str, Type]]:
        """Functions that a diagnosis lies in or is about → parameter → the type that the compiler found for it."""
        found: dict[Function, dict[str, Type]] = {}
        here = str(self.file.source.path)
        for diagnosis in self.file.diagnoses:
            inside = None
            if diagnosis.place is not None and diagnosis.place.file == here:
                inside = function_at(self.file, diagnosis.place.line)
            if inside is not None:
                found.setdefault(inside, {})
            for function, parameter, type_ in self._about(diagnosis, inside):
                known = found.setdefault(function, {})
                known[parameter] = widen(known.get(parameter, UNKNOWN), type_)
        return found

    def _about(self, diagnosis: Diagnosis, inside: Function | None) -> Iterator[tuple[Function, str, Type]]:
        """The function whose parameter a diagnosis names, and the type of what is passed there."""
        names = diagnosis.names
        argument, given = names.get("argument"), found_type(names.get("found", ""))
        own = [p.name for p in inside.parameters] if inside is not None else []
        if inside is not None and diagnosis.kind == "reassign-type" and names["variable"] in own:
            yield inside, names["variable"], join(found_type(names["expected"]), given)
        if argument is None or "callee" not in names:
            return
        callee = names["callee"].rpartition(".")[2]
        owner = names.get("signature", "").partition("(")[2].partition(" self")[0].rpartition(".")[2]
        for function in self.file.functions:
            of = function.cls.name if function.cls is not None else None
            if (
                of == (owner if owner.isidentifier() else None)
                and function.name == callee
                and any(p.name == argument for p in function.parameters)
                and (names.get("empty_list") != "yes" or _only_empty(function, argument))
            ):
                yield function, argument, given

    @cached_property
    def _asked(self) -> dict[tuple[Function, str], Type]:
        """Parameters that are passed on where the compiler asks for another type than None and what they are."""
        found: dict[tuple[Function, str], Type] = {}
        for diagnosis in self.file.diagnoses:
            expected, given = (found_type(diagnosis.names.get(role, "")) for role in ("expected", "found"))
            call = self.file.node_at(diagnosis, ast.Call)
            inside = function_at(self.file, call.lineno) if isinstance(call, ast.Call) else None
            if inside is None or not (expected.optional and expected.known) or not (given.optional or given == NONE):
                continue
            assert isinstance(call, ast.Call)
            named = [k.value for k in call.keywords if k.arg == diagnosis.names.get("argument")]
            own = {p.name for p in inside.parameters}
            passed = {a.id for a in named or call.args if isinstance(a, ast.Name) and a.id in own}
            of_type = {n for n in passed if accepts(given, inside.types.of_name(n))}
            if len(of_type) == 1:
                found[inside, of_type.pop()] = expected
        return found

    def _asked_by(self, function: Function, name: str, above: frozenset[Function] = frozenset()) -> Type:
        """What the functions and layers that a parameter is passed on to take; `UNKNOWN` where they tell nothing."""
        found = asked_of(function, name)
        if found != UNKNOWN or function in above:
            return found
        for call, argument in passed_on(function, name):
            called = self._called(function, call)
            parameter = _parameter_of(called, call, argument) if called is not None else None
            if called is None or parameter is None:
                continue
            if parameter.annotation is not None:
                asked = self.file.annotated(parameter.annotation)
            else:
                asked = self._asked_by(called, parameter.name, above | {function})
                asked = called.types.used_as(parameter.name) if asked == UNKNOWN else asked
            found = join(found, asked if asked.known else UNKNOWN)
        return found if found.known else UNKNOWN

    def _called(self, caller: Function, call: ast.Call) -> Function | None:
        """The function of the file that a call runs: by its name, a method of self, or the forward of a submodule."""
        attribute = caller.self_attribute(call.func)
        if attribute is None:
            return self.file.function_named(call.func.id) if isinstance(call.func, ast.Name) else None
        assert caller.cls is not None
        method = caller.cls.method(attribute)
        if method is not None:
            return method
        made = {
            self.file.class_named(self.file.origin(v.func)) if isinstance(v, ast.Call) else None
            for c in (caller.cls, *caller.cls.ancestors) for _, v in c.assigned.get(attribute, ())
        }  # fmt: skip
        if made == {None}:  # it is a parameter of the constructor: runs saw what it was
            seen = caller.cls.observed.children.get(attribute, ()) if caller.cls.observed is not None else ()
            made = {self.file.class_named(kind.rpartition(".")[2]) for kind in seen}
        cls = made.pop() if len(made) == 1 else None
        return cls.method("forward") if cls is not None else None

    @cached_property
    def calls(self) -> dict[Function, list[tuple[Function, ast.Call]]]:
        """Function of the file → the calls of it, as `_called` tells them, and the functions they stand in."""
        found: dict[Function, list[tuple[Function, ast.Call]]] = {}
        for caller in self.file.functions:
            for node in caller.of(ast.Call):
                called = self._called(caller, node)
                if called is not None:
                    found.setdefault(called, []).append((caller, node))
        return found

    def _passed(self, function: Function, parameter: Parameter) -> Type:
        """What the calls in this file pass; unknown as soon as one of them is."""
        positions = [p.name for p in function.parameters if p.kind == "positional"]
        types = []
        for caller, call in self.calls.get(function, ()):
            if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
                return UNKNOWN
            given = dict(zip(positions, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
            if parameter.name in given:
                types.append(caller.type_of(given[parameter.name]))
        return UNKNOWN if any(not t.known for t in types) else join_all(types)

    def wanted(self, function: Function, parameter: Parameter) -> Wanted | None:
        """The annotation that a parameter needs for TorchScript, or None when it needs none or has a right one."""
        if parameter.kind in ("args", "kwargs") or (parameter.kind == "keyword" and parameter.default is not None):
            return None
        if parameter.default is not None and self._mutable(parameter.default):
            return Wanted(None, "a mutable default is rejected; make it None and create it in the body")
        complained = self.complained.get(function, {}).get(parameter.name, UNKNOWN)
        recorded = function.observed.arguments.get(parameter.name, UNKNOWN) if function.observed else UNKNOWN
        seen = widen(recorded, complained)
        default = function.type_of(parameter.default) if parameter.default is not None else UNKNOWN
        if default == STR and seen == DEVICE:  # of "cpu" TorchScript makes a device where it is to be one
            default = DEVICE
        if parameter.annotation is not None:
            return self._correction(function, parameter, seen, complained, default)
        why = "runs pass" if recorded != UNKNOWN else "the compiler finds" if complained != UNKNOWN else ""
        if seen == UNKNOWN:
            seen, why = self._passed(function, parameter), "calls pass"
        if parameter.default is not None and default == UNKNOWN and seen == UNKNOWN:
            return None
        total, presumed = widen(default, seen), False
        if total in (NONE, UNKNOWN):
            used, why = _became(function, parameter.name), "runs give it then"
            if used == UNKNOWN:
                used, why = self._asked_by(function, parameter.name), "what it is passed on to takes"
            if used == UNKNOWN:
                used, why = function.types.used_as(parameter.name), "its uses ask for"
            if used == UNKNOWN and total == NONE:
                assigned, filled = (
                    function.types.assigned(parameter.name),
                    function.types.fills_with_none(parameter.name),
                )
                presumed = not assigned.known or assigned == NONE
                used = list_of(optional(TENSOR)) if filled else TENSOR if presumed else assigned  # `[None] * n`
            total = optional(used) if total == NONE and used != UNKNOWN else used
        if total in (UNKNOWN, TENSOR):
            return None
        against = obstacle(self.file, total, function.node.lineno, _told_apart(function, parameter.name))
        if against is not None:
            return Wanted(None, against)
        if seen != UNKNOWN or default in (NONE, UNKNOWN):
            why = f"{why} {seen if seen != UNKNOWN else total}"
        else:
            why = f"its default is {default}"
        return Wanted(total, why, presumed)

    def _correction(
        self, function: Function, parameter: Parameter, seen: Type, complained: Type, default: Type
    ) -> Wanted | None:
        """What the author's annotation must become, where TorchScript rejects it and evidence shows the type."""
        assert parameter.annotation is not None
        declared = self.file.annotated(parameter.annotation)
        asked = self._asked.get((function, parameter.name), UNKNOWN)
        if asked != UNKNOWN and asked != declared and accepts(asked, join(default, seen)):
            return Wanted(asked, f"what it is passed on to takes {asked}", replaces=parameter.annotation)
        if rejected(self.file, parameter.annotation):
            total = self._instead(parameter.annotation, widen(default, seen))
            why = "TorchScript rejects this annotation"
        elif seen == UNKNOWN or declared == NONE or (declared == TOP and _told_apart(function, parameter.name)):
            return None
        elif declared == TOP and widen(default, seen) != NONE:
            total, why = widen(default, seen), "TorchScript computes with one type"
        elif complained != UNKNOWN and not accepts(declared, complained):
            total, why = widen(declared, complained), f"the compiler finds {complained}"
        elif default == NONE and not declared.optional:
            total, why = optional(declared), "its default is None"
        elif seen in (NONE, optional(declared)) and declared.names() <= _PLAIN and not declared.optional:
            total, why = optional(declared), "runs pass None"
        elif seen.names() | declared.names() <= _PLAIN | {"Union"} and _differ(widen(declared, seen), declared):
            apart = _told_apart(function, parameter.name)
            total, why = widen(default, widen(declared, seen) if apart else seen), f"runs pass {seen}"
        else:
            return None
        if total == UNKNOWN:
            return None
        against = obstacle(self.file, total, function.node.lineno, _told_apart(function, parameter.name))
        return Wanted(None if against else total, against or why, replaces=parameter.annotation)

    def _instead(self, annotation: ast.expr, evidence: Type) -> Type:
        """What a rejected annotation means, joined with what is known of the values."""
        says = meant(self.file, annotation)
        if evidence == NONE and says == UNKNOWN:
            return optional(presumed(self.file, annotation))
        total = widen(says, evidence)
        return evidence if total == TOP and evidence != UNKNOWN else total

    def _mutable(self, default: ast.expr) -> bool:
        if isinstance(default, ast.Call):
            return self.file.origin(default.func) in _MUTABLE_CALLS
        return isinstance(default, (ast.List, ast.Dict, ast.Set))


def _became(function: Function, name: str) -> Type:
    """An object that runs put in the place of a parameter that was None, of a class of the file."""
    held = function.observed.locals.get(name, UNKNOWN).present if function.observed is not None else UNKNOWN
    return held if "." in held.name and held != DEVICE and held.known else UNKNOWN


def _only_empty(function: Function, name: str) -> bool:
    """Whether runs gave a parameter empty lists, and nothing else."""
    return function.observed is not None and function.observed.arguments.get(name) == list_of(UNKNOWN)


def _differ(together: Type, declared: Type) -> bool:
    """Whether what a parameter is declared as leaves out what it is given: a list or tuple, or a tensor."""
    return together == TOP or (together.name == "Union" and TENSOR in together.args and together != declared)


def _parameter_of(function: Function, call: ast.Call, argument: ast.expr) -> Parameter | None:
    """The parameter that a call gives an argument to."""
    if argument not in call.args:
        named = next((k.arg for k in call.keywords if k.value is argument), None)
        return next((p for p in function.parameters if p.name == named), None)
    place = call.args.index(argument)
    positional = [p for p in function.parameters if p.kind == "positional"]
    starred = any(isinstance(a, ast.Starred) for a in call.args[:place])
    return positional[place] if place < len(positional) and not starred else None


def _told_apart(function: Function, name: str) -> bool:
    tested = [c.args[0] for c in function.calls("isinstance") if c.args]
    return any(isinstance(t, ast.Name) and t.id == name for t in tested)


def number_union(type_: Type) -> bool:
    """Whether it is a Union of numbers: TorchScript computes with one, but cannot assign the result back to it."""
    return type_.name == "Union" and set(type_.args) <= SCALARS
