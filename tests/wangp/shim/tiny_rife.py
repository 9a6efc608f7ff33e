"""Makes weights for WanGP's two RIFE models: as they are when nothing has been learned yet.

python tiny_rife.py TREE        # writes TREE/ckpts/rife4.26.pkl where the tree knows it, and flownet.pkl
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path


def main(tree: Path) -> None:
    """Write the weights."""
    import torch

    sys.path.insert(0, str(tree))
    torch.manual_seed(1)
    if (tree / "postprocessing/rife/RIFE_V4.py").is_file():
        model = importlib.import_module("postprocessing.rife.RIFE_V4").Model()
        state = {f"module.{name}": value for name, value in model.flownet.state_dict().items()}
        state |= {f"module.encode.{name}": value for name, value in model.encode.state_dict().items()}
        torch.save(state, tree / "ckpts/rife4.26.pkl")
    model = importlib.import_module("postprocessing.rife.RIFE_HDv3").Model()
    torch.save(
        {f"module.{name}": value for name, value in model.flownet.state_dict().items()}, tree / "ckpts/flownet.pkl"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
