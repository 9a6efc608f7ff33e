from __future__ import annotations

from typing import Any

import pytest

from svi_install.runtime import notice


class Toasts:
    """A gradio that notes what it is asked to show; ``plain``: one whose toasts have no title."""

    def __init__(self, plain: bool = False) -> None:
        self.shown: list[tuple[str, str]] = []
        self.plain = plain

        class Error(Exception):
            def __init__(self, message: str, **options: Any) -> None:
                if plain and options:
                    raise TypeError("no such option")
                super().__init__(message)
                self.options = options

        self.Error = Error

    def Info(self, message: str, **options: Any) -> None:
        if self.plain and options:
            raise TypeError("no such option")
        self.shown.append(("Info", message))

    def Warning(self, message: str, **options: Any) -> None:
        if self.plain and options:
            raise TypeError("no such option")
        self.shown.append(("Warning", message))


@pytest.fixture
def form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notice, "in_form", lambda: True)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("plain", [False, True])
def test_a_refusal_ends_the_press_of_generate_as_an_error(plain: bool, capsys: pytest.CaptureFixture[str]) -> None:
    gradio = Toasts(plain)
    names: dict[str, Any] = {"gr": gradio}

    def generate() -> str:
        notice.refuse(names, "it needs a Start Image")
        return "as WanGP ends it"

    names[notice.GENERATE] = generate
    notice.wrap(names)
    with pytest.raises(gradio.Error, match="it needs a Start Image") as caught:
        names[notice.GENERATE]()
    assert getattr(caught.value, "options", {}).get("duration", 0) == 0
    assert not gradio.shown
    assert capsys.readouterr().out == "[SVI Mode] not started: it needs a Start Image\n"


@pytest.mark.usefixtures("form")
def test_a_refusal_of_before_does_not_stay() -> None:
    names: dict[str, Any] = {"gr": Toasts(), notice.GENERATE: lambda: "made"}
    notice.wrap(names)
    notice.refuse(names, "not now")
    assert names[notice.GENERATE]() == "made"
    assert names["gr"].shown == [("Warning", "not now")]


@pytest.mark.usefixtures("form")
def test_an_error_of_wangps_own_goes_through() -> None:
    def fails() -> None:
        raise KeyError("prompt")

    names: dict[str, Any] = {"gr": Toasts(), notice.GENERATE: fails}
    notice.wrap(names)
    with pytest.raises(KeyError):
        names[notice.GENERATE]()
    notice.refuse(names, "elsewhere")
    assert names["gr"].shown == [("Warning", "elsewhere")]


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("plain", [False, True])
def test_toasts_in_the_form(plain: bool) -> None:
    gradio = Toasts(plain)
    notice.warn({"gr": gradio}, "careful")
    notice.inform({"gr": gradio}, "3 clips")
    assert [(kind, message.removeprefix("SVI: ")) for kind, message in gradio.shown] == [
        ("Warning", "careful"),
        ("Info", "3 clips"),
    ]


def test_nobody_sees_toasts_outside_of_the_form() -> None:
    gradio = Toasts()
    names: dict[str, Any] = {"gr": gradio, notice.GENERATE: lambda: notice.refuse({"gr": gradio}, "no")}
    notice.wrap(names)
    assert names[notice.GENERATE]() is None
    notice.warn(names, "careful")
    notice.inform({}, "nobody")
    assert not gradio.shown
    assert not notice.in_form()


def test_a_release_without_that_step_stays_as_it_is() -> None:
    names: dict[str, Any] = {"gr": Toasts()}
    notice.wrap(names)
    assert notice.GENERATE not in names
