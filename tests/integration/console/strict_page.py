"""Reads a page as strictly as no browser does."""

from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br", "img", "hr"}
FIELDS = {"input", "select", "textarea"}
OPTIONAL_LABEL = {"hidden", "submit"}


class PageError(AssertionError):
    """Something about a page is not right."""


class StrictPage(HTMLParser):
    """A page that is well-formed, and says to those who do not see it what it says to those who do."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[str] = []
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        if not text.startswith("<!doctype html>"):
            raise PageError("no doctype")
        self.feed(text)
        self.close()
        if self._open:
            raise PageError(f"never closed: {self._open}")
        self._judge()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if len(found) != len(attrs):
            raise PageError(f"an attribute of {tag} stands twice")
        for name in found:
            if name == "style" or name.startswith("on"):
                raise PageError(f"{tag} has {name}, which the policy forbids")
        if tag in {"script", "style"} and not found.get("src"):
            raise PageError(f"inline {tag}")
        if tag not in VOID:
            self._open.append(tag)
        if (identifier := found.get("id")) is not None:
            self.ids.append(identifier)
        if tag == "label" and found.get("for"):
            self.labels.add(str(found["for"]))
        if tag in FIELDS and found.get("type") not in OPTIONAL_LABEL:
            self.fields.append(found)
        self.tags.append((tag, found))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise PageError(f"<{tag}/> with {len(attrs)} attributes is no HTML")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            raise PageError(f"</{tag}> closes {self._open[-3:]}")
        self._open.pop()

    def _judge(self) -> None:
        if len(self.ids) != len(set(self.ids)):
            raise PageError(f"an id stands twice: {sorted(self.ids)}")
        html = next(attributes for tag, attributes in self.tags if tag == "html")
        if html.get("lang") not in {"vi", "en"}:
            raise PageError("the page does not say its language")
        for needed, count in (("title", 1), ("main", 1), ("h1", 1)):
            if self.count(needed) != count:
                raise PageError(f"{self.count(needed)} {needed}, expected {count}")
        for each in self.fields:
            if each.get("id") not in self.labels and not each.get("aria-label"):
                raise PageError(f"a field without a label: {each}")
        for tag, attributes in self.tags:
            _judge_tag(tag, attributes)
        if self.count("table") != self.count("caption"):
            raise PageError("a table without a caption")

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)

    def links(self) -> list[str]:
        return [str(each["href"]) for tag, each in self.tags if tag == "a" and each.get("href")]


def _judge_tag(tag: str, attributes: dict[str, str | None]) -> None:
    if tag == "img" and "alt" not in attributes:
        raise PageError("a picture without a word for it")
    if tag == "th" and attributes.get("scope") not in {"col", "row"}:
        raise PageError("a heading of a table without scope")
    for name in ("href", "src", "action", "hx-get", "hx-post"):
        value = attributes.get(name)
        if value is not None and not value.startswith(("/", "#")):
            raise PageError(f"{tag} leads to another site: {value}")
