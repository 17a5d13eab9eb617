"""What TorchScript's compiler says about names, types, attributes and containers, in the order to try.

A group's trailing underscore only avoids a Python keyword.
"""

from __future__ import annotations

Entry = tuple[str, str, str | None]

ATTRIBUTES: tuple[Entry, ...] = (
    ("unconvertible-attribute", r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)' \(This (?:function )?attribute exists on the Python module, but we failed to convert Python type: '(?P<type>[^']*)' to a TorchScript type\.? (?P<reason>.*?)\.?(?: Its type was inferred|\)|$)", "attribute '{attribute}' of {module} has a type TorchScript does not take: {type}"),
    ("function-attribute-failed", r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)' \(This function exists", "function '{attribute}' of {module} cannot be compiled"),
    ("ignored-attribute", r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)' \(This attribute was ignored|attribute was ignored during compilation", None),
    ("class-attribute", r"'(?P<attribute>\w+)' is defined as a class attribute which currently is not supported", "'{attribute}' is a class attribute, which TorchScript does not take"),
    ("missing-attribute", r"^Module '(?P<module>[^']+)' has no attribute '(?P<attribute>[^']+)'", "{module} has no attribute '{attribute}'"),
    ("missing-attribute", r"^'(?P<module>[^'\[\]]+\.[^'\[\]]+)' object has no attribute or method '(?P<attribute>[^']+)'", "{module} has no attribute '{attribute}'"),
    ("optional-refinement", r"^'(?P<type>Optional\[.+\]|NoneType)' object has no attribute or method '(?P<attribute>[^']+)'", "'{attribute}' of a value that may be None ({type})"),
    ("no-attribute-on-type", r"^'(?P<type>.+)' object has no attribute or method '(?P<attribute>[^']+)'", "{type} has no attribute or method '{attribute}'"),
    ("no-attribute-on-type", r"^Tried to lookup unknown attribute on class (?P<type>\S+)", "unknown attribute of the class {type}"),
    ("missing-python-attribute", r"^object has no attribute (?P<attribute>\w+)", "TorchScript sees no '{attribute}' in that Python module"),
    ("attribute-type", r"^Wrong type for attribute assignment\. Expected (?P<expected>.+) but got (?P<found>.+)", "an attribute of type {expected} is assigned a value of type {found}"),
    ("attribute-type", r"^Attribute (?P<attribute>\w+) is not of annotated type (?P<expected>.+)", "attribute '{attribute}' is not of its annotated type {expected}"),
    ("new-attribute", r"^Tried to set nonexistent attribute: (?P<attribute>\w+)", "sets the attribute '{attribute}', which __init__ does not create"),
    ("set-attribute-on-value", r"^Tried to set an attribute: (?P<attribute>\w+) on a non-class: (?P<type>.+)", "sets the attribute '{attribute}' on a value of type {type}"),
    ("set-attribute-on-value", r"^Tried to set read-only attribute: (?P<attribute>\w+)|attribute assignment is not defined on (?P<type>.+)", None),
    ("attribute-on-python-value", r"^attribute lookup is not defined on (?:python value of type '(?P<type>[^']+)'|(?P<what>.+))", "reads an attribute of a Python object ({type}{what})"),
    ("getattr-name", r"^(?:has|get)attr's second argument must be a string literal", "getattr or hasattr with a computed name"),
    ("getattr-object", r"^hasattr's first argument must be|^getattr's first argument must be", None),
)  # fmt: skip

NAMES: tuple[Entry, ...] = (
    ("not-defined-in-branch", r"^(?P<variable>\w+) is not defined in the (?P<branch>true|false) branch", "'{variable}' is not defined in the {branch} branch"),
    ("undefined-value", r"^undefined value (?P<name>\S+)", "'{name}' is not defined for TorchScript"),
    ("unknown-type-name", r"^Unknown type (?:name|annotation:) '(?:<class ')?(?P<name>[^']+)'", "unknown type '{name}' in an annotation"),
    ("unknown-type-name", r"^Unknown type constructor (?P<name>\S+)", "unknown type '{name}' in an annotation"),
    ("unknown-type-name", r"^Unsupported annotation (?P<name>.+?) could not be resolved", "unknown type '{name}' in an annotation"),
    ("annotation-form", r"type expression|^Attempted to use \w+ without a contained type|Tuple literal in Tuple type annotation|expected exactly one element type but found|expected exactly 2 element types|Subscripted type must be a type identifier|^Broadcastable list|^Number of type annotations|Keyword arguments with defaults need to be type-hinted", None),
    ("recursion", r"^(?:function|method) '(?P<function>[^']+)' is called recursively|Recursive calls are not supported|^Cannot recursively", "'{function}' calls itself"),
    ("unknown-builtin-op", r"^Unknown builtin op: (?P<operation>[\w:.]*\w)", "unknown operator {operation}"),
    ("python-builtin", r"^Python builtin <built-in (?:function|method) (?P<function>\w+)[^>]*> is currently not supported", "the Python function '{function}' is not supported"),
    ("python-type-as-value", r"^Python type cannot be used as a value", "a Python class is used as a value"),
    ("python-value-as-value", r"^python value of type '(?P<type>[^']+)' cannot be used as a value", "a Python object of type '{type}' is used as a value"),
    ("not-a-value", r"^(?P<what>[^\n]+?) cannot be used as a value", "{what} cannot be used as a value"),
    ("not-callable", r"^cannot call a value of type '(?P<type>[^']+)'|^'(?P<type_>[^']+)' object is not callable", "calls a value of type '{type}'"),
    ("not-callable", r"^[Cc]annot call (?P<type>.+)", None),
)  # fmt: skip

TYPES: tuple[Entry, ...] = (
    ("default-type", r"^Expected a default value of type (?P<expected>.+?)(?P<inferred> \(inferred\))? on parameter \"(?P<argument>\w+)\"", "the default of '{argument}' is no {expected}; it is not annotated"),
    ("mutable-default", r"^Mutable default parameters are not supported(?:.|\n)*Found <class '(?P<type>[^']+)'> on parameter (?P<argument>\w+)", "the default of '{argument}' is a mutable {type}"),
    ("none-to-bool", r"^Could not cast value of type (?P<type>NoneType) to bool", "tests None as a condition"),
    ("cast-to-bool", r"^Could not cast value of type (?P<type>.+) to bool", "tests a value of type {type} as a condition"),
    ("cast-to-bool", r"^expected a bool expression for condition but found (?P<type>.+)", "tests a value of type {type} as a condition"),
    ("reassign-module", r"^Cannot re-assign '(?P<variable>\w+)' to a value of type (?P<found>.+?)(?: because|$)", "'{variable}' cannot be reassigned: it holds no plain value"),
    ("reassign-module", r"^Cannot re-assign '(?P<variable>\w+)' because it has type (?P<found>.+?) and", "'{variable}' cannot be reassigned: it holds no plain value"),
    ("reassign-type", r"^Variable '(?P<variable>\w+)' previously had type (?P<expected>.+) but is now being assigned to a value of type (?P<found>.+)", "'{variable}' changes its type from {expected} to {found}"),
    ("annotated-type", r"^Variable '(?P<variable>\w+)' is annotated with type (?P<expected>.+) but is being assigned (?:to )?a value of type (?P<found>.+)", "'{variable}' is annotated {expected} but assigned {found}"),
    ("redeclared-variable", r"^Attempting to declare and annotate the type of variable '(?P<variable>\w+)'", "'{variable}' is annotated a second time"),
    ("branch-type", r"^Type mismatch: (?P<variable>\S+) is set to type (?P<true_type>.+) in the true branch and type (?P<false_type>.+) in the false branch", "'{variable}' is {true_type} in one branch and {false_type} in the other"),
    ("branch-type", r"^if-expression's true branch has type (?P<true_type>.+) but false branch has type (?P<false_type>.+)", "a conditional expression is {true_type} or {false_type}"),
    ("mixed-return", r"^Previous return statement returned a value of type (?P<expected>.+) but this return statement returns a value of type (?P<found>.+)", "returns {expected} in one place and {found} in another"),
    ("return-type", r"^Return value was annotated as having type (?P<expected>.+) but is actually of type (?P<found>.+)", "is annotated to return {expected} but returns {found}"),
    ("missing-return", r"^Function was not annotated as having type None, but does not\s+return along all paths", "does not return along all paths"),
    ("range-argument", r"^all inputs of range must be ints, found (?P<found>.+?) in argument (?P<argument>\d+)", "range() gets a value of type {found}"),
    ("annotate-type", r"^[Ee]xpected an expression of type (?P<expected>.+) but found (?P<found>.+)", "expected {expected}, found {found}"),
    ("type-hint-needed", r"^Expected type hint for result of (?P<function>\w+)\(\)", "{function}() needs a type annotation for its result"),
)  # fmt: skip

CONTAINERS: tuple[Entry, ...] = (
    ("size-of-list", r"^cannot statically infer the expected size of a (?P<container>\w+)", "the number of elements to unpack is not known at compile time"),
    ("integer-literal-index", r"^Expected integer literal for index", "indexes a module container with a value that is no integer literal"),
    ("string-literal-index", r"^Unable to extract string literal index", "indexes a ModuleDict with a value that is no string literal"),
    ("iterate-module", r"^Can not iterate over a module list or tuple with a value that does not have a statically determinable length", "iterates a module container together with a value of unknown length"),
    ("iterate-module", r"Only (?:constant )?(?:ModuleList|Sequential)[\w, ]*\s*(?:or\s+)?[\w ]*(?:can be used as|are subscriptable|modules)", None),
    ("tuple-index", r"^Tuple index out of range\. Tuple is length (?P<length>\d+) and index is (?P<index>-?\d+)", "index {index} of a tuple of length {length}"),
    ("tuple-index", r"^tuple (?:slice )?ind(?:ices|ex) must be (?:an integer|integer constants)|^Cannot index into a (?P<type>.+?) with a non-integer literal|[Tt]uple slic", "indexes a tuple with a value that is no integer literal"),
    ("unpack-count", r"^need (?P<expected>\d+) values? to unpack but found only (?P<found>\d+)|^too many values to unpack: need (?P<expected_>\d+) but found (?P<found_>\d+)", None),
    ("unpack-value", r"^(?P<type>[^\n]+?) cannot be used as a tuple", "unpacks a value of type {type}"),
    ("unpack-value", r"^Provided (?:list|tuple|.*) is not fully defined", None),
    ("not-iterable", r"^(?:'(?P<type>[^']+)' object is not iterable|(?P<type_>[^\n]+?) cannot be used as an iterable)", "iterates a value of type {type}"),
    ("not-subscriptable", r"^'(?P<type>[^']+)' object is not subscriptable|^(?P<type_>.+) (?:is not|does not support) subscript", "indexes a value of type {type}"),
    ("tensor-index", r"^Unsupported operation: (?:indexing tensor with unsupported index type '(?P<type>[^']+)'|attempted to use multidimensional)|^Ellipses followed by tensor|^An index can only have a single ellipsis|^Trying to process index type", None),
    ("builtin-arity", r"^(?P<function>\w+) expected (?:at (?:least|most)|exactly) \d+ arguments?,? (?:but found|got|and|found)", "{function}() is called with a number of arguments it does not take"),
    ("list-element", r"Could not infer type of list element|Expected a list element that subtypes|[Ll]ist (?:type annotation|elements)|list literal|List of iterables", None),
    ("dict-element", r"Dicts may only contain homogeneous|Dict (?:keys|values|type annotation)|dict literal|Generated (?:key|value) type", None),
    ("empty-container", r"Cannot assign an empty (?P<container>list|dict)|^Expected a type annotation of Dict", None),
    ("tensor-constructor", r"^Legacy Tensor Constructor", "uses a legacy tensor constructor"),
    ("tensor-constructor", r"Got multiple positional arguments that were not all integers", None),
    ("context-manager", r"^(?:With item expression must|Object returned by with item|__enter__ must|__exit__ must|.* of __exit__ must)", "uses a context manager that TorchScript does not know"),
    ("assignment-target", r"^lhs of assignment must be|unexpected expression on (?:the )?left-hand side|^Cannot pack a tuple into|does not support subscripted assignment|left-hand side of augmented", None),
    ("in-place-operator", r"^Cannot emit inplace op on (?P<type>.+?) since", None),
    ("integer-range", r"^Integral constant out of range", None),
    ("method-without-self", r"^(?:methods must have a self argument|Non-static method does not have a self argument)", None),
    ("keyword-arguments", r"takes no keyword arguments|does not accept any keyword arguments|does not support kwargs yet|^Got kwarg", None),
    ("class-inheritance", r"does not support class inheritance|Currently class bodies can only contain", None),
    ("named-tuple-default", r"Tensors are not supported as default NamedTuple fields", None),
)  # fmt: skip

COMPILE_KINDS: tuple[Entry, ...] = (*ATTRIBUTES, *NAMES, *TYPES, *CONTAINERS)
