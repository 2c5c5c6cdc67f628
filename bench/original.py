"""The shapes of work that the original is measured by, on the original.

    python original.py SHAPE DIRECTORY SECONDS BYTES

prints a JSON object: seconds taken, operations done, CPU seconds used.
A registry is opened as in its own benchmark suites: versioned, mutable, local.
"""

import json
import os
import random
import resource
import sys
import time


def main():
    shape, directory, limit, size = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    from mindtrace.registry import Registry

    registry = Registry(backend=directory, version_objects=True, mutable=True)
    payload = os.urandom(size)
    rng = random.Random(0)
    seeds = [f"bench:seed:{i:08d}" for i in range(100)]

    def load(name, **version):
        if registry.load(name, **version) != payload:
            raise ValueError("what was loaded is not what was saved")

    def write(i):
        registry.save(f"bench:{i:08d}", payload)

    def read(i):
        load(rng.choice(seeds))

    def mixed(i):
        if rng.random() < 0.8:
            read(i)
        else:
            write(i)

    def churn(i):
        name = f"bench:object-{i % 10:04d}"
        registry.save(name, payload, version=str(i // 10 + 1))
        load(name, version="latest")

    def large_save(i):
        registry.save(f"large:{i}", payload)

    def large_load(i):
        load("large:seed")

    operation = {
        "write": write, "read": read, "mixed": mixed, "churn": churn,
        "large-save": large_save, "large-load": large_load,
    }[shape]
    if shape in ("read", "mixed"):
        for name in seeds:
            registry.save(name, payload)
    if shape == "large-load":
        registry.save("large:seed", payload)

    used = cpu()
    begin = time.perf_counter()
    done = 0
    while time.perf_counter() - begin < limit:
        operation(done)
        done += 1
    took = time.perf_counter() - begin
    print(json.dumps({"Seconds": took, "Ops": done, "CPU": cpu() - used}))


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


main()
