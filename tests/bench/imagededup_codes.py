"""Hashes by imagededup, for its own environment: `python imagededup_codes.py FOLDER` prints JSON.

Nothing of this project is imported. The package's `__init__` files import torchvision for its
network; its hashing modules do not need it, so the folders stand for the packages here.
"""

import importlib
import importlib.util
import json
import sys
import types
from pathlib import Path


def hashing_module() -> types.ModuleType:
    """`imagededup.methods.hashing` as it is, without running any `__init__` of the package."""
    found = importlib.util.find_spec("imagededup")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("imagededup is not installed here")
    root = Path(next(iter(found.submodule_search_locations)))
    for name in ("", ".methods", ".utils", ".handlers", ".handlers.search"):
        package = types.ModuleType(f"imagededup{name}")
        package.__path__ = [str(root.joinpath(*name.split(".")))]
        sys.modules[package.__name__] = package
    return importlib.import_module("imagededup.methods.hashing")


def main(folder: str) -> None:
    hashing = hashing_module()
    codes = {
        name: encoder(verbose=False).encode_images(folder, num_enc_workers=0)
        for name, encoder in (("pHash", hashing.PHash), ("dHash", hashing.DHash))
    }
    print(json.dumps(codes))


if __name__ == "__main__":
    main(sys.argv[1])
