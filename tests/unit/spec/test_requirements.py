"""What requirements may be, and what is said about what pip takes in their place."""

import pytest
from packaging.requirements import Requirement

from stackbuild.spec.requirements import read_requirement


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "A_b[x]>=1 ; os_name == 'nt'",
        "a @ https://host/a-1-py3-none-any.whl#sha256=00",
        "a @ https://host/download?id=7",  # its name comes with the answer
        "a @ http://[::1]:8000/a-1-py3-none-any.whl",
        "a @ file:wheels/a-1-py3-none-any.WHL",
        "a @ wheels/a-1-py3-none-any.whl",
        "a @ ${WHEELS}/a",
    ],
)
def test_names_and_wheels_are_requirements(text: str) -> None:
    assert read_requirement(text) == Requirement(text)


BUILD_IT = "only wheels are installed: build a wheel of it, and name the wheel or offer its folder with find-links"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a @ git+https://host/a@v1 ; os_name == 'nt'", f": a repository; {BUILD_IT}"),
        ("a @ hg+ssh://host/a", f": a repository; {BUILD_IT}"),
        ("a @ https://host/a-1.tar.gz#sha256=00", f": a source archive; {BUILD_IT}"),
        ("a @ wheels/a-1.zip", f": a source archive; {BUILD_IT}"),
        ("a @ file:///src/a", f": not a wheel; {BUILD_IT}"),
        ("a @ ../a", f": not a wheel; {BUILD_IT}"),
    ],
)
def test_what_would_have_to_be_built_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match="only wheels") as caught:
        read_requirement(text)
    assert str(caught.value).endswith(sentence)
    assert str(caught.value).startswith('"a @ ')


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("./mypkg", f"not a wheel; {BUILD_IT}"),
        ("~/mypkg", f"not a wheel; {BUILD_IT}"),
        (".", f"not a wheel; {BUILD_IT}"),
        ("..\\mypkg", f"not a wheel; {BUILD_IT}"),
        ("git+https://host/a", f"a repository; {BUILD_IT}"),
        ("git+ssh://git@host/a.git@main", f"a repository; {BUILD_IT}"),
        ("-e ./mypkg", f"an editable folder; {BUILD_IT}"),
        ("-r requirements.txt", "files of requirements are not read: list the requirements, "),
        ("--index-url=https://host", "options are not possible here, see the settings in [tool.uv]"),
        (
            "vendor/My_Pkg-1.0-py3-none-any.whl",
            'write the name of the package in front: "my-pkg @ vendor/My_Pkg-1.0-py3-none-any.whl"',
        ),
        ("./my wheels/a-1.0-py3-none-any.whl", '"a @ file:./my%20wheels/a-1.0-py3-none-any.whl"'),
        ("https://host/download?id=7", '"name @ https://host/download?id=7"'),
        ("a @ file:my wheels/a-1.0-py3-none-any.whl", "a URL has no blanks: write %20 for each"),
    ],
)
def test_what_pip_takes_in_their_place_is_told_with_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match="invalid requirement") as caught:
        read_requirement(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "text", ["a;" + "(" * 5000, "a" * 5000, f"a=={'9' * 1900}", "a b", "a @", "=1", "", "a[", "a @ https://[::/x"]
)
def test_other_texts_are_told_in_a_line(text: str) -> None:
    try:
        read_requirement(text)
    except ValueError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 300
    else:
        assert text.startswith("a==")  # a version of any length
