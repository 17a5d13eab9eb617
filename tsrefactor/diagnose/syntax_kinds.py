"""What TorchScript's front end refuses before it knows any type."""

from __future__ import annotations

# Pattern → the construct's name for rule authors; None: the node's class name, from the first group.
CONSTRUCTS: tuple[tuple[str, str | None], ...] = (
    (r"^try blocks aren't supported", "try"),
    (r"^Lambda aren't supported", "lambda"),
    (r"^NamedExpr aren't supported", "walrus"),
    (r"^SetComp aren't supported", "set-comprehension"),
    (r"^YieldFrom aren't supported|^Yield aren't supported", "yield"),
    (r"^Set aren't supported", "set"),
    (r"^import statements aren't supported", "import"),
    (r"^class definitions aren't supported", "class"),
    (r"^global variables aren't supported", "global"),
    (r"^nonlocal variables aren't supported", "nonlocal"),
    (r"^annotated assignments without assigned value", "annotation-only"),
    (r"^async [\w ]+ aren't supported|^Await aren't supported", "async"),
    (r"^TryStar aren't supported", "try"),
    (r"^del statements", "del"),
    (r"^else branches of for loops", "for-else"),
    (r"^else branches of while loops", "while-else"),
    # NotSupportedError(None, …) of a while-else cannot make its own report
    (r"incompatible constructor arguments[^$]*ErrorReport\(arg0", "while-else"),
    (r"^Comprehension ifs", "comprehension-if"),
    (r"^Only a single generator", "nested-comprehension"),
    (r"expected a single list comprehension within", "nested-comprehension"),
    (r"^Dict expansion", "dict-expansion"),
    (r"^keyword-arg expansion", "keyword-expansion"),
    (r"^Don't support (?:conversion|formatting) in JoinedStr|^Unsupported value in JoinedStr", "f-string"),
    (r"^slicing multiple dimensions with", "tuple-slice"),
    (
        r"^unsupported (?:binary|unary|boolean|comparison) operator|^unsupported kind of augmented assignment",
        "operator",
    ),
    (r"^print statements with non-default|^print doesn't accept any keyword", "print"),
    (r"^names of variables used in JIT-ed functions", "reserved-name"),
    (r"^Unknown Constant expression type|^Name constant value unsupported", "constant"),
    (r"^'NoneType' object has no attribute 'lineno'", "raise"),  # `raise` alone
    (r"^exceptions must derive from BaseException|^Expected a class or exception", "raise"),
    (r"[Ss]tarred expression", "star"),
    (r"^Annotated multiple assignment", "annotated-tuple-assignment"),
    (r"^Type annotations on instance attributes must be declared in", "attribute-annotation"),
    (r"we do not support break or continue inside the body of these loops", "break-in-unrolled-loop"),
    (r"^SyntaxError: '(?:break|continue)' outside loop", "break-in-unrolled-loop"),
    (r"^Class does not define __delitem__", "del"),
    (r"augmented assignment can only have one LHS|does not support augmented assignment", "augmented-assignment"),
    (r"^(?!function definitions)(\w+)(?: [\w ]+)? aren't supported", None),
)

# Kind, pattern, message (None: the head's first line).
SYNTAX_KINDS: tuple[tuple[str, str, str | None], ...] = (
    (
        "variable-arguments",
        r"^Compiled functions can't take variable number of arguments",
        "takes *args, **kwargs or keyword-only arguments with defaults",
    ),
    ("function-definition", r"^function definitions aren't supported", "defines a function inside a function"),
    (
        "lambda-function",
        r"^Expected a single top-level function(?:: (?P<defined_at>.+:\d+))?",
        "calls a lambda (its source is no single function)",
    ),
    ("cannot-instantiate-class", r"^Cannot instantiate class '(?P<class_>\w+)'", "creates an instance of {class}"),
    (
        "cannot-instantiate-class",
        r"^Class (?P<class_>\w+) does not have an __init__ function defined",
        "creates an instance of {class}",
    ),
    (
        "type-comment",
        r"Return type line '# type|Syntax error in type annotation|The annotation prefix in line|Failed "
        r"to parse the (?:argument list|return type)|Type annotation should not contain calls",
        None,
    ),
    ("source-unparsable", r"^(?:invalid syntax|unindent does not match|unexpected indent|unterminated)", None),
)
