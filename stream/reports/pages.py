"""Report pages: one file that runs no script and loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_SHARED: Final = Path(__file__).parent


def render(template: Path, **values: object) -> str:
    """Fill a report's template; what stands in its values is escaped.

    The template extends ``frame.html`` of this package, which brings the head, the content security
    policy and the style sheet. ``drawn.html`` has what is drawn in several reports.

    Args:
        template: path of the report's own template.
        values: by the names that the template uses.

    Raises:
        jinja2.UndefinedError: the template uses a name that is not among the values.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(template.name).render(values) + "\n"
