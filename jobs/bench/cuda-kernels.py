"""Every CUDA kernel compiled for several GPUs without one, through our own JNI library and NVRTC (from PyPI, jobs/python/cuda.txt).

Prints the time and the size of the machine code per architecture and type; with --resources also each kernel's registers, spills
and shared memory, where a cuobjdump is on the path.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from frame import ROOT, venv


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architectures", default="80,90,100", help="compute capabilities times ten")
    parser.add_argument("--resources", action="store_true", help="per kernel, by cuobjdump")
    parser.add_argument("--java", default="java")
    parser.add_argument("--classpath", default=str(ROOT / "jobs/target/caravan.jar"))
    arguments = parser.parse_args()
    objdump = shutil.which("cuobjdump")
    if arguments.resources and objdump is None:
        sys.exit("cuda-kernels: --resources needs cuobjdump on the path (CUDA toolkit)")
    libraries = next((venv("jobs/python/cuda.txt") / "lib").glob("python*/site-packages/nvidia/cu13/lib"))
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.java, "--add-modules", "jdk.incubator.vector", "-cp", arguments.classpath,
                   "caravan.model.engine.cuda.CudaBench", "compile", f"architectures={arguments.architectures}", f"out={folder}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "CARAVAN_CUDA_LIBRARIES": str(libraries)})
        found = [json.loads(line[6:]) for line in done.stdout.splitlines() if line.startswith("BENCH ")]
        if done.returncode != 0:
            sys.exit(f"cuda-kernels: the compiler ended with status {done.returncode}")
        print(f"{'target':10}{'type':8}{'kernels':>8}{'KiB':>8}{'seconds':>9}")
        for f in found:
            print(f"{f['architecture']:10}{f['type']:8}{f['kernels']:8}{f['bytes'] >> 10:8}{f['seconds']:9.1f}")
        if arguments.resources:
            for image in sorted(Path(folder).glob("*.cubin")):
                print(image.name)
                print(subprocess.run([objdump, "--dump-resource-usage", image], stdout=subprocess.PIPE, text=True).stdout)
    print("RESULT " + json.dumps(found))


if __name__ == "__main__":
    main()
