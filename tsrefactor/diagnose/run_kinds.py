"""What fails after compiling: at run time, at saving, while tracing, or inside TorchScript itself."""

from __future__ import annotations

Entry = tuple[str, str, str | None]

RUN_KINDS: tuple[Entry, ...] = (
    (
        "scalar-argument",
        r"Cannot input a tensor (?P<problem>that requires grad|of dimension other than 0|of type \w+) as "
        r"an? (?:scalar|integral|\w+) argument",
        "a tensor {problem} stands where a number is needed",
    ),
    ("scalar-argument", r"Cannot cast (?P<problem>.+) to (?:Tensor|number)", None),
    (
        "undefined-tensor",
        r"Expected a proper Tensor but got None \(or an undefined Tensor in C\+\+\) for argument #\d+ "
        r"'(?P<argument>\w+)'",
        "None (an undefined Tensor) reaches an operator's argument '{argument}'",
    ),
    (
        "undefined-tensor",
        r"(?P<operation>\w+)\(\) called on an undefined Tensor",
        "{operation}() called on an undefined Tensor",
    ),
    ("none-unwrap", r"Unwrapping null optional", "a value that was declared not to be None is None"),
    (
        "export-python-call",
        r"Could not export Python function call '(?P<function>[^']+)'",
        "cannot be saved: calls the Python function '{function}'",
    ),
    (
        "export-python-call",
        r"^Couldn't export Python (?:operator|method) (?P<function>\S+)",
        "cannot be saved: calls the Python function '{function}'",
    ),
    (
        "export-attribute",
        r"(?:Couldn't|Could not) (?:export|serialize|save|pickle)|Cannot serialize|couldn't find size for",
        None,
    ),
    ("list-size", r"Expected (?P<expected>\d+) elements in a list but found (?P<found>\d+)", None),
    (
        "in-place-on-leaf",
        r"view of a leaf Variable that requires grad|a leaf Variable that requires grad (?:is being|has "
        r"been) used in an in-place",
        None,
    ),
    (
        "trace-output",
        r"can be output from traced functions|of traced region cannot be understood by the tracer|didn't "
        r"return any values! Side-effects",
        None,
    ),
    (
        "trace-output",
        r"Encountering a (?P<container>list|dict) at the output of the tracer",
        "the trace returns a {container}; it may not change with the inputs",
    ),
    (
        "trace-input",
        r"Type '(?P<type>[^']*)' cannot be traced|Only tensors or \(possibly nested\) dict or tuples of "
        r"tensors can be inputs to traced|trace inputs must have",
        None,
    ),
    (
        "trace-value",
        r"Tracer cannot (?:infer type of|get value trace for type|set value trace for type)|Found an "
        r"unsupported argument type in the JIT tracer|Tried to trace .* but it is not part of the active "
        r"trace",
        None,
    ),
    ("trace-constant-grad", r"Cannot insert a Tensor that requires grad as a constant", None),
    ("trace-dependence", r"did not have observable data dependence with trace inputs", None),
    (
        "trace-shared-parameters",
        r"^TracedModules don't support parameter sharing",
        "modules share parameters, which a trace does not take",
    ),
    ("trace-check", r"Graphs differed across invocations|Tensor-valued Constant nodes differed", None),
    (
        "tensor-as-bool",
        r"cond must be a bool, but got a Tensor|Boolean value of Tensor with more than one value",
        None,
    ),
    ("out-of-memory", r"can't allocate memory|out of memory", "out of memory"),
    (
        "shape-mismatch",
        r"shapes? cannot be multiplied|is invalid for input of size|[Ss]izes of tensors must match|The "
        r"size of tensor a|must match the (?:existing )?size|to have \d+ channels|expected weight to be"
        r"|could not be broadcast|Expected size for first two dimensions|mat1 and mat2|size mismatch"
        r"|normalized_shape|Calculated padded input size|Expected \d+D|must be a matrix",
        None,
    ),
    (
        "dtype-mismatch",
        r"expected (?:m1 and m2|scalar type|.* to have the same dtype)|should be the same|Expected tensor "
        r"for argument .* to have .*scalar type|result type \w+ can't be cast",
        None,
    ),
    (
        "index-out-of-range",
        r"[Ii]ndex (?:-?\d+ )?(?:is )?out of (?:range|bounds)|list index out of range|Dimension out of "
        r"range",
        None,
    ),
)

# Python and C++ errors that carry no location of their own.
ENGINE_KINDS: tuple[Entry, ...] = (
    (
        "no-forward",
        r"'RecursiveScriptModule' object has no attribute 'forward'",
        "the module has no forward that could be compiled",
    ),
    (
        "hook-object",
        r"'(?P<hook>\w+)' object has no attribute '__name__'",
        "its hook object {hook} cannot be scripted",
    ),
    ("hook-object", r"(?:Hook|Pre-hook) '(?P<hook>\w+)' on (?P<module>\w+) has at least two different", None),
    (
        "weak-reference",
        r"cannot create weak reference to '(?P<type>[^']+)' object",
        "refers to an object of type {type} that TorchScript cannot hold",
    ),
    (
        "constant-value",
        r"^Unsupported value kind: (?P<type>\w+)",
        "a default or constant of type {type} cannot be compiled in",
    ),
    (
        "constant-value",
        r"'(?P<type>[^']+)' object in attribute '(?P<attribute>[^']+)' is not a valid constant",
        "the constant '{attribute}' has a type that TorchScript does not take",
    ),
    (
        "constant-value",
        r"Cannot insert a Tensor.*as a constant|failed to infer type of constant|to infer the type of "
        r"constant",
        None,
    ),
    (
        "attribute-inference",
        r"^Error inferring type for (?P<attribute>\w+): .*: (?P<reason>.+)$",
        "attribute '{attribute}': {reason}",
    ),
    (
        "module-annotation",
        r"^Expected inferred type to be interface type for '(?P<attribute>\w+)'",
        "submodule '{attribute}' is annotated with a type that is no module interface",
    ),
    (
        "missing-source",
        r"^Can't get source for (?P<object>[^\n]+?)\. TorchScript|^could not get source code|source code "
        r"not available",
        "has no source that TorchScript can read",
    ),
    (
        "missing-source",
        r"is a built-in (?:class|function)|module, class, method, function, traceback, frame, or code "
        r"object was expected",
        None,
    ),
    (
        "overload-annotations",
        r"^Must explicitly add type annotations to overloaded functions: (?P<function>\S+)",
        "the overloaded function {function} lacks annotations",
    ),
    (
        "overload-annotations",
        r"[Oo]verload.*(?:no implementation|implementation function|same number of parameters|same names)",
        None,
    ),
    (
        "uninitialized-module",
        r"has uninitialized (?:parameters|buffers)|has not been initialized|Uninitialized",
        None,
    ),
    (
        "not-a-function",
        r"^`(?P<object>[^`]+)` is not a function\. Recursive scripting",
        "calls an object that is no Python function",
    ),
    ("module-type", r"cannot be compiled since it inherits from nn\.Module", None),
    (
        "redefinition",
        r"Can't redefine (?P<what>\w+)|method '(?P<method>[^']+)' already defined|because a method or "
        r"hook with that name already exists",
        None,
    ),
    (
        "callable-signature",
        r"arg_types\.size\(\) == param_names\.size\(\)",
        "calls a Python callable whose signature TorchScript cannot read",
    ),
    (
        "internal-assert",
        r"^(?P<condition>.+?) INTERNAL ASSERT FAILED at \"(?P<file>[^\"]+)\":\d+",
        "TorchScript failed an assertion of its own: {condition}",
    ),
    ("recursion-limit", r"maximum recursion depth exceeded", None),
    (
        "eager-call",
        r"^(?P<function>\w+)\(\)(?: received an invalid combination of arguments|: argument '(?P<argument>\w+)')",
        "{function}() refuses its arguments while Python runs the code",
    ),
    ("tensor-as-number", r"^type Tensor doesn't define (?P<function>\w+) method|iteration over a 0-d tensor", None),
    (
        "python-attribute",
        r"^(?:type object )?'(?P<type>[\w.]+)' (?:object )?has no attribute '(?P<attribute>\w+)'",
        None,
    ),
)
