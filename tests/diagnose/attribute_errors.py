"""Modules that fail over attributes and names. See test_diagnose_kinds.py for the form of a case."""

CASES = {
    "missing-attribute": (
        "missing-attribute",
        {"module": "M", "attribute": "proj"},
        "self.proj",
        """
        class M(nn.Module):
            def forward(self, x):
                return self.proj(x)  # here
        """,
    ),
    "missing-on-child": (
        "missing-attribute",
        {"module": "Linear", "attribute": "nope"},
        "self.fc.nope",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(3, 3)
            def forward(self, x):
                return self.fc.nope  # here
        """,
    ),
    "unconvertible-dict": (
        "unconvertible-attribute",
        {"attribute": "d", "type": "dict"},
        "self.d",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.d = {}
            def forward(self, x):
                return len(self.d)  # here
        """,
    ),
    "unconvertible-list": (
        "unconvertible-attribute",
        {"attribute": "d", "type": "list"},
        "self.d",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.d = []
            def forward(self, x):
                return len(self.d)  # here
        """,
    ),
    "unconvertible-partial": (
        "unconvertible-attribute",
        {"attribute": "f", "type": "functools.partial"},
        "self.f",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.f = functools.partial(F.relu)
            def forward(self, x):
                return self.f(x)  # here
        """,
    ),
    "wrapped": (
        "no-attribute-on-type",
        {"attribute": "nope", "via_module": "M", "via_attribute": "f"},
        "x.nope",
        """
        def helper(x):
            return x.nope  # here
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.f = helper
            def forward(self, x):
                return self.f(x)
        """,
    ),
    "lambda-attribute": (
        "lambda-function",
        {"via_attribute": "f"},
        "self.f",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.f = lambda x: x
            def forward(self, x):
                return self.f(x)  # here
        """,
    ),
    "no-attribute": (
        "no-attribute-on-type",
        {"type": "Tensor", "attribute": "nope"},
        "x.nope",
        """
        class M(nn.Module):
            def forward(self, x):
                return x.nope()  # here
        """,
    ),
    "super": (
        "no-attribute-on-type",
        {"type": "Tensor", "attribute": "forward"},
        None,
        """
        class P(nn.Module):
            def forward(self, x):
                return x
        class M(P):
            def forward(self, x):
                return super().forward(x)  # here
        """,
    ),
    "optional": (
        "optional-refinement",
        {"type": "Optional[Tensor]", "attribute": "shape"},
        "m.shape",
        """
        class M(nn.Module):
            def forward(self, x, m: Optional[Tensor] = None):
                return m.shape[0]  # here
        """,
    ),
    "attribute-type": (
        "attribute-type",
        {"expected": "int", "found": "Tensor"},
        None,
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.n = 0
            def forward(self, x):
                self.n = x  # here
                return x
        """,
    ),
    "new-attribute": (
        "new-attribute",
        {"attribute": "last"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                self.last = x  # here
                return x
        """,
    ),
    "set-on-tensor": (
        "set-attribute-on-value",
        {"attribute": "tag", "type": "Tensor"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                x.tag = 1  # here
                return x
        """,
    ),
    "getattr": (
        "getattr-name",
        {},
        None,
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.a1 = nn.Linear(3, 3)
            def forward(self, x):
                for i in range(1, 2):
                    x = getattr(self, 'a%d' % i)(x)  # here
                return x
        """,
    ),
    "module-attribute": (
        "missing-python-attribute",
        {"attribute": "nope"},
        "math.nope",
        """
        class M(nn.Module):
            def forward(self, x):
                return x * math.nope  # here
        """,
    ),
    "branch": (
        "not-defined-in-branch",
        {"variable": "y", "branch": "false", "used_line": "14"},
        "if bool(x.sum() > 0):  # here",
        """
        class M(nn.Module):
            def forward(self, x):
                if bool(x.sum() > 0):  # here
                    y = x

                return y
        """,
    ),
    "undefined": (
        "undefined-value",
        {"name": "nope"},
        "nope",
        """
        class M(nn.Module):
            def forward(self, x):
                return nope(x)  # here
        """,
    ),
    "type-name": (
        "unknown-type-name",
        {"name": "Callable"},
        None,
        """
        class M(nn.Module):
            def forward(self, x, f: 'Callable' = None):  # here
                return x
        """,
    ),
    "type-constructor": (
        "unknown-type-name",
        {"name": "Sequence"},
        "Sequence[int]",
        """
        class M(nn.Module):
            def forward(self, x, n: Sequence[int] = ()):  # here
                return x
        """,
    ),
    "recursion": (
        "recursion",
        {"function": "forward"},
        "self.forward",
        """
        class M(nn.Module):
            def forward(self, x):
                return self.forward(x)  # here
        """,
    ),
    "builtin-op": (
        "unknown-builtin-op",
        {"operation": "aten::is_tensor"},
        "torch.is_tensor",
        """
        class M(nn.Module):
            def forward(self, x):
                return torch.is_tensor(x)  # here
        """,
    ),
    "python-builtin": (
        "python-builtin",
        {"function": "open"},
        "open",
        """
        class M(nn.Module):
            def forward(self, x):
                f = open('a')  # here
                return x
        """,
    ),
    "numpy": (
        "weak-reference",
        {"type": "numpy.ufunc"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                return x * np.sqrt(2)
        """,
    ),
    "super-of-class": (
        "python-type-as-value",
        {},
        "M",
        """
        class P(nn.Module):
            def forward(self, x):
                return x
        class M(P):
            def forward(self, x):
                return super(M, self).forward(x)  # here
        """,
    ),
    "parent-forward": (
        "attribute-on-python-value",
        {"type": "type"},
        "P.forward",
        """
        class P(nn.Module):
            def forward(self, x):
                return x
        class M(P):
            def forward(self, x):
                return P.forward(self, x)  # here
        """,
    ),
    "global-number": (
        "python-value-as-value",
        {"type": "int"},
        "SCALE",
        """
        SCALE = 3
        class M(nn.Module):
            def forward(self, x):
                return x * SCALE  # here
        """,
    ),
    "not-callable": (
        "not-callable",
        {"type": "Tensor"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                return x(1)  # here
        """,
    ),
    "instantiate": (
        "cannot-instantiate-class",
        {"class": "ReLU"},
        "nn.ReLU",
        """
        class M(nn.Module):
            def forward(self, x):
                return nn.ReLU()(x)  # here
        """,
    ),
}
