from __future__ import annotations

import os
from pathlib import Path

import pytest

from svi_install.errors import SviError
from svi_install.writing import files, targets, transaction
from svi_install.writing.change import Change
from tests.trees import make, posix, refused, small, standard

pytestmark = posix


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return small(tmp_path)


class TestRefusals:
    @pytest.mark.parametrize(
        "path",
        [
            "../out.json",
            "a/../../out.json",
            "/etc/out.json",
            "a//b.json",
            "./a.json",
            "",
            ".",
            "C:/out.json",
            "a\\b.json",
            "a:b.json",
            "nul\0.json",
            ".git/hooks/post-checkout",
            "models/.GIT/x.json",
        ],
    )
    def test_paths_that_leave_the_checkout(self, root: Path, path: str) -> None:
        assert refused(make(root, Change(path, None, b"x"))).code == "unsafe-path"

    def test_folders_to_sweep_that_leave_the_checkout(self, root: Path) -> None:
        assert refused(make(root, sweep=("../other",))).code == "unsafe-path"

    def test_a_linked_folder_outside(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").mkdir()
        (root / "svi_wangp").symlink_to(tmp_path / "elsewhere")
        assert refused(make(root, Change("svi_wangp/a.json", None, b"x"))).code == "unsafe-path"
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_a_linked_file_outside(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "wgp.py").write_bytes(b"old")
        (root / "linked.py").symlink_to(tmp_path / "wgp.py")
        assert "outside WanGP's folder" in refused(make(root, Change("linked.py", b"old", b"new"))).message
        assert (tmp_path / "wgp.py").read_bytes() == b"old"

    def test_a_link_to_nothing(self, root: Path) -> None:
        (root / "dangling.py").symlink_to("missing.py")
        assert "does not exist" in refused(make(root, Change("dangling.py", None, b"x"))).message

    def test_removing_a_link(self, root: Path) -> None:
        (root / "link.py").symlink_to("gone.py")
        assert refused(make(root, Change("link.py", b"to go\n", None))).code == "unsafe-path"

    @pytest.mark.parametrize("kind", ["folder", "fifo"])
    def test_something_that_is_no_file(self, root: Path, kind: str) -> None:
        os.mkfifo(root / "odd") if kind == "fifo" else (root / "odd").mkdir()
        assert refused(make(root, Change("odd", None, b"x"))).code == "unsafe-path"

    def test_a_folder_of_ours_that_is_a_link(self, root: Path, tmp_path: Path) -> None:
        (root / ".svi-install").symlink_to(tmp_path)
        assert refused(standard(root)).code == "unsafe-path"

    def test_one_file_under_two_names(self, root: Path) -> None:
        (root / "twin.py").symlink_to("wgp.py")
        plan = make(root, Change("wgp.py", b"old wgp\n", b"a"), Change("twin.py", b"old wgp\n", b"b"))
        assert "one and the same" in refused(plan).message

    @pytest.mark.parametrize("before", [None, b"other\n"])
    def test_other_bytes_than_planned(self, root: Path, before: bytes | None) -> None:
        first = Change("svi_wangp/__init__.py", None, b"x")
        assert refused(make(root, first, Change("wgp.py", before, b"new"))).code == "changed-meanwhile"

    def test_a_file_that_is_missing(self, root: Path) -> None:
        assert refused(make(root, Change("none.py", b"old", b"new"))).code == "changed-meanwhile"

    def test_a_file_that_changes_while_staging(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = files.begin_new

        def meanwhile(path: Path, *args: object) -> int:
            if path.parent == root:
                (root / "wgp.py").write_bytes(b"an editor saved this\n")
            return real(path, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(files, "begin_new", meanwhile)
        with pytest.raises(SviError, match="changed by another program"):
            transaction.run(standard(root))
        assert (root / "wgp.py").read_bytes() == b"an editor saved this\n"
        assert (root / "models" / "wan" / "any2video.py").read_bytes() == b"old any\n"
        assert (root / "gone.py").read_bytes() == b"to go\n"
        assert not (root / ".svi-install").exists()
        assert not (root / "svi_wangp").exists()

    def test_a_read_only_file(self, root: Path) -> None:
        (root / "wgp.py").chmod(0o444)
        assert refused(make(root, Change("wgp.py", b"old wgp\n", b"new"))).code == "read-only"

    def test_an_unreadable_kind_of_path(self, root: Path) -> None:
        name = "x" * 300
        assert refused(make(root, Change(f"{name}.json", None, b"x"))).code == "path-too-long"


class TestOutside:
    def test_profiles_reach_the_lora_folder_that_the_config_names(self, root: Path, tmp_path: Path) -> None:
        loras = tmp_path / "drive" / "loras"
        loras.mkdir(parents=True)
        (root / "wgp_config.json").write_text(f'{{"loras_root": "{loras.as_posix()}"}}')
        path = f"{loras.as_posix()}/wan_i2v/SVI.json"
        transaction.run(make(root, Change(path, None, b"{}")))
        assert (loras / "wan_i2v" / "SVI.json").read_bytes() == b"{}"
        transaction.run(make(root, Change(path, b"{}", None), sweep=(f"{loras.as_posix()}/wan_i2v",)))
        assert not list(loras.iterdir())

    def test_profiles_reach_a_linked_lora_folder(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "drive").mkdir()
        (root / "loras").symlink_to(tmp_path / "drive")
        transaction.run(make(root, Change("loras/wan_i2v/SVI.json", None, b"{}")))
        assert (tmp_path / "drive" / "wan_i2v" / "SVI.json").read_bytes() == b"{}"

    @pytest.mark.parametrize("name", ["SVI.py", "mine.json"])
    def test_only_profiles_do(self, root: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / "drive").mkdir()
        (root / "loras").symlink_to(tmp_path / "drive")
        assert "only SVI's profiles" in refused(make(root, Change(f"loras/{name}", None, b"x"))).message

    def test_an_absolute_path_into_the_checkout_is_refused(self, root: Path, tmp_path: Path) -> None:
        (root / "wgp_config.json").write_text('{"loras_root": ".."}')
        assert refused(make(root, Change(f"{root.as_posix()}/a.json", None, b"x"))).code == "unsafe-path"

    @pytest.mark.parametrize("config", ["[]", "{", '{"loras_root": 3}', '{"loras_root": ""}', '{"loras_root": "none"}'])
    def test_a_config_without_such_a_folder(self, root: Path, config: str) -> None:
        (root / "wgp_config.json").write_text(config)
        assert targets.outside_roots(root) == ()
