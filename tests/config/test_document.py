"""Reading YAML: every value with its line, every mistake at once."""

from pathlib import Path

import pytest

from config.document import MAX_VALUES, Document, read


def written(folder: Path, text: str | bytes, environ: dict[str, str] | None = None) -> Document:
    path = folder / "a.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, environ)


def told(document: Document) -> list[tuple[int, str, str]]:
    return [(each.line, each.path, each.message) for each in document.problems]


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        ("12345", "12345"),
        ("0557", "0557"),
        ("08:00", "08:00"),
        ("12:30:45", "12:30:45"),
        ("+8613800138000", "+8613800138000"),
        ("2.0", "2.0"),
        ("1e3", "1e3"),
        ("0x1F", "0x1F"),
        ("2026-10-01", "2026-10-01"),
        ("1_000", "1_000"),
        ("on", "on"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ('"true"', "true"),
        ("'null'", "null"),
        ('""', ""),
    ],
)
def test_plain_scalars_stay_what_was_written(tmp_path: Path, scalar: str, value: object) -> None:
    """Numbers, times and YAML 1.1's yes and no are text; only null, true and false are not."""
    document = written(tmp_path, f"key: {scalar}\n")
    assert document.data == {"key": value}
    assert document.problems == ()


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    """Keys, list items and values inside flow collections are found; a missing key's parent is."""
    document = written(tmp_path, "# first\na:\n  b:\n    - x\n    - {c: 1,\n       d: 2}\n")
    assert [
        document.line(path)
        for path in [(), ("a",), ("a", "b", 0), ("a", "b", 1, "c"), ("a", "b", 1, "d")]
    ] == [2, 2, 4, 5, 6]
    assert document.line(("a", "b", 1, "missing", "deeper")) == 5


def test_a_key_given_twice_is_told_at_its_second_line(tmp_path: Path) -> None:
    """Neither value silently wins."""
    document = written(tmp_path, "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n")
    assert told(document) == [
        (5, "b.c", "the key is there twice, first on line 3"),
        (6, "a", "the key is there twice, first on line 1"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a:\n  - b\n c: 1\n", 3, "not YAML"),
        ("a: 1\nb: [1, 2\n", 3, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: 1\nb: *other\n", 2, "quotes"),
        ("a: 1\nb: !python/object:os.system x\n", 2, "quotes"),
        ("a: 1\nb: \x00\n", 2, "control character"),
        ("a: 1\nb: \x1b\n", 2, "control character"),
        ("a: 1\n? [x, y]\n: 2\n", 2, "a key must be a word"),
        ("base: &x {a: 1}\nb:\n  <<: *x\n", 3, "merge keys"),
        (b"a: 1\nb: \xb9\xab\n", 2, "UTF-8"),
    ],
)
def test_what_is_not_our_yaml_is_told_at_its_line(
    tmp_path: Path, text: str | bytes, line: int, words: str
) -> None:
    """Syntax errors, foreign encodings, tags and merge keys name the line and nothing is run."""
    problems = written(tmp_path, text).problems
    assert [each.line for each in problems] == [line]
    assert words in problems[0].message


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Editors on Windows put one in front of UTF-8."""
    assert written(tmp_path, b"\xef\xbb\xbfa: 1\n").data == {"a": "1"}


def test_aliases_that_explode_are_stopped(tmp_path: Path) -> None:
    """The billion laughs end at a bound and are told once."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]" for n in range(9)
    ]
    problems = written(tmp_path, "\n".join(lines)).problems
    assert [each.message for each in problems] == [
        f"more than {MAX_VALUES} values once aliases are expanded"
    ]


def test_an_alias_inside_itself_is_stopped(tmp_path: Path) -> None:
    """A list that holds itself has no end."""
    assert len(written(tmp_path, "a: &a\n  - *a\n").problems) == 1


def test_nesting_without_end_is_stopped(tmp_path: Path) -> None:
    """A hundred thousand brackets are told, not recursed into."""
    problems = written(tmp_path, "a:\n  " + "[" * 100_000).problems
    assert [(each.line, "deep" in each.message) for each in problems] == [(2, True)]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With its name, as the problem of its first line."""
    (problem,) = read(tmp_path / "none.yaml").problems
    assert str(problem) == (
        f"{tmp_path}/none.yaml:1: (document): cannot be read: No such file or directory"
    )


def test_variables_and_files_are_taken_anywhere_in_a_text(tmp_path: Path) -> None:
    """In quotes or plain, several in one text; a file loses its last line break only."""
    (tmp_path / "secret").write_text(" s3cret \n")
    document = written(
        tmp_path,
        "a: http://${HOST}:${PORT}/\nb: '${file:secret}'\nc: $${HOST} costs $5$$\nd: ['${PORT}']\n",
        {"HOST": "h", "PORT": "8080"},
    )
    assert document.data == {
        "a": "http://h:8080/",
        "b": " s3cret ",
        "c": "${HOST} costs $5$",
        "d": ["8080"],
    }
    assert document.problems == ()


def test_a_variable_within_brackets_must_stand_in_quotes(tmp_path: Path) -> None:
    """Its own braces would end the mapping; the message says what to do."""
    (problem,) = written(tmp_path, "a: 1\nb: {port: ${PORT}}\n", {"PORT": "1"}).problems
    assert problem.line == 2
    assert problem.message.endswith("inside {…} and […], ${NAME} must stand in quotes")


def test_a_value_taken_is_not_looked_into_again(tmp_path: Path) -> None:
    """A password that holds ${…}, a colon or null stays that text."""
    environ = {"A": "${B}: null # x", "B": "b"}
    assert written(tmp_path, "a: ${A}\n", environ).data == {"a": "${B}: null # x"}


def test_what_cannot_be_taken_is_named_with_its_place(tmp_path: Path) -> None:
    """Variable or file, and the path of the key, each at its line."""
    document = written(
        tmp_path, "a: ${NONE}\nb:\n  - ${file:no/where}\nc: ${A:-x}\nd: x${\ne: ${}\n", {}
    )
    odd = "write ${NAME} or ${file:PATH}; $$ stands for one dollar sign"
    assert told(document) == [
        (1, "a", "the environment variable NONE is not set"),
        (3, "b.0", "the file no/where cannot be read: No such file or directory"),
        (4, "c", odd),
        (5, "d", odd),
        (6, "e", odd),
    ]


def test_without_an_environment_dollars_are_text(tmp_path: Path) -> None:
    """Rule packs hold regular expressions."""
    assert written(tmp_path, "a: '^x${2}$$'\n").data == {"a": "^x${2}$$"}


def test_no_message_holds_a_secret(tmp_path: Path) -> None:
    """Neither what was taken from outside nor what stands under a secret's key."""
    document = written(tmp_path, "a: ${A}\npassword: hunter2\n", {"A": "from-outside"})
    told_of = str(document.problem(("a",), "bad from-outside and hunter2"))
    assert "from-outside" not in told_of
    assert "hunter2" not in told_of
    assert "from-outside" not in repr(document)
    assert "hunter2" not in repr(document)


@pytest.mark.parametrize(
    "secret", ["*hunter2", "!hunter2", "&hunter2 x: y", "[hunter2", "@hunter2"]
)
def test_a_secret_without_quotes_is_not_in_the_syntax_error(tmp_path: Path, secret: str) -> None:
    """YAML's own words would quote the name of an alias or a tag."""
    problems = written(tmp_path, f"password: {secret}\n", {}).problems
    assert problems
    assert "hunter2" not in " ".join(map(str, problems))
