"""The files of `infra/` say what Prefect and reprocensus know; `make check` validates them by schema."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.settings import Settings as PrefectSettings
from prefect.settings.legacy import _get_settings_fields

from conftest import ROOT
from reprocensus.errors import UsageError
from reprocensus.settings import Settings
from reprocensus_flows.automations import automations
from reprocensus_flows.deploy import deployments
from reprocensus_flows.night import Automations, Deployment, read_deployment

INFRA = ROOT / "infra"
MANIFESTS = sorted([INFRA / "compose.yaml", *(INFRA / "kubernetes").glob("*.yaml")])
SETTING = re.compile(r"^(PREFECT|REPROCENSUS)_[A-Z0-9_]+$")


def words(node: Any) -> Iterator[str]:
    """Every key, and every value of a key `name`, anywhere in a YAML document."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            if key == "name":
                yield str(value)
            yield from words(value)
    elif isinstance(node, list):
        for item in node:
            yield from words(item)


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.name)
def test_every_setting_exists(path: Path) -> None:
    known = set(_get_settings_fields(PrefectSettings))
    known |= {f"REPROCENSUS_{name.upper()}" for name in Settings.model_fields}
    # prefect-redis has settings of its own.
    known |= {"PREFECT_REDIS_MESSAGING_URL"}
    named = {word for document in documents(path) for word in words(document) if SETTING.match(word)}
    assert named <= known


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.name)
def test_images_are_pinned_and_nothing_is_secret_by_default(path: Path) -> None:
    text = path.read_text("utf-8")
    for image in re.findall(r"^\s*image: (\S+)", text, flags=re.M):
        assert re.search(r":[^:]*\d+\.?\d*", image), f"{image} is not pinned"
    for secret in re.findall(r"(?:PASSWORD|SECRET|AUTH_STRING|_KEY): +(\S+)", text):
        assert secret.strip('"').startswith(("${", "change-me", "admin:change-me", "{"))


def test_the_example_deploys_what_is_documented() -> None:
    deployment = read_deployment(INFRA / "nightly.toml")
    made = {each.flow_name: each for each in deployments(deployment)}
    assert set(made) == {"nightly", "part", "reprocess", "backfill", "maintain"}
    (schedule,) = made["nightly"].schedules or []
    assert (schedule.schedule.cron, schedule.schedule.timezone) == ("30 2 * * *", "Europe/Berlin")  # type: ignore[union-attr]
    form = made["reprocess"]._parameter_openapi_schema.model_dump()["properties"]
    wanted = ("venue", "years", "variables", "engine", "model", "prompt_version", "only_failed", "dry_run")
    for name in wanted:
        assert len(form[name]["description"]) > 10, f"{name} has no help"
    chapter = (ROOT / "docs" / "operators.md").read_text("utf-8")
    assert all(f"`{name}`" in chapter for name in made)
    assert len(automations(Automations(), "p")) == 2


def test_a_wrong_deployment_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "d.toml"
    good = tomllib.loads((INFRA / "nightly.toml").read_text("utf-8"))
    assert Deployment.model_validate(good)
    for line, word in [
        ("timezone = 'Mars/Base'", "Mars/Base"),
        ("cron = 'every day'", "cron"),
        ("pool = 'No Spaces'", "pool"),
    ]:
        file.write_text(f"{line}\n[night]\nsources = ['icml/2016']\nstore = '/srv/x'\n")
        with pytest.raises(UsageError, match=word):
            read_deployment(file)
    for source, store, word in [("manifest:x", "/srv/x", "full path"), ("icml/2016", "here", "full path")]:
        file.write_text(f"[night]\nsources = ['{source}']\nstore = '{store}'\n")
        with pytest.raises(UsageError, match=word):
            read_deployment(file)
