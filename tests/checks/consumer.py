#!/usr/bin/env python3
"""A product that uses Briefwerk: built from the install tree with find_package, and with add_subdirectory.

consumer.py BUILD_DIR SOURCE_DIR CXX: installs BUILD_DIR into a fresh prefix, builds tests/consumer both ways and runs it.
"""
import pathlib
import shutil
import subprocess
import sys

build, source, compiler = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
work = build / "consumer"
shutil.rmtree(work, ignore_errors=True)
prefix = work / "prefix"


def run(*command):
    print("+", *command, flush=True)
    subprocess.run([str(c) for c in command], check=True)


def libraries(program):
    return subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout


common = ["-G", "Ninja", f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Debug",
          "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"]
run("cmake", "--install", build, "--prefix", prefix)
unit = prefix / "lib/systemd/system/briefwerkd.service"
if unit.exists() and f"ExecStart={prefix}/bin/briefwerkd " not in unit.read_text():
    sys.exit("the systemd unit starts another program than the one that was installed")

run("cmake", "-S", source / "tests/consumer", "-B", work / "package", *common, f"-DCMAKE_PREFIX_PATH={prefix}")
run("cmake", "--build", work / "package")
run(work / "package/receiver", "--self-check")
run(work / "package/grammar")
for name in ("libssl", "libcrypto", "librocksdb", "libcares"):
    if name in libraries(work / "package/grammar"):
        sys.exit(f"a product that links only Briefwerk::protocol loads {name}")

# Only the room asked for, with the libraries of the others hidden from CMake.
run("cmake", "-S", source / "tests/consumer", "-B", work / "protocol_only", *common, f"-DCMAKE_PREFIX_PATH={prefix}",
    "-DPROTOCOL_ONLY=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_BoringSSL=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_RocksDB=ON",
    "-DCMAKE_DISABLE_FIND_PACKAGE_CAres=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_Psl=ON",
    "-DCMAKE_DISABLE_FIND_PACKAGE_EXPAT=ON", "-DCMAKE_DISABLE_FIND_PACKAGE_Xapian=ON")
run("cmake", "--build", work / "protocol_only")
run(work / "protocol_only/grammar")

run("cmake", "-S", source / "tests/consumer", "-B", work / "subdirectory", *common, f"-DBRIEFWERK_SOURCE={source}",
    "-DPROTOCOL_ONLY=ON")
run("cmake", "--build", work / "subdirectory", "--target", "grammar")
run(work / "subdirectory/grammar")
print("both ways work")
