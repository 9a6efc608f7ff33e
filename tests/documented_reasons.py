"""Command lines of the documents that no test runs as they stand there, each with the reason."""

from __future__ import annotations

from tests import documented_plugin, updating

ASSUMED = "a mention of what the sentence is about"
BY_HAND_THERE = "the laboratory; tests/wangp/test_by_hand.py runs it"
MINUTES = "a benchmark; minutes"
CALIBRATION = (
    'python benchmarks/drift_calibration.py --half "held out" --first 6301 --scenes 12 --curves 0 --clean 40 --jumps 40'
)
NOT_RUN = {
    "install.bat": "Windows; tests/test_install_bat.py runs it there and under wine",
    r"install.bat C:\path\to\WanGP": "Windows; tests/test_install_bat.py runs it there and under wine",
    **dict.fromkeys(("git apply", "git apply --check", "python wgp.py --process"), ASSUMED),
    **documented_plugin.NOT_RUN,
    ".venv-test/bin/python -m pytest": ASSUMED,
    **dict.fromkeys(
        ("pipx install ./svi_install-0.1.0-py3-none-any.whl", "uv tool install ./svi_install-0.1.0-py3-none-any.whl"),
        "tools that this environment may lack; the release workflow installs and tries the wheel",
    ),
    **dict.fromkeys(
        (
            "svi-install render story.yaml --cards 0,1",
            "dask scheduler --host 127.0.0.1",
            "svi-install worker /path/to/WanGP --scheduler tcp://127.0.0.1:8786",
            "svi-install render story.yaml --on tcp://127.0.0.1:8786",
        ),
        "tests/storyboard/test_farm.py starts them, at a port of its own",
    ),
    **dict.fromkeys(
        ("svi-install render a.yaml b.yaml", "svi-install render a.yaml b.yaml --cards all"),
        "tests/commands/test_films.py runs them with stories of its own",
    ),
    "python benchmarks/cards.py --cards 0,1 --seconds 20": "two graphics cards",
    "python benchmarks/farm.py": MINUTES,
    "python benchmarks/farm.py --workers 64 --clips 16 --seconds 30": MINUTES,
    "python3 tests/run.py": "it would run this test; tests/test_run.py tests its parts",
    "python .github/lock.py WANGP_GIT": "asks the package index; tests/cli/test_notebook.py holds what it writes",
    "python .github/lock.py": "asks the package index, and writes the locks",
    "python -m svi_install.history.contents GIT": "minutes over the real history; tests/releases holds what it writes",
    "python -m svi_install.history.others GIT": "another project's history; tests/releases holds what it writes",
    "python benchmarks/download.py": MINUTES,
    "python benchmarks/crash.py": MINUTES,
    "python benchmarks/film_cost.py": MINUTES,
    "python benchmarks/start.py": MINUTES,
    "python benchmarks/check.py GIT": MINUTES,
    "python benchmarks/updates.py GIT": MINUTES,
    **updating.NOT_RUN,
    "python benchmarks/gpu_cost.py WANGP": "a graphics card",
    "python benchmarks/clip_times.py": "the table alone; tests/storyboard/test_estimate.py holds what it is made of",
    "python benchmarks/film_size.py": MINUTES,
    "python benchmarks/precision.py /path/to/WanGP": "WanGP's environment; tests/wangp/test_precision.py runs it",
    "python benchmarks/drift_calibration.py": MINUTES,
    CALIBRATION: MINUTES,
    "python benchmarks/drift_speed.py": MINUTES,
    "python benchmarks/precision.py WANGP": "WanGP's environment; tests/wangp/test_precision.py runs it",
    "python docs/pictures.py": "minutes, a browser, and it writes docs/pictures",
    "python tests/wangp/pictures.py": "the laboratory and a browser, and it writes docs/pictures",
    "python docs/survival.py GIT": "minutes, and it writes docs/survival.svg",
    ".venv-wangp/bin/python -m pytest tests/runtime/test_precision.py -s": "torch; tests/run.py runs it there",
    "python tests/wangp/setup_lab.py": "3 GB; tests/run.py runs it",
    "python tests/wangp/run.py parity WANGP": BY_HAND_THERE,
    "python tests/wangp/run.py parity WANGP --ends": "the laboratory; test_parity.py there compares the same cases",
    "python tests/wangp/run.py tree 12.60 /tmp/WanGP": BY_HAND_THERE,
    "svi-install /tmp/WanGP --no-lora": BY_HAND_THERE,
    "python tests/wangp/run.py generate /tmp/WanGP settings.json --out /tmp/out": BY_HAND_THERE,
    "python tests/wangp/run.py parity /tmp/WanGP svi-2.0": BY_HAND_THERE,
    "python tests/wangp/run.py lora /tmp/lora.safetensors --format pipe.dit": BY_HAND_THERE,
    "apt-get install ffmpeg chromium chromium-driver": "changes this computer; .ci/run installs the same",
}
