"""Modules that fail over containers, in the parser, at run time, or inside TorchScript itself.

See test_diagnose_kinds.py for the form of a case.
"""

CASES = {
    "size": (
        "size-of-list",
        {"container": "list"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                y = x.view(*[1, 6][:1], 6)  # here
                return y
        """,
    ),
    "index": (
        "integer-literal-index",
        {},
        None,
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.l = nn.ModuleList([nn.Linear(3, 3)])
            def forward(self, x):
                for i in range(1):
                    x = self.l[i](x)  # here
                return x
        """,
    ),
    "dict-index": (
        "string-literal-index",
        {},
        None,
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.l = nn.ModuleDict({'a': nn.Linear(3, 3)})
            def forward(self, x):
                for k in ['a']:
                    x = self.l[k](x)  # here
                return x
        """,
    ),
    "zip": (
        "iterate-module",
        {},
        None,
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.l = nn.ModuleList([nn.Linear(3, 3)])
            def forward(self, x):
                for m, i in zip(self.l, x):  # here
                    x = m(x)
                return x
        """,
    ),
    "tuple-index": (
        "tuple-index",
        {"length": "2", "index": "3"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                y = (x, x)
                return y[3]  # here
        """,
    ),
    "tuple-variable": (
        "tuple-index",
        {},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                y = (x, 1)
                for i in range(2):
                    z = y[i]  # here
                return x
        """,
    ),
    "unpack": (
        "unpack-value",
        {"type": "Tensor"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                a, b = x  # here
                return a
        """,
    ),
    "list-mixed": (
        "list-element",
        {},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                y: List[int] = [x, 'a']  # here
                return x
        """,
    ),
    "tensor-index": (
        "tensor-index",
        {"type": "str"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                return x['a']  # here
        """,
    ),
    "context": (
        "context-manager",
        {},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                with x:  # here
                    return x
        """,
    ),
    "variable-arguments": (
        "variable-arguments",
        {},
        "*args",
        """
        class M(nn.Module):
            def forward(self, x, *args):  # here
                return x
        """,
    ),
    "keyword-arguments": (
        "variable-arguments",
        {},
        "*kw",
        """
        class M(nn.Module):
            def forward(self, x, **kw):  # here
                return x
        """,
    ),
    "keyword-only": (
        "variable-arguments",
        {},
        "3",
        """
        class M(nn.Module):
            def forward(self, x, *, k=3):  # here
                return x
        """,
    ),
    "def": (
        "function-definition",
        {},
        "def",
        """
        class M(nn.Module):
            def forward(self, x):
                def f(y):  # here
                    return y
                return f(x)
        """,
    ),
    "undefined-tensor": (
        "undefined-tensor",
        {"argument": "other"},
        "x + m",
        """
        class M(nn.Module):
            def forward(self, x, m=None):
                if m is not None:
                    x = x + m  # here
                return x
        """,
    ),
    "scalar": (
        "scalar-argument",
        {"problem": "of dimension other than 0"},
        "max",
        """
        class M(nn.Module):
            def forward(self, x):
                return max(x, 0)  # here
        """,
    ),
    "raise": (
        "python-exception",
        {"exception": "ValueError"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                if bool(x.sum() > 0):
                    raise ValueError('bad')  # here
                return x
        """,
    ),
    "shape": (
        "shape-mismatch",
        {},
        "torch.mm",
        """
        class M(nn.Module):
            def forward(self, x):
                return torch.mm(x, x)  # here
        """,
    ),
    "run-argument": (
        "argument-type",
        {"callee": "forward", "argument": "n", "expected": "Tensor", "found": "int", "inferred": "yes"},
        None,
        """
        class M(nn.Module):
            def forward(self, x, n):  # here
                return x
        INPUTS = (torch.ones(2), 3)
        """,
    ),
    "run-missing": (
        "argument-missing",
        {"callee": "forward", "argument": "n"},
        None,
        """
        class M(nn.Module):
            def forward(self, x, n: int):  # here
                return x
        """,
    ),
    "weight-norm": (
        "hook-object",
        {"hook": "WeightNorm", "owner_attribute": "c"},
        "nn.utils.weight_norm(nn.Linear(3, 3))",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.c = nn.utils.weight_norm(nn.Linear(3, 3))  # here
            def forward(self, x):
                return self.c(x)
        """,
    ),
    "no-forward": (
        "no-forward",
        {},
        None,
        """
        class M(nn.Module):
            def __call__(self, x):
                return x
        """,
    ),
    "spectral-norm": (
        "hook-object",
        {"hook": "SpectralNorm"},
        None,
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.c = nn.utils.spectral_norm(nn.Linear(3, 3))  # here
            def forward(self, x):
                return self.c(x)
        """,
    ),
    "property": (
        "property-raised",
        {"property": "dev", "exception": "StopIteration"},
        "next(self.parameters())",
        """
        class M(nn.Module):
            @property
            def dev(self):
                return next(self.parameters()).device  # here
            def forward(self, x):
                return x
        """,
    ),
    "module-annotation": (
        "unknown-type-name",
        {"name": "torch.nn.modules.linear.Linear", "attribute": "c"},
        None,
        """
        class M(nn.Module):
            c: nn.Linear
            def __init__(self):
                super().__init__()
                self.c = nn.Linear(3, 3)  # here
            def forward(self, x):
                return self.c(x)
        """,
    ),
    "uninitialized": (
        "uninitialized-module",
        {"owner_attribute": "c"},
        "nn.LazyLinear(3)",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.c = nn.LazyLinear(3)  # here
            def forward(self, x):
                return self.c(x)
        """,
    ),
    "no-source": (
        "missing-source",
        {},
        "helper",
        r"""
        exec('def helper(x):\n    return x')
        class M(nn.Module):
            def forward(self, x):
                return helper(x)  # here
        """,
    ),
}
