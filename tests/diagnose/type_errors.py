"""Modules that fail over types and calls. See test_diagnose_kinds.py for the form of a case."""

CASES = {
    "default": (
        "default-type",
        {"argument": "n", "expected": "Tensor"},
        None,
        """
        class M(nn.Module):
            def forward(self, x, n=3):  # here
                return x
        """,
    ),
    "mutable-default": (
        "mutable-default",
        {"argument": "n", "type": "list"},
        None,
        """
        class M(nn.Module):
            def forward(self, x, n: List[int] = []):  # here
                return x
        """,
    ),
    "argument": (
        "argument-type",
        {
            "callee": "helper",
            "argument": "n",
            "expected": "Tensor",
            "found": "int",
            "inferred": "yes",
            "signature": "helper(Tensor x, Tensor n) -> Tensor",
        },
        "helper",
        """
        def helper(x, n):
            return x
        class M(nn.Module):
            def forward(self, x):
                return helper(x, 3)  # here
        """,
    ),
    "argument-declared": (
        "argument-type",
        {"argument": "n", "expected": "float", "found": "int", "inferred": "no"},
        "helper",
        """
        def helper(x, n: float):
            return x
        class M(nn.Module):
            def forward(self, x):
                return helper(x, 3)  # here
        """,
    ),
    "argument-found-inferred": (
        "argument-type",
        {"expected": "str", "found": "Tensor", "inferred": "no", "found_inferred": "yes"},
        "helper",
        """
        def helper(n: str):
            return n
        class M(nn.Module):
            def forward(self, x):
                return helper(x)  # here
        """,
    ),
    "argument-empty-list": (
        "argument-type",
        {"expected": "List[int]", "found": "List[Tensor]", "empty_list": "yes"},
        "helper",
        """
        def helper(n: List[int]):
            return n
        class M(nn.Module):
            def forward(self, x):
                y = []
                return helper(y)  # here
        """,
    ),
    "argument-count": (
        "argument-count",
        {"expected": "1", "found": "2"},
        "helper",
        """
        def helper(n):
            return n
        class M(nn.Module):
            def forward(self, x):
                return helper(x, x)  # here
        """,
    ),
    "argument-missing": (
        "argument-missing",
        {"argument": "b"},
        "helper",
        """
        def helper(a, b):
            return a
        class M(nn.Module):
            def forward(self, x):
                return helper(x)  # here
        """,
    ),
    "argument-unknown": (
        "argument-unknown",
        {"argument": "c"},
        "helper",
        """
        def helper(a):
            return a
        class M(nn.Module):
            def forward(self, x):
                return helper(x, c=x)  # here
        """,
    ),
    "overloads": (
        "arguments-not-valid",
        {"callee": "aten::add.Tensor", "reason": "argument-type", "argument": "other", "found": "List[int]"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                return x + [1, 2]  # here
        """,
    ),
    "none-compare": (
        "none-compare",
        {"found": "NoneType"},
        "self.mode == 3",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.mode = None
            def forward(self, x):
                if self.mode == 3:  # here
                    return x
                return x + 1
        """,
    ),
    "none-bool": (
        "none-to-bool",
        {"type": "NoneType"},
        "self.act",
        """
        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.act = None
            def forward(self, x):
                if self.act:  # here
                    return x
                return x + 1
        """,
    ),
    "cast-bool": (
        "cast-to-bool",
        {"type": "Optional[int]"},
        "n",
        """
        class M(nn.Module):
            def forward(self, x, n: Optional[int] = None):
                if n:  # here
                    return x
                return x + 1
        """,
    ),
    "reassign": (
        "reassign-type",
        {"variable": "y", "expected": "NoneType", "found": "Tensor"},
        "y",
        """
        class M(nn.Module):
            def forward(self, x):
                y = None
                if bool(x.sum() > 0):
                    y = x  # here
                return y
        """,
    ),
    "annotated": (
        "annotated-type",
        {"variable": "y", "expected": "int", "found": "str"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                y: int = 'a'  # here
                return x
        """,
    ),
    "branch-type": (
        "branch-type",
        {"variable": "y", "true_type": "Tensor", "false_type": "int"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                if bool(x.sum() > 0):  # here
                    y = x
                else:
                    y = 3
                return y
        """,
    ),
    "ternary": (
        "branch-type",
        {"true_type": "Tensor", "false_type": "int"},
        "x if bool(x.sum() > 0) else 3",
        """
        class M(nn.Module):
            def forward(self, x):
                y = x if bool(x.sum() > 0) else 3  # here
                return y.x
        """,
    ),
    "mixed-return": (
        "mixed-return",
        {"expected": "Tensor", "found": "Tuple[Tensor, Tensor]"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                if bool(x.sum() > 0):
                    return x
                return x, x  # here
        """,
    ),
    "return": (
        "return-type",
        {"expected": "List[int]", "found": "Tensor"},
        None,
        """
        class M(nn.Module):
            def forward(self, x) -> List[int]:
                return x  # here
        """,
    ),
    "fall-through": (
        "missing-return",
        {},
        None,
        """
        class M(nn.Module):
            def forward(self, x) -> Tensor:  # here
                if bool(x.sum() > 0):
                    return x
        """,
    ),
    "range": (
        "range-argument",
        {"found": "Tensor", "argument": "0"},
        None,
        """
        class M(nn.Module):
            def forward(self, x):
                for i in range(x):  # here
                    x = x + 1
                return x
        """,
    ),
}
