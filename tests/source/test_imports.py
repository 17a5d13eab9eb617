import ast

import pytest

from tsrefactor.source.file import SourceFile
from tsrefactor.source.imports import Import, ImportTable, import_splices


def added(text, *needed, tmp_path):
    path = tmp_path / "m.py"
    path.write_bytes(text.encode())
    file = SourceFile.read(path)
    result = file.text
    for start, end, new in sorted(import_splices(file, needed), reverse=True):
        result = result[:start] + new + result[end:]
    ast.parse(result)
    return result


LIST, OPTIONAL, TORCH = Import("typing", "List"), Import("typing", "Optional"), Import("torch")
MATH = Import("math")

FUTURE = "from __future__ import annotations\n"
STANDARD = "import os\nfrom pathlib import Path\n\nimport torch\n"
SEVERAL = "from typing import (\n    List,\n)\n"
TRY = "try:\n    import torch\nexcept ImportError:\n    pass\n"


@pytest.mark.parametrize(
    ("before", "needed", "after"),
    [
        ("import torch\n", [LIST], "from typing import List\n\nimport torch\n"),
        ("import torch\n", [LIST, MATH], "import math\nfrom typing import List\n\nimport torch\n"),
        (STANDARD, [LIST], STANDARD.replace("\n\n", "\nfrom typing import List\n\n")),
        (STANDARD, [MATH], STANDARD.replace("import os", "import math\nimport os")),
        ("import torch\nimport os\n", [LIST], "import torch\nimport os\nfrom typing import List\n"),
        ("from unittest import mock\n", [LIST], "from typing import List\nfrom unittest import mock\n"),
        ("# licence\n\nimport torch\n", [LIST], "# licence\n\nfrom typing import List\n\nimport torch\n"),
        ('"""Doc."""\nimport torch\n', [LIST], '"""Doc."""\nfrom typing import List\n\nimport torch\n'),
        (FUTURE + "import torch\n", [LIST], FUTURE + "from typing import List\n\nimport torch\n"),
        (FUTURE + "\nimport torch\n", [LIST], FUTURE + "\nfrom typing import List\n\nimport torch\n"),
        ("import os\nimport torch\n", [LIST], "import os\nfrom typing import List\nimport torch\n"),
        ("from typing import List\n", [LIST], "from typing import List\n"),
        ("from typing import List  # t\n", [LIST, OPTIONAL], "from typing import List, Optional  # t\n"),
        (SEVERAL, [OPTIONAL], SEVERAL + "from typing import Optional\n"),
        ("from typing import List as L\n", [LIST], "from typing import List as L, List\n"),
        ('"""Doc."""\n\nx = 1\n', [TORCH], '"""Doc."""\n\nimport torch\n\nx = 1\n'),
        (FUTURE + "x = 1\n", [TORCH], FUTURE + "\nimport torch\n\nx = 1\n"),
        ("import torch.nn as nn\n", [TORCH], "import torch.nn as nn\nimport torch\n"),
        ("import torch.nn\n", [TORCH], "import torch.nn\n"),
        (TRY, [TORCH], "import torch\n\n" + TRY),
        ("#!/usr/bin/python\n# about x\nx = 1\n", [TORCH], "#!/usr/bin/python\nimport torch\n\n# about x\nx = 1\n"),
        ("import torch\r\nx = 1\r\n", [LIST], "from typing import List\r\n\r\nimport torch\r\nx = 1\r\n"),
        ("", [TORCH], "import torch\n"),
        ("import torch", [MATH], "import math\n\nimport torch"),
        ('"""Doc."""', [TORCH], '"""Doc."""\n\nimport torch\n'),
        ("from . import a\nimport torch\n", [LIST], "from typing import List\n\nfrom . import a\nimport torch\n"),
    ],
)  # fmt: skip
def test_adds_what_is_missing_once(before, needed, after, tmp_path):
    assert added(before, *needed, tmp_path=tmp_path) == after


@pytest.mark.parametrize(
    ("text", "origin", "spelling", "needed"),
    [
        ("import torch\n", "torch.jit.annotate", "torch.jit.annotate", []),
        ("import torch as th\n", "torch.Tensor", "th.Tensor", []),
        ("import torch as th\nimport torch\nimport torch as t\n", "torch.Tensor", "th.Tensor", []),
        ("from torch import Tensor\n", "torch.Tensor", "Tensor", []),
        ("import torch.nn.functional as F\n", "torch.nn.functional.linear", "F.linear", []),
        ("from torch import nn\n", "torch.nn.functional.linear", "nn.functional.linear", []),
        ("import typing as t\n", "typing.List", "t.List", []),
        ("import os\n", "typing.List", "List", [LIST]),
        ("class List: pass\n", "typing.List", "typing.List", [Import("typing")]),
        ("import torch.nn as nn\n", "torch.Tensor", "torch.Tensor", [TORCH]),
        ("if x:\n    import torch\n", "torch.Tensor", "torch.Tensor", [TORCH]),
    ],
)
def test_spells_a_name_as_the_file_does(text, origin, spelling, needed):
    assert ImportTable(ast.parse(text)).spell(origin) == (spelling, frozenset(needed))


def test_origins_follow_aliases():
    table = ImportTable(ast.parse("import torch.nn as nn\nfrom .a import b as c\nfrom x import *\n"))
    assert table.origin("nn.Module") == "torch.nn.Module"
    assert table.origin("c.d") == ".a.b.d"
    assert table.origin("other.d") == "other.d"
    assert table.stars == ["x"]
