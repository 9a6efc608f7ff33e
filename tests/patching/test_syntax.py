from __future__ import annotations

import textwrap

import pytest

from svi_install.patching import syntax

HOOK = "pass  # svi-install"


def functions(text: str) -> list[str] | None:
    found = syntax.hook_sites(textwrap.dedent(text).replace("HOOK", HOOK).encode())
    return None if found is None else [found[line].function for line in sorted(found)]


def test_functions_are_named_by_python_itself() -> None:
    assert functions("""\
        import os
        x = 1  # svi-install
        @decorate(
            1
        )
        def one(
            a,
            b=(
        1
            ),
        ):
            x = '''
        def fake():
            '''
            HOOK
            def inner():
                HOOK
            return inner

        class Box:
            HOOK
            @decorate
            async def two(self):
                HOOK
        """) == ["<module>", "one", "inner", "class Box", "two"]


def test_a_mark_inside_a_string_is_not_code() -> None:
    assert functions('def one():\n    """\n    HOOK\n    """\n') == []


@pytest.mark.parametrize(
    "text", ["def one(:\n    HOOK\n", "def one():\n  HOOK\n x\n", "HOOK\n\x00", "def a():\n    pass\n  \ndef b(:\n"]
)
def test_what_does_not_compile_has_no_functions(text: str) -> None:
    assert functions(text) is None
    assert syntax.compile_error(text.encode())


def test_a_wrong_cut_through_a_string_is_mended_by_compiling_the_whole() -> None:
    assert functions('text = """\ndef fake(:\n"""\ndef real():\n    HOOK\n') == ["real"]


def test_warnings_of_somebody_elses_code_stay_silent() -> None:
    assert syntax.compile_error(b'x = "\\d"\nx is 1\n') == ""


def test_an_error_is_named_with_its_line() -> None:
    assert syntax.compile_error(b"x = 1\ny = (\n").endswith("(line 2)")


def test_too_deep_for_python_is_an_error_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(data: bytes) -> None:
        raise RecursionError("maximum recursion depth exceeded during compilation")

    monkeypatch.setattr(syntax, "_compile", too_deep)
    assert syntax.compile_error(b"x = 1\n") == "maximum recursion depth exceeded during compilation"
    assert syntax.hook_sites(b"y = too_deep  # svi-install\n") is None


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("def one(x): pass", ("one",), True),
        ("  async  def one (x): pass", ("two", "one"), True),
        ("def one_more(x): pass", ("one",), False),
        ("x = 'def one('", ("one",), False),
        ("def one(x): pass", (), False),
    ],
)
def test_defines(text: str, names: tuple[str, ...], expected: bool) -> None:
    assert syntax.defines(text.encode(), names) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def one(\n    a,\n):\n    x = (\n    HERE", "one"),
        ("@decorate\nasync def one(a):\n\n    # note\n    if a:\n\t\tHERE", "one"),
        ("class Box(Base):\n    def one(self): pass\n    HERE", "class Box(Base)"),
        ("class Box:\n    def one(self):\n        HERE", "one"),
        ("def one():\n    pass\nif x:\n    HERE", "<module>"),
        ("def one():\n    text = '''\nplain text\n'''\n    HERE", "<module>"),
        ("    HERE", "<module>"),
        ("HERE", "<module>"),
    ],
)
def test_function_by_indentation(text: str, expected: str) -> None:
    data = text.encode()
    start = data.rfind(b"\n", 0, data.index(b"HERE")) + 1
    assert syntax.function_by_indentation(data, start, data[start : data.index(b"HERE")]) == expected


def missing(text: str, *added: str) -> str:
    lines = tuple(f"    {line}  # svi-install" for line in added)
    data = text.replace("    HOOK", "\n".join(lines)).encode()
    number = text[: text.index("HOOK")].count("\n") + 1
    sites = syntax.hook_sites(data)
    assert sites is not None
    return syntax.missing_name(data, data.split(b"\n"), sites[number], number, lines)


@pytest.mark.parametrize(
    ("text", "added", "name"),
    [
        ("def one(a):\n    HOOK\n", "print(a)", ""),
        ("def one(a):\n    HOOK\n", "print(b)", "b"),
        ("def one(a):\n    HOOK\n    b = 1\n", "print(a, b)", ""),
        ("def one(a):\n    HOOK\n    other_b = b2 = 1\n", "a = b", "b"),
        ("def one(a):\n    HOOK\n    b = 1\n", "b = a", ""),
        ("def one(a):\n    HOOK\n", "b = a", "b"),
        ("def one(a):\n    HOOK\ndef two(b): pass\n", "b = a", "b"),
        ("b = 1\ndef one(a):\n    HOOK\n", "print(b)", ""),
        ("from x import c as b\ndef one(a):\n    HOOK\n", "print(b)", ""),
        ("def one(a):\n    HOOK\ndef two():\n    b = 1\n#b = 1\n", "print(b)", "b"),
        ("def one(*a, **b):\n    HOOK\n", "print(a, b)", ""),
        ("def one(a):\n    HOOK\n    return lambda: a\n", "print(a)", ""),
        ("def one(a):\n    def two():\n        return a\n    HOOK\n", "import b; print(b, a)", ""),
    ],
)
def test_names_that_a_hook_uses_are_looked_for_around_it(text: str, added: str, name: str) -> None:
    assert missing(text, added) == name


def test_names_that_a_hook_makes_itself_are_not_looked_for() -> None:
    assert missing("def one(a):\n    HOOK\n", "try: import b; print(b)", "except ValueError as c: print(c)") == ""


def test_names_at_the_top_level_are_looked_for_in_the_whole_file() -> None:
    data = b"import a\nb = 1  # svi-install\n"
    sites = syntax.hook_sites(data)
    assert sites is not None
    assert syntax.missing_name(data, data.split(b"\n"), sites[2], 2, ("b = a  # svi-install",)) == ""
    assert syntax.missing_name(data, data.split(b"\n"), sites[2], 2, ("b = c  # svi-install",)) == "c"
