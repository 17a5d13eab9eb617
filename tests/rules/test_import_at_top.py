"""import-at-top: which imports move, and which only go."""

import pytest

from tests.rules.texts import diagnosis, findings, source
from tsrefactor.rules.import_at_top import ImportAtTop

TOP = "import torch\nimport numpy as np\nfrom . import parts\nlog = print\n\n\nclass Model(torch.nn.Module):\n"


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ("import math", {"import math"}),
        ("import os.path", {"import os.path"}),
        ("from math import sqrt, pi", {"from math import pi", "from math import sqrt"}),
        ("import torch", set()),
        ("import numpy as np", set()),
        ("from . import parts", set()),
        ("import numpy", None),
        ("import math as m", None),
        ("from math import log", None),
        ("from math import *", None),
        ("from . import others", None),
        ("import math\n        math = 1", None),
        ("import math, numpy", None),
    ],
)
def test_imports(statement, wanted, tmp_path):
    file = source(tmp_path / "model.py", f"{TOP}    def forward(self, x):\n        {statement}\n        return x\n")
    told = diagnosis(file, "unsupported-syntax", f"    {statement}", construct="import")
    [finding] = findings(ImportAtTop(), file, told)
    assert (set(map(str, finding.imports)) if finding.fixable else None) == wanted


def test_an_import_that_is_all_of_its_block_stays(tmp_path):
    text = f"{TOP}    def forward(self, x):\n        if x is None:\n            import math\n        return x\n"
    file = source(tmp_path / "model.py", text)
    [finding] = findings(ImportAtTop(), file, diagnosis(file, "unsupported-syntax", "import math", construct="import"))
    assert not finding.fixable and finding.message.endswith("nothing else is in its block")
