# spack repo add packaging/spack && spack install lmtrain
from pathlib import Path

from spack.package import *

SOURCE = Path(__file__).resolve().parents[4]


class Lmtrain(CMakePackage):
    """Distributed training of language models in C++, with a report of energy and emissions."""

    homepage = SOURCE.as_uri()
    git = SOURCE.as_uri()

    license("Apache-2.0")
    version("main", branch="main")

    variant("cuda", default=False, description="Train on NVIDIA GPUs, over NCCL")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("mpi")
    depends_on("hdf5~mpi")
    depends_on("yaml-cpp")
    depends_on("spdlog")
    depends_on("cli11")
    depends_on("nlohmann-json")
    depends_on("xxhash")
    depends_on("zlib-api")
    depends_on("openssl")
    depends_on("zstd")
    depends_on("cpp-httplib")
    depends_on("py-torch@2.11:~cuda", when="~cuda")
    depends_on("py-torch@2.11:+cuda", when="+cuda")
    depends_on("nccl", when="+cuda")
    depends_on("cuda", when="+cuda")

    generator("ninja")

    def cmake_args(self):
        torch = join_path(self.spec["py-torch"].package.module.python_platlib, "torch")
        return [
            self.define("LIBTORCH", torch),
            self.define("LMTRAIN_TESTS", False),
            self.define_from_variant("LMTRAIN_CUDA", "cuda"),
        ]
