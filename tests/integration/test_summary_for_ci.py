"""`--summary`: a run in Markdown, appended to a file."""

from tests.integration.stack_project import StackProject


def test_runs_are_appended_with_layers_changes_and_failures(built: StackProject) -> None:
    summary = built.root / "summary.md"
    (built.root / "hello.py").write_text("print('a longer text than before')\n", encoding="utf-8")
    built.doit("archive:app-hello", STACKBUILD_SUMMARY="summary.md")
    first = summary.read_text("utf-8")
    assert first.startswith("## stackbuild: done\n\n2 tasks run, ")
    assert "\n| layer | done | environment | archive | time | where |\n| --- | --- | " in first
    assert "\n| app\\-hello | built, packed | " in first
    assert "\nChanged since the last run:\n\n- app\\-hello: environment " in first

    built.replace("venvstacks.toml", "webby==1.0", "webby==7.0")
    built.stackbuild("--summary", "summary.md", "lock", check=False)
    both = summary.read_text("utf-8")
    assert both.startswith(first)
    assert "## stackbuild: failed\n" in both
    assert "\n### lock:framework\\-web failed\n\n    framework-web: its requirements cannot be resolved\n" in both


def test_only_summaries_and_the_file_of_ci_are_appended_to(built: StackProject) -> None:
    before = (built.root / "venvstacks.toml").read_bytes()
    done = built.stackbuild("--summary", "venvstacks.toml", "publish", check=False)
    assert done.returncode == 1
    assert "there is a file that stackbuild did not write" in done.stderr
    assert (built.root / "venvstacks.toml").read_bytes() == before

    (built.root / "step.md").write_text("# of another step\n", encoding="utf-8")
    built.stackbuild("publish", STACKBUILD_SUMMARY="step.md", GITHUB_STEP_SUMMARY=str(built.root / "step.md"))
    assert (built.root / "step.md").read_text("utf-8").startswith("# of another step\n## stackbuild: done\n")
