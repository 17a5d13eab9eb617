from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tsrefactor.commands.resume import patched
from tsrefactor.source.diff import unified
from tsrefactor.source.file import SourceFile

LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "--- d\n", "\n", "ä\n"]), max_size=12)
TEXTS = st.builds(lambda lines, end: "".join(lines) + end, LINES, st.sampled_from(["", "end", "\\ no"]))


@given(old=TEXTS, new=TEXTS)
def test_a_diff_is_made_and_taken_back(old, new):
    source = SourceFile(Path("/f.py"), old)
    diff = unified(source, new, "f.py")
    assert patched(old.encode(), diff) == new.encode()
    assert patched(new.encode(), diff, backwards=True) == old.encode()


@given(old=TEXTS, new=TEXTS)
def test_a_diff_does_not_fit_another_text(old, new):
    diff = unified(SourceFile(Path("/f.py"), old), new, "f.py")
    if diff:
        assert patched(b"".join(b"other " + line for line in old.encode().splitlines(True)) or b"x", diff) is None or (
            b"@@ -0,0 " in diff
        )
