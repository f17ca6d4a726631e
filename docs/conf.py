"""How the documentation site is built: python -m sphinx -W --keep-going -b html docs out/site."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
os.environ["RHEOBASE_PROGRESS"] = "plain"

import api_pages  # noqa: E402  (the folder has to be on the path first)
import pictures  # noqa: E402

project = "rheobase"
author = "the rheobase developers"
copyright = "2026, the rheobase developers"  # noqa: A001 (Sphinx's name)
version = release = installed_version("rheobase")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "docstrings",
    "mathml",
    "made_pages",
]
exclude_patterns = ["README.md", "_ext/**", "images/**", "made/*.md", "tutorials/**"]
templates_path = ["_templates"]

myst_enable_extensions = [
    "amsmath",
    "colon_fence",
    "deflist",
    "attrs_block",
    "dollarmath",
    "fieldlist",
]
myst_heading_anchors = 4

# formulas without script, font or network
html_math_renderer = "mathml"

autosummary_generate = True
autosummary_imported_members = False
autosummary_context = {"names_of": api_pages.names_of}
autodoc_default_options = {"members": True, "member-order": "bysource", "ignore-module-all": True}
autodoc_preserve_defaults = False
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature has the types
python_maximum_signature_line_length = 88

html_theme = "pydata_sphinx_theme"
html_title = "rheobase"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_align": "left",
    "show_prev_next": True,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {
    "index": [],
    "start": [],
    "made/api/**": [],
}  # that of 480 modules costs a second a page
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "tutorials",
    "gallery_dirs": "made/tutorials",
    "filename_pattern": r"/tutorials/",
    "ignore_pattern": r"/_",
    "within_subsection_order": "ExampleTitleSortKey",
    "image_scrapers": ("matplotlib", pictures.scrape),
    "abort_on_example_error": False,  # all errors are told, and fail the build at its end
    "capture_repr": (),
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 0,
    "remove_config_comments": True,
    "plot_gallery": True,
    "nested_sections": False,
}
suppress_warnings = [
    "config.cache",  # the scraper above is a function, which no pickle holds
    "ref.python",  # a short name that several modules have (`Layer`, `Scene`): the page tells which
]
