#!/usr/bin/env python3
"""Checks every #include below libnlb/ and tools/ against the table of libnlb/README.md. Exits 1 and names each breach."""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
# What a pure header may include besides the standard library: the result type is part of every interface.
PURE_THIRD_PARTY = {"tl/expected.hpp"}
# Sockets, clocks, threads, files and locks: never in a pure folder.
OUTSIDE = re.compile(r"^(thread|mutex|shared_mutex|condition_variable|future|fstream|filesystem|iostream|unistd\.h|"
                     r"sys/(socket|epoll|file|stat|ioctl|mman)\.h|fcntl\.h|signal\.h|csignal|pthread\.h|boost/asio.*|grpc.*|zmq.*)$")
# The one allowance: a pure folder whose row says so may open and read files, in its sources. Reading needs no more than these.
READS_FILES, READING = "reads files", {"fcntl.h", "sys/stat.h", "unistd.h"}


def read_table(text):
    """Folder to the set of folders it may include; which folders are pure; and which of these may read files."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")]
    allowed, edges, pure, readers = {}, {}, set(), set()
    for folder, _, outside, may in rows:
        name = folder.strip("`")
        if READS_FILES in outside:
            readers.add(name)
        if "every pure folder" in may:
            allowed[name], edges[name] = None, {word.strip() for word in may.split(",")[1:]}   # edges that it stands on, by name
        else:
            pure.add(name)
            allowed[name] = {word.strip(" `") for word in may.split(",")} - {"nothing", "nothing else"}
    for name in pure:
        allowed[name] |= {name}
    for name in allowed:
        if allowed[name] is None:
            allowed[name] = pure | {name, "daemon", "cli"} | edges[name]
    return allowed, pure, readers


def breaches(root):
    allowed, pure, readers = read_table((root / "libnlb/README.md").read_text())
    for path in sorted(root.glob("libnlb/*/*.[ch]pp")):
        folder, header = path.parent.name, path.suffix == ".hpp"
        codec = folder == "bus" and path.name.startswith("codec")   # the bus's pure half
        if folder not in allowed:
            yield f"{path}: the folder is missing in libnlb/README.md"
            continue
        may = pure | {"bus"} if codec else allowed[folder]
        for mark, name in INCLUDE.findall(path.read_text()):
            if name.startswith("tools/"):
                yield f"{path}: {name}: nothing includes a tool"
            elif name.startswith("libnlb/"):
                target = name.split("/")[1]
                if target not in may:
                    yield f"{path}: {name}: {folder} may include {', '.join(sorted(may))}"
                if codec and target == "bus" and not name.startswith("libnlb/bus/codec"):
                    yield f"{path}: {name}: the codec is pure and must not know the sockets"
            elif folder in pure or codec:
                reading = folder in readers and not header and name in READING
                if OUTSIDE.match(name) and not reading:
                    yield f"{path}: {name}: a pure folder touches nothing outside"
                third_party = "/" in name and not name.startswith(("sys/", "arpa/", "netinet/"))
                if header and mark == "<" and third_party and name not in PURE_THIRD_PARTY:
                    yield f"{path}: {name}: no third-party header in a pure header"
            if name == "boost/asio.hpp":
                yield f"{path}: {name}: include the parts that are used"
    for path in sorted(root.glob("tools/*/*.[ch]pp")):
        for _, name in INCLUDE.findall(path.read_text()):
            if name.startswith("tools/") and not name.startswith(f"tools/{path.parent.name}/") or name.startswith("../"):
                yield f"{path}: {name}: tools never include each other"


def self_test():
    """The check must be able to fail."""
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {"libnlb/README.md": "| `core` | x | none | nothing |\n| `route` | x | none | core |\n| `relay` | x | sockets | every pure folder |\n"
                                               "| `capture` | x | reads files | core |\n",
                           "libnlb/capture/d.cpp": "#include <fcntl.h>\n#include <sys/socket.h>\n", "libnlb/capture/d.hpp": "#include <fcntl.h>\n",
                           "libnlb/core/a.hpp": '#include "libnlb/route/b.hpp"\n#include <yaml-cpp/yaml.h>\n', "libnlb/route/b.cpp": "#include <thread>\n",
                           "libnlb/relay/c.cpp": "#include <boost/asio.hpp>\n", "tools/one/m.cpp": '#include "tools/two/x.hpp"\n'}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = list(breaches(root))
        assert len(found) == 7, found


if __name__ == "__main__":
    self_test()
    found = list(breaches(pathlib.Path(".")))
    print("\n".join(found))
    sys.exit(1 if found else 0)
