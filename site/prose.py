"""A Sphinx extension: docstrings as prose, citations as links, formulas as MathML.

* Docstrings are plain English with `names` between single backticks. They are no reStructuredText,
  and are made so here.
* "FACTS A.3" anywhere links to that section of the fact sheet, "R-c1" to the claim, and "H-fig2"
  to the gallery.
* Formulas are set by the browser itself: no script, and nothing from another server.
"""

import re

from docutils import nodes
from generate.committed import slug
from latex2mathml.converter import convert
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

SECTION = r"(?:0|[A-I])(?:\.\d+)?"
CITED = re.compile(
    rf"FACTS\s+{SECTION}(?:(?:-|,\s+|\s+and\s+)[A-I]\.\d+\b)*|\b[RH]-(?:c|fig|tab)\d+\b"
)
ONE = re.compile(rf"FACTS\s+{SECTION}|[A-I]\.\d+|[RH]-(?:c|fig|tab)\d+")
NOT_IN = (nodes.reference, addnodes.pending_xref, nodes.title, nodes.literal_block, nodes.raw)


def target_of(citation: str) -> str:
    """The anchor of "FACTS A.3", "A.3", "FACTS 0.4" (an item of section 0) or "R-c1"."""
    if citation[1] == "-":
        return slug(citation)
    section = citation.removeprefix("FACTS").strip()
    return f"facts-{slug('0' if section.startswith('0') else section)}"


class Citations(SphinxTransform):
    """Every citation that stands in running text becomes a link."""

    default_priority = 390

    def apply(self, **_) -> None:
        for raw in list(self.document.findall(nodes.raw)):
            if raw.get("format") == "html":
                raw[:] = [nodes.Text(in_html(raw.astext(), self.env.docname))]
        for text in list(self.document.findall(nodes.Text)):
            if any(isinstance(node, NOT_IN) for node in ancestors(text)):
                continue
            parts = self.linked(str(text))
            if len(parts) > 1 or not isinstance(parts[0], nodes.Text):
                text.parent.replace(text, parts)

    def linked(self, text: str) -> list[nodes.Node]:
        parts, at = [], 0
        for cited in CITED.finditer(text):
            for one in ONE.finditer(text, cited.start(), cited.end()):
                parts += [nodes.Text(text[at : one.start()])] if one.start() > at else []
                parts.append(self.link(one[0]))
                at = one.end()
        return [*parts, nodes.Text(text[at:])] if at < len(text) or not parts else parts

    def link(self, citation: str) -> addnodes.pending_xref:
        link = addnodes.pending_xref(
            "",
            nodes.inline("", " ".join(citation.split())),
            refdomain="std",
            reftype="ref",
            reftarget=target_of(citation),
            refexplicit=True,
            refwarn=True,
            refdoc=self.env.docname,
        )
        return link


def in_html(text: str, page: str) -> str:
    """The same in a table or another piece of HTML on `page`: links in its words, not in its tags,
    its scripts, its links or its code."""
    parts, closed, kept = re.split(r"(<[^>]*>)", text), "", []
    for part in parts:
        if tag := re.match(r"<(/?)(a|style|script|code|pre|svg)\b", part):
            closed = "" if tag[1] else closed or tag[2]
        words = not closed and not part.startswith("<")
        kept.append(CITED.sub(lambda cited: anchors(cited[0], page), part) if words else part)
    return "".join(kept)


def anchors(citation: str, page: str) -> str:
    """Each section, claim or figure that a citation names, as an HTML link from `page`."""

    def anchor(one: re.Match) -> str:
        target = target_of(one[0])
        home = "facts" if target.startswith("facts") else "claims" if "-c" in target else "gallery"
        return f'<a href="{"../" * page.count("/")}{home}.html#{target}">{one[0]}</a>'

    return ONE.sub(anchor, citation)


def ancestors(node: nodes.Node):
    while node.parent is not None:
        node = node.parent
        yield node


def as_rst(app, what, name, thing, options, lines: list[str]) -> None:
    """A docstring's paragraphs as reStructuredText; one with indented lines keeps its lines."""
    paragraphs = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    made = []
    for paragraph in paragraphs:
        rows = paragraph.split("\n")
        deep = any(row.startswith(" ") for row in rows)
        listed = deep or all(row.startswith("* ") for row in rows)
        made += [f"| {quoted(row)}" if listed else quoted(row) for row in rows if row.strip()]
        made.append("")
    lines[:] = made


def quoted(row: str) -> str:
    """One line, with code between double backticks and every other mark meaning itself. Indented
    lines keep their indentation."""
    depth = len(row) - len(row.lstrip())
    parts = re.split(r"`([^`]+)`", row.strip())
    words = [
        f"\\ ``{part}``\\ " if number % 2 else re.sub(r"([\\*`|_])", r"\\\1", part)
        for number, part in enumerate(parts)
    ]
    return " " * depth + "".join(words)


def inline_math(translator, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def displayed_math(translator, node: nodes.math_block) -> None:
    formula = convert(node.astext().strip(), display="block")
    translator.body.append(
        f'<div class="math" role="region" tabindex="0" aria-label="formula">{formula}</div>\n'
    )
    raise nodes.SkipNode


def setup(app) -> dict:
    app.add_transform(Citations)
    app.connect("autodoc-process-docstring", as_rst)
    app.add_html_math_renderer("mathml", (inline_math, None), (displayed_math, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
