"""Epochs of some tars by WebDataset: `python webdataset_batches.py PACKAGES TARS BATCH WORKERS`.

Run by an interpreter that has torch; PACKAGES, where the package lies, comes last on the path.
Every empty line on the standard input asks for an epoch, the line "end" ends it; the answer is how
many pictures came. Nothing of this project is imported.
"""

import sys
from typing import Any


def batches(tars: str, size: int, workers: int) -> Any:
    """A loader of (pictures uint8 (n, H, W, 3), labels) in the shuffled order its manual shows."""
    import webdataset
    from torch.utils.data import DataLoader

    pictures = webdataset.WebDataset(tars, shardshuffle=False)
    pictures = pictures.shuffle(1000).decode("rgb8").to_tuple("png", "cls").batched(size)
    return DataLoader(
        pictures, batch_size=None, num_workers=workers, persistent_workers=workers > 0
    )


def main(packages: str, tars: str, size: int, workers: int) -> None:
    sys.path.append(packages)
    loader = batches(tars, size, workers)
    for line in sys.stdin:
        if line == "end\n":
            break
        print(sum(len(pictures) for pictures, _labels in loader), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
