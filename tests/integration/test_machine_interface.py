"""One JSON document for each run, whatever happens, and schemas that fit what was written."""

import json
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stackbuild.authoring.schemas import document_schema
from tests.integration.stack_project import StackProject


def validated(name: str, document: Any) -> Any:
    Draft202012Validator(document_schema(name)).validate(document)
    return document


def outcomes(document: Any) -> dict[str, str]:
    return {task["name"]: task["outcome"] for task in document["tasks"]}


def test_a_good_run_and_one_with_nothing_to_do(project: StackProject) -> None:
    project.stackbuild("lock")
    done = project.stackbuild("--events", "events.jsonl", "publish", "--output-format", "json")
    document = validated("run", json.loads(done.stdout))
    assert "tasks run" in done.stderr
    assert (document["outcome"], document["exit_status"], document["errors"]) == ("done", 0, [])
    (archive,) = (task for task in document["tasks"] if task["name"] == "archive:app-hello")
    assert (archive["outcome"], archive["why"], archive["layer"]) == ("done", "it is not packed", "app-hello")
    written = (project.root / "_artifacts/app-hello.tar").stat().st_size
    assert (archive["path"], archive["size"]) == (str(project.root / "_artifacts/app-hello.tar"), written)
    assert outcomes(document)["lock:py"] == "up-to-date"
    events = [json.loads(line) for line in (project.root / "events.jsonl").read_text().splitlines()]
    assert {event["run"] for event in events} == {document["run_id"]}
    assert events[0]["specifications"] == [document["specification"]]
    assert document["started"][:13] == events[0]["time"][:13]

    again = validated("run", json.loads(project.stackbuild("publish", "--output-format", "json").stdout))
    assert again["run_id"] != document["run_id"]
    assert set(outcomes(again).values()) == {"up-to-date"}


def test_a_failed_run_tells_what_failed_and_what_was_not_tried(built: StackProject) -> None:
    built.replace("venvstacks.toml", "webby==1.0", "webby==7.0")
    done = built.stackbuild("lock", "--output-format", "json", check=False)
    document = validated("run", json.loads(done.stdout))
    assert (done.returncode, document["outcome"], document["exit_status"]) == (1, "failed", 1)
    assert outcomes(document)["lock:framework-web"] == "failed"
    assert "not-tried" in outcomes(document).values()
    (error,) = document["errors"]
    assert error["task"] == "lock:framework-web"
    assert "webby" in error["message"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lock", "nothing.toml"), "there is no such file"),
        (("build", "--include", "nothing"), "no layer fits nothing"),
        (("lock", "--show"), "goes without --show"),
    ],
)
def test_an_error_before_any_task_is_a_document_as_well(
    project: StackProject, arguments: tuple[str, ...], message: str
) -> None:
    done = project.stackbuild(*arguments, "--output-format", "json", check=False)
    document = validated("run", json.loads(done.stdout))
    assert (done.returncode, document["exit_status"], document["tasks"]) == (1, 1, [])
    assert message in document["errors"][0]["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_an_interrupted_run_tells_what_was_finished(project: StackProject) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "stackbuild", "build", "--lock", "--publish", "--output-format", "json"],
        cwd=project.root,
        env=project.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (project.root / "_build/.stackbuild/resolve").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130, stderr
    document = validated("run", json.loads(stdout))
    assert (document["outcome"], document["exit_status"]) == ("interrupted", 130)
    assert {"not-run", "interrupted"} & set(outcomes(document).values())


def test_schemas_fit_what_real_runs_wrote(built: StackProject) -> None:
    fitting = {
        "archive-manifest": ["_artifacts/__venvstacks__/venvstacks.json"],
        "archive-metadata": ["_artifacts/__venvstacks__/env_metadata/*.json"],
        "export-manifest": ["_export/__venvstacks__/venvstacks.json"],
        "export-metadata": ["_export/__venvstacks__/env_metadata/*.json"],
        "lock-record": ["requirements/*/*.meta.json"],
    }
    for name, patterns in fitting.items():
        paths = [path for pattern in patterns for path in built.root.glob(pattern)]
        assert paths, name
        for path in paths:
            validated(name, json.loads(path.read_text("utf-8")))
    printed = json.loads(built.stackbuild("schema", "run").stdout)
    assert printed == document_schema("run")
    wrong = built.stackbuild("schema", "runs", check=False)
    assert (wrong.returncode, wrong.stdout) == (1, "")
