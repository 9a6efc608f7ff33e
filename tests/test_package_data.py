from __future__ import annotations

from pathlib import Path

import pytest

from svi_install import package_data
from svi_install.errors import SviError

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", ["patches", "profiles"])
def test_a_source_tree_has_its_folders_beside_the_package(name: str) -> None:
    assert package_data.data_folder(name) == ROOT / name


def test_a_wheel_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "svi_install"
    (package / "_data" / "patches").mkdir(parents=True)
    (package.parent / "patches").mkdir()
    monkeypatch.setattr(package_data, "_PACKAGE", package)
    assert package_data.data_folder("patches") == package / "_data" / "patches"
    with pytest.raises(SviError, match="incomplete: the folder profiles is missing") as caught:
        package_data.data_folder("profiles")
    assert caught.value.code == "damaged-package"


def test_the_runtime_is_written_before_the_module_that_wangp_imports() -> None:
    files = package_data.runtime_files()
    assert list(files)[-1] == "svi_wangp/__init__.py"
    assert len(files) > 1
    for path, content in files.items():
        assert path.startswith("svi_wangp/")
        compile(content, path, "exec")
