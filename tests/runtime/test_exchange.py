"""The plugin exchanges the code of a function that torch.compile has compiled already, or compiles afterwards."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the runtime's tests need torch (the WanGP laboratory has it)")

from svi_install.plugin import code  # noqa: E402

STOCK = "def double(x):\n    y = x * 2\n    return y\n"
HOOKED = STOCK.replace("    return y\n", "    y = y + 1  # svi-install\n    return y\n")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.filterwarnings("ignore")
def test_torch_compile(when: str) -> None:
    namespace: dict[str, object] = {}
    exec(compile(STOCK, "module.py", "exec", dont_inherit=True), namespace)
    wanted = code.exchanges("module.py", HOOKED.encode())
    one = torch.ones(2)
    if when == "before":
        namespace["double"] = torch.compile(namespace["double"], backend="eager")
        assert namespace["double"](one).tolist() == [2.0, 2.0]
    (function,) = code.swap(namespace, wanted)
    if when == "after":
        namespace["double"] = torch.compile(namespace["double"], backend="eager")
    assert namespace["double"](one).tolist() == [3.0, 3.0]
    assert function.__code__.co_filename == "module.py"
