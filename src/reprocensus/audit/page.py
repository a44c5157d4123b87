"""An audit as one HTML file that needs nothing else."""

from importlib.resources import files

from reprocensus.audit.audit import Audit
from reprocensus.audit.measures import calibration_error


def audit_page(found: Audit) -> str:
    """The page. Everything that came from a paper or a label file is escaped."""
    from jinja2 import Environment, StrictUndefined

    source = files("reprocensus.audit").joinpath("report.html.j2").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["share"] = _share
    environment.globals["calibration_error"] = calibration_error
    return environment.from_string(source).render(audit=found)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
