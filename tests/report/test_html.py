import re
from html.parser import HTMLParser

from tests.report.samples import report
from tsrefactor.report.html import to_html
from tsrefactor.report.model import CaseReport, RunReport
from tsrefactor.vocabulary import Status, Target

VOID = {"meta", "input", "th", "br"}


class Outline(HTMLParser):
    """Collects tags and text, and checks that what is opened is closed."""

    def __init__(self, page: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_whole_page_that_needs_nothing_else():
    page = to_html(report())
    outline = Outline(page)
    assert outline.open == []
    assert not [attrs for _, attrs in outline.tags if "src" in attrs or "href" in attrs]
    assert not re.search(r"https?://|@import|url\(", page)
    assert "$" not in re.sub(r"(?s)<script>.*</script>", "", page)


def test_every_case_with_its_details():
    outline = Outline(to_html(report()))
    text = " ".join("".join(outline.text).split())
    rows = [attrs["class"] for tag, attrs in outline.tags if tag == "tr" and "class" in attrs]
    assert rows == ["already", "migrated", "partial", "failed", "error"]
    for told in (
        "5 cases, target script, torch 2.13.0",
        "U-Net [deep] & <wide>",
        "script before: compile-error on input 1 models/deep/net.py:1234",
        "but got <'int'> & more",
        "annotate-types models/unet.py:12 verified",
        "super-call models/unet.py:40 not verified the scripted path has no custom gradient",
        "raises under script: models/exit.py:19",
        "build raised ValueError",
        "eager results differ",
        "1 partial",
    ):
        assert told in text


def test_the_diff_is_coloured_line_by_line():
    page = to_html(report())
    assert '<span class="added">+x: List[int] = []</span>' in page
    assert '<span class="removed">--- x &lt; 1</span>' in page, "in a hunk three dashes are a removed line"
    assert '<span class="head">--- a/models/unet.py</span>' in page


def test_nothing_a_model_says_becomes_markup():
    evil = '</pre><script>alert("1")</script>'
    case = CaseReport(evil, Status.ERROR, error=evil, notes=[evil])
    page = to_html(RunReport(evil, Target.SCRIPT, [case], {evil: f"@@ -1 +1 @@\n+{evil}\n"}, interrupted=True))
    assert "<script>alert" not in page
    assert "was interrupted" in page
    assert Outline(page).open == []
