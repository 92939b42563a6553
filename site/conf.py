"""How Sphinx sets the website; site/build.py gathers its sources and calls it."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import paperlib  # noqa: E402

project = "Two pose papers"
author = "The paperlib authors"
version = release = paperlib.__version__
language = "en"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
extensions += ["sphinx.ext.githubpages", "sphinx_copybutton", "prose"]

nb_execution_mode = "off"  # the executed copies, as they are
nb_merge_streams = True
nb_render_markdown_format = "myst"  # a notebook shows its tables as Markdown; commonmark has none
nb_mime_priority_overrides = [("html", "text/markdown", 5)]
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
default_role = "literal"
autodoc_typehints = "signature"
autodoc_inherit_docstrings = False
autodoc_preserve_defaults = True
add_module_names = False
viewcode_line_numbers = True
viewcode_follow_imported_members = False
html_domain_indices = False

html_theme = "furo"
html_title = "Two pose papers"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"top_of_page_buttons": []}
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
pygments_style, pygments_dark_style = "friendly", "monokai"
