"""The command lines of README.md in this folder, in their order, with /tmp elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

from tests import documented
from tests.person import executable

from .lab import media

BLOCK = re.compile(r"## By hand\n\n(.*?)\n\n", re.DOTALL)


@pytest.mark.long
def test_by_hand(environment: Path, git_dir: Path, tmp_path: Path) -> None:
    block = BLOCK.search((Path(__file__).parent / "README.md").read_text("utf-8"))
    assert block
    lines = [documented.REMARK.sub("", line.strip()) for line in block[1].splitlines()]
    for name, module in (("python", ""), ("svi-install", "-m svi_install")):
        executable(tmp_path / "bin" / name, f'exec {quote(sys.executable)} {module} "$@"')
    media.write_picture(tmp_path / "start.png")
    settings = {"prompt": "one\ntwo", "image_start": "start.png", "image_prompt_type": "S", "resolution": "64x64"}
    settings |= {"video_length": 33, "num_inference_steps": 2, "seed": 7}
    settings |= {"sliding_window_size": 17, "multi_prompts_gen_type": 1, "svi_mode": True}
    (tmp_path / "settings.json").write_text(json.dumps(settings), "utf-8")
    variables = {**os.environ, "LAB_VENV": str(environment), "WANGP_GIT": str(git_dir)}
    variables["PATH"] = f"{tmp_path / 'bin'}:{variables['PATH']}"
    said = []
    for line in lines:
        typed = line.replace("/tmp/", f"{tmp_path}/").replace("settings.json", str(tmp_path / "settings.json"))
        done = subprocess.run(
            typed, shell=True, cwd=documented.ROOT, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        said.append(done.stdout)
    tree, installed, generated, parity, lora = said
    assert tree.strip() == f"{tmp_path}/WanGP"
    assert "SVI is now in WanGP 12.60" in installed
    assert generated.startswith("ok: ")
    assert "[SVI Mode] clip 2/2" in generated
    assert "svi-2.0" in parity
    assert "40 tensors" in lora
