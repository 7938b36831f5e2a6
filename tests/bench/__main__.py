"""`python -m tests.bench [NAME ...]`: run the benchmarks (all, or those named)."""

import importlib
import pkgutil
import sys

import tests.bench


def main(wanted: list[str]) -> int:
    names = sorted(
        module.name.removeprefix("bench_")
        for module in pkgutil.iter_modules(tests.bench.__path__)
        if module.name.startswith("bench_")
    )
    unknown = set(wanted) - set(names)
    if unknown:
        print(f"error: no benchmark {unknown.pop()!r}; there are {', '.join(names)}")
        return 2
    for name in wanted or names:
        print(f"== {name}", flush=True)
        importlib.import_module(f"tests.bench.bench_{name}").run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
