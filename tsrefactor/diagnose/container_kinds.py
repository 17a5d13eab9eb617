"""What TorchScript's compiler says about lists, dicts, tuples, module containers and assignments to them."""

from __future__ import annotations

Entry = tuple[str, str, str | None]

CONTAINERS: tuple[Entry, ...] = (
    (
        "size-of-list",
        r"^cannot statically infer the expected size of a (?P<container>\w+)",
        "the number of elements to unpack is not known at compile time",
    ),
    (
        "integer-literal-index",
        r"^Expected integer literal for index",
        "indexes a module container with a value that is no integer literal",
    ),
    (
        "string-literal-index",
        r"^Unable to extract string literal index",
        "indexes a ModuleDict with a value that is no string literal",
    ),
    (
        "iterate-module",
        r"^Can not iterate over a module list or tuple with a value that does not have a statically "
        r"determinable length",
        "iterates a module container together with a value of unknown length",
    ),
    (
        "iterate-module",
        r"Only (?:constant )?(?:ModuleList|Sequential)[\w, ]*\s*(?:or\s+)?[\w ]*(?:can be used as|are "
        r"subscriptable|modules)",
        None,
    ),
    (
        "tuple-index",
        r"^Tuple index out of range\. Tuple is length (?P<length>\d+) and index is (?P<index>-?\d+)",
        "index {index} of a tuple of length {length}",
    ),
    (
        "tuple-index",
        r"^tuple (?:slice )?ind(?:ices|ex) must be (?:an integer|integer constants)|^Cannot index into a "
        r"(?P<type>.+?) with a non-integer literal|[Tt]uple slic",
        "indexes a tuple with a value that is no integer literal",
    ),
    (
        "unpack-count",
        r"^need (?P<expected>\d+) values? to unpack but found only (?P<found>\d+)|^too many values to "
        r"unpack: need (?P<expected_>\d+) but found (?P<found_>\d+)",
        None,
    ),
    ("unpack-value", r"^(?P<type>[^\n]+?) cannot be used as a tuple", "unpacks a value of type {type}"),
    ("unpack-value", r"^Provided (?:list|tuple|.*) is not fully defined", None),
    (
        "not-iterable",
        r"^(?:'(?P<type>[^']+)' object is not iterable|(?P<type_>[^\n]+?) cannot be used as an iterable)",
        "iterates a value of type {type}",
    ),
    (
        "not-subscriptable",
        r"^'(?P<type>[^']+)' object is not subscriptable|^(?P<type_>.+) (?:is not|does not support) "
        r"subscript",
        "indexes a value of type {type}",
    ),
    (
        "tensor-index",
        r"^Unsupported operation: (?:indexing tensor with unsupported index type '(?P<type>[^']+)'"
        r"|attempted to use multidimensional)|^Ellipses followed by tensor|^An index can only have a "
        r"single ellipsis|^Trying to process index type",
        None,
    ),
    (
        "builtin-arity",
        r"^(?P<function>\w+) expected (?:at (?:least|most)|exactly) \d+ arguments?,? (?:but found|got|and"
        r"|found)",
        "{function}() is called with a number of arguments it does not take",
    ),
    (
        "list-element",
        r"Could not infer type of list element|Expected a list element that subtypes|[Ll]ist (?:type "
        r"annotation|elements)|list literal|List of iterables",
        None,
    ),
    (
        "dict-element",
        r"Dicts may only contain homogeneous|Dict (?:keys|values|type annotation)|dict literal|Generated "
        r"(?:key|value) type",
        None,
    ),
    ("empty-container", r"Cannot assign an empty (?P<container>list|dict)|^Expected a type annotation of Dict", None),
    ("tensor-constructor", r"^Legacy Tensor Constructor", "uses a legacy tensor constructor"),
    ("tensor-constructor", r"Got multiple positional arguments that were not all integers", None),
    (
        "context-manager",
        r"^(?:With item expression must|Object returned by with item|__enter__ must|__exit__ must|.* of "
        r"__exit__ must)",
        "uses a context manager that TorchScript does not know",
    ),
    (
        "assignment-target",
        r"^lhs of assignment must be|unexpected expression on (?:the )?left-hand side|^Cannot pack a "
        r"tuple into|does not support subscripted assignment|left-hand side of augmented",
        None,
    ),
    ("in-place-operator", r"^Cannot emit inplace op on (?P<type>.+?) since", None),
    ("integer-range", r"^Integral constant out of range", None),
    (
        "method-without-self",
        r"^(?:methods must have a self argument|Non-static method does not have a self argument)",
        None,
    ),
    (
        "keyword-arguments",
        r"takes no keyword arguments|does not accept any keyword arguments|does not support kwargs yet"
        r"|^Got kwarg",
        None,
    ),
    ("class-inheritance", r"does not support class inheritance|Currently class bodies can only contain", None),
    ("named-tuple-default", r"Tensors are not supported as default NamedTuple fields", None),
)
