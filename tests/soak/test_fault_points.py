"""The library that injects faults sees every call that changes a folder, whatever its path is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(sys.platform != "linux", reason="preloads a library of Linux"),
]

CALLS = """
import ctypes, os, shutil
faults = ctypes.CDLL(os.environ["LD_PRELOAD"])
faults.arm.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p]
faults.counted.restype = ctypes.c_long
here = os.getcwd()
def count(name, job):
    faults.arm(0, 0, here.encode())
    job()
    print(name, faults.counted())
open("source", "wb").write(b"x" * 100)
count("mkdir", lambda: os.mkdir("a"))
count("mkdirat", lambda: os.mkdir("b", dir_fd=os.open("a", os.O_RDONLY)))
count("new file", lambda: open(here + "/a/f", "w").close())
count("file that is there", lambda: open("a/f", "a").close())
count("emptied file", lambda: open("a/f", "w").close())
count("file elsewhere", lambda: open("/dev/null", "w").close())
folder = os.open("a", os.O_RDONLY)
count("openat", lambda: os.open("g", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
count("renameat", lambda: os.rename("a/g", "h", dst_dir_fd=folder))
count("unlinkat", lambda: os.unlink("h", dir_fd=folder))
read, write = os.open("source", os.O_RDONLY), os.open("w", os.O_CREAT | os.O_WRONLY)
count("writev", lambda: os.writev(write, [b"a", b"b"]))
count("pwritev", lambda: os.pwritev(write, [b"a"], 0))
count("copy_file_range", lambda: os.copy_file_range(read, write, 10))
count("sendfile", lambda: os.sendfile(write, read, 0, 10))
count("tree of a file and a folder", lambda: shutil.rmtree("a"))
faults.arm(1, 28, here.encode())
try:
    os.mkdir("full")
except OSError as error:
    print(error.strerror, os.path.exists("full"))
"""
EXPECTED = """
mkdir 1
mkdirat 1
new file 1
file that is there 0
emptied file 1
file elsewhere 0
openat 1
renameat 1
unlinkat 1
writev 1
pwritev 1
copy_file_range 1
sendfile 1
tree of a file and a folder 3
No space left on device False
"""


def test_each_call_that_changes_a_folder_is_a_point(tmp_path: Path) -> None:
    library, source = tmp_path / "faults.so", Path(__file__).with_name("faults.c")
    built = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(built, check=True)
    folder = tmp_path / "watched"
    folder.mkdir()
    said = subprocess.run(
        [sys.executable, "-c", CALLS], cwd=folder, env=os.environ | {"LD_PRELOAD": str(library)},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout.strip() == EXPECTED.strip()
