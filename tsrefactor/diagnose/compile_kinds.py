"""What TorchScript's compiler says about attributes, names and types, in the order to try.

A group's trailing underscore only avoids a Python keyword.
"""

from __future__ import annotations

from .container_kinds import CONTAINERS

Entry = tuple[str, str, str | None]

ATTRIBUTES: tuple[Entry, ...] = (
    (
        "unconvertible-attribute",
        r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)' \(This (?:function "
        r")?attribute exists on the Python module, but we failed to convert Python type: "
        r"'(?P<type>[^']*)' to a TorchScript type\.? (?P<reason>.*?)\.?(?: Its type was inferred|\)|$)",
        "attribute '{attribute}' of {module} has a type TorchScript does not take: {type}",
    ),
    (
        "function-attribute-failed",
        r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)' \(This function exists",
        "function '{attribute}' of {module} cannot be compiled",
    ),
    (
        "ignored-attribute",
        r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)' \(This attribute was ignored"
        r"|attribute was ignored during compilation",
        None,
    ),
    (
        "class-attribute",
        r"'(?P<attribute>\w+)' is defined as a class attribute which currently is not supported",
        "'{attribute}' is a class attribute, which TorchScript does not take",
    ),
    (
        "missing-attribute",
        r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)'",
        "{module} has no attribute '{attribute}'",
    ),
    (
        "missing-attribute",
        r"^'(?P<module>[^'\[\]]+\.[^'\[\]]+)' object has no attribute or method '(?P<attribute>[^']+)'",
        "{module} has no attribute '{attribute}'",
    ),
    (
        "optional-refinement",
        r"^'(?P<type>Optional\[.+\]|NoneType)' object has no attribute or method '(?P<attribute>[^']+)'",
        "'{attribute}' of a value that may be None ({type})",
    ),
    (
        "no-attribute-on-type",
        r"^'(?P<type>.+)' object has no attribute or method '(?P<attribute>[^']+)'",
        "{type} has no attribute or method '{attribute}'",
    ),
    (
        "no-attribute-on-type",
        r"^Tried to lookup unknown attribute on class (?P<type>\S+)",
        "unknown attribute of the class {type}",
    ),
    (
        "missing-python-attribute",
        r"^object has no attribute (?P<attribute>\w+)",
        "TorchScript sees no '{attribute}' in that Python module",
    ),
    (
        "attribute-type",
        r"^Wrong type for attribute assignment\. Expected (?P<expected>.+) but got (?P<found>.+)",
        "an attribute of type {expected} is assigned a value of type {found}",
    ),
    (
        "attribute-type",
        r"^Attribute (?P<attribute>\w+) is not of annotated type (?P<expected>.+)",
        "attribute '{attribute}' is not of its annotated type {expected}",
    ),
    (
        "new-attribute",
        r"^Tried to set nonexistent attribute: (?P<attribute>\w+)",
        "sets the attribute '{attribute}', which __init__ does not create",
    ),
    (
        "set-attribute-on-value",
        r"^Tried to set an attribute: (?P<attribute>\w+) on a non-class: (?P<type>.+)",
        "sets the attribute '{attribute}' on a value of type {type}",
    ),
    (
        "set-attribute-on-value",
        r"^Tried to set read-only attribute: (?P<attribute>\w+)|attribute assignment is not defined on "
        r"(?P<type>.+)",
        None,
    ),
    (
        "attribute-on-python-value",
        r"^attribute lookup is not defined on (?:python value of type '(?P<type>[^']+)'|(?P<what>.+))",
        "reads an attribute of a Python object ({type}{what})",
    ),
    (
        "getattr-name",
        r"^(?:has|get)attr's second argument must be a string literal",
        "getattr or hasattr with a computed name",
    ),
    ("getattr-object", r"^hasattr's first argument must be|^getattr's first argument must be", None),
)

NAMES: tuple[Entry, ...] = (
    (
        "not-defined-in-branch",
        r"^(?P<variable>\w+) is not defined in the (?P<branch>true|false) branch",
        "'{variable}' is not defined in the {branch} branch",
    ),
    ("undefined-value", r"^undefined value (?P<name>\S+)", "'{name}' is not defined for TorchScript"),
    (
        "unknown-type-name",
        r"^Unknown type (?:name|annotation:) '(?:<class ')?(?P<name>[^']+)'",
        "unknown type '{name}' in an annotation",
    ),
    ("unknown-type-name", r"^Unknown type constructor (?P<name>\S+)", "unknown type '{name}' in an annotation"),
    (
        "unknown-type-name",
        r"^Unsupported annotation (?P<name>.+?) could not be resolved",
        "unknown type '{name}' in an annotation",
    ),
    (
        "annotation-form",
        r"type expression|^Attempted to use \w+ without a contained type|Tuple literal in Tuple type "
        r"annotation|expected exactly one element type but found|expected exactly 2 element types"
        r"|Subscripted type must be a type identifier|^Broadcastable list|^Number of type annotations"
        r"|Keyword arguments with defaults need to be type-hinted",
        None,
    ),
    (
        "recursion",
        r"^(?:function|method) '(?P<function>[^']+)' is called recursively|Recursive calls are not "
        r"supported|^Cannot recursively",
        "'{function}' calls itself",
    ),
    ("unknown-builtin-op", r"^Unknown builtin op: (?P<operation>[\w:.]*\w)", "unknown operator {operation}"),
    (
        "python-builtin",
        r"^Python builtin <built-in (?:function|method) (?P<function>\w+)[^>]*> is currently not supported",
        "the Python function '{function}' is not supported",
    ),
    ("python-type-as-value", r"^Python type cannot be used as a value", "a Python class is used as a value"),
    (
        "python-value-as-value",
        r"^python value of type '(?P<type>[^']+)' cannot be used as a value",
        "a Python object of type '{type}' is used as a value",
    ),
    ("not-a-value", r"^(?P<what>[^\n]+?) cannot be used as a value", "{what} cannot be used as a value"),
    (
        "not-callable",
        r"^cannot call a value of type '(?P<type>[^']+)'|^'(?P<type_>[^']+)' object is not callable",
        "calls a value of type '{type}'",
    ),
    ("not-callable", r"^[Cc]annot call (?P<type>.+)", None),
)

TYPES: tuple[Entry, ...] = (
    (
        "default-type",
        r"^Expected a default value of type (?P<expected>.+?) on parameter \"(?P<argument>\w+)\"",
        "the default of '{argument}' is no {expected}; annotate its type",
    ),
    (
        "mutable-default",
        r"^Mutable default parameters are not supported(?:.|\n)*Found <class '(?P<type>[^']+)'> on "
        r"parameter (?P<argument>\w+)",
        "the default of '{argument}' is a mutable {type}",
    ),
    ("none-to-bool", r"^Could not cast value of type (?P<type>NoneType) to bool", "tests None as a condition"),
    (
        "cast-to-bool",
        r"^Could not cast value of type (?P<type>.+) to bool",
        "tests a value of type {type} as a condition",
    ),
    (
        "cast-to-bool",
        r"^expected a bool expression for condition but found (?P<type>.+)",
        "tests a value of type {type} as a condition",
    ),
    (
        "reassign-module",
        r"^Cannot re-assign '(?P<variable>\w+)' to a value of type (?P<found>.+?)(?: because|$)",
        "'{variable}' cannot be reassigned: it holds no plain value",
    ),
    (
        "reassign-module",
        r"^Cannot re-assign '(?P<variable>\w+)' because it has type (?P<found>.+?) and",
        "'{variable}' cannot be reassigned: it holds no plain value",
    ),
    (
        "reassign-type",
        r"^Variable '(?P<variable>\w+)' previously had type (?P<expected>.+) but is now being assigned to "
        r"a value of type (?P<found>.+)",
        "'{variable}' changes its type from {expected} to {found}",
    ),
    (
        "annotated-type",
        r"^Variable '(?P<variable>\w+)' is annotated with type (?P<expected>.+) but is being assigned "
        r"(?:to )?a value of type (?P<found>.+)",
        "'{variable}' is annotated {expected} but assigned {found}",
    ),
    (
        "annotation-form",
        r"^Expected an annotation of type (?P<expected>.+) but got (?P<found>.+)",
        "is annotated {found} where TorchScript needs {expected}",
    ),
    (
        "redeclared-variable",
        r"^Attempting to declare and annotate the type of variable '(?P<variable>\w+)'",
        "'{variable}' is annotated a second time",
    ),
    (
        "branch-type",
        r"^Type mismatch: (?P<variable>\S+) is set to type (?P<true_type>.+) in the true branch and type "
        r"(?P<false_type>.+) in the false branch",
        "'{variable}' is {true_type} in one branch and {false_type} in the other",
    ),
    (
        "branch-type",
        r"^if-expression's true branch has type (?P<true_type>.+) but false branch has type "
        r"(?P<false_type>.+)",
        "a conditional expression is {true_type} or {false_type}",
    ),
    (
        "mixed-return",
        r"^Previous return statement returned a value of type (?P<expected>.+) but this return statement "
        r"returns a value of type (?P<found>.+)",
        "returns {expected} in one place and {found} in another",
    ),
    (
        "return-type",
        r"^Return value was annotated as having type (?P<expected>.+) but is actually of type "
        r"(?P<found>.+)",
        "is annotated to return {expected} but returns {found}",
    ),
    (
        "missing-return",
        r"^Function was not annotated as having type None, but does not\s+return along all paths",
        "does not return along all paths",
    ),
    (
        "range-argument",
        r"^all inputs of range must be ints, found (?P<found>.+?) in argument (?P<argument>\d+)",
        "range() gets a value of type {found}",
    ),
    (
        "annotate-type",
        r"^[Ee]xpected an expression of type (?P<expected>.+) but found (?P<found>.+)",
        "expected {expected}, found {found}",
    ),
    (
        "type-hint-needed",
        r"^Expected type hint for result of (?P<function>\w+)\(\)",
        "{function}() needs a type annotation for its result",
    ),
)

COMPILE_KINDS: tuple[Entry, ...] = (*ATTRIBUTES, *NAMES, *TYPES, *CONTAINERS)
