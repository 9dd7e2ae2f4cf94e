"""The real projects that are built for timing and checking: one row each, and nothing else.

Commands are shell text run in the project's top folder. In them `$CC` and `$CXX` are the compilers, with the launcher in front;
`$LAUNCH` holds CMake's launcher options; `$JOBS` is the number of jobs. CMake builds get plain compilers and the launcher."""
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Project:
    source: str  # name of the Debian source package, NAME@VERSION on crates.io, or pypi/NAME@VERSION
    needs: tuple[str, ...]  # Debian packages for building, beside a compiler and make
    configure: str
    build: str
    clean: str
    header: str  # a header that much of it includes; touched for the `touched` time
    objects: str = "."  # the folder whose object and dependency files are compared
    cmake: bool = False
    env: dict[str, str] = field(default_factory=dict)  # pins what the build would take from the clock
    cargo: bool = False  # built by cargo; the launcher is its RUSTC_WRAPPER
    left: bool = False  # what build scripts leave is compared, too
    excused: int = 0  # units that may miss in the warm build, for a reason of the project's own


CMAKE = "cmake -B build $LAUNCH -DCMAKE_BUILD_TYPE=Release"
# Objects for link time optimisation carry random names, so two plain builds differ in all of them.
NO_LTO = "-DCMAKE_BUILD_TYPE=RelWithDebInfo"

# Debian's own makefile for Lua wants libtool and its multiarch header; this one only compiles.
LUA_MAKEFILE = r"""
echo '#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"' > src/lua5.4-deb-multiarch.h
cat > src/objects.mk <<'END'
OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))
all: $(OBJECTS)
%.o: %.c
	$(CC) -O2 -Wall -MD -c -o $@ $<
clean:
	rm -f $(OBJECTS) $(OBJECTS:.o=.d)
-include $(OBJECTS:.o=.d)
END
"""

# `make clean` would also delete cmd-parse.c, and this machine's bison makes another one than the package has.
TMUX_CLEAN = "find . -name '*.o' -delete && rm -f tmux"

# What needs no other libraries.
POCO_PARTS = " ".join(f"-DENABLE_{part}=OFF" for part in (
    "DATA", "CRYPTO", "NETSSL", "JWT", "ACTIVERECORD", "ACTIVERECORD_COMPILER", "PAGECOMPILER", "PAGECOMPILER_FILE2PAGE"))

GIT_SWITCHES = "NO_GETTEXT=1 NO_TCLTK=1 NO_PERL=1 NO_PYTHON=1 NO_CURL=1 NO_EXPAT=1 NO_OPENSSL=1"


def program(source: str, source_file: str = "src/main.rs", profile: str = "", excused: int = 0,
            needs: tuple[str, ...] = ()) -> Project:
    """A program on crates.io or PyPI, built by cargo."""
    build = f"cargo build --locked --offline -j$JOBS {profile}"
    return Project(source, needs, ":", build, "rm -r target", source_file, "target", cargo=True, env={"CARGO_INCREMENTAL": "0"},
                   excused=excused)


PROJECTS = {
    "zlib": Project("zlib", (), "./configure", "make -j$JOBS", "make clean", "zlib.h"),
    "lua5.4": Project("lua5.4", (), LUA_MAKEFILE, 'make -C src -f objects.mk -j$JOBS CC="$CC"',
                      "make -C src -f objects.mk clean", "src/lua.h", "src"),
    "jq": Project("jq", ("autoconf", "automake", "libtool", "bison", "flex"),
                  "autoreconf -fi && ./configure --without-oniguruma --disable-maintainer-mode",
                  "make -j$JOBS", "make clean", "src/jv.h"),
    "tmux": Project("tmux", ("autoconf", "automake", "bison", "libevent-dev", "libncurses-dev", "pkg-config"),
                    "./configure", "make -j$JOBS", TMUX_CLEAN, "tmux.h"),
    "redis": Project("redis", ("pkg-config",), ":", 'make -j$JOBS MALLOC=libc CC="$CC" CXX="$CXX"',
                     "make distclean", "src/server.h", env={"SOURCE_DATE_EPOCH": "1700000000"}),
    "ninja-build": Project("ninja-build", ("cmake", "ninja-build"), f"{CMAKE} {NO_LTO} -G Ninja", "ninja -C build -j$JOBS",
                           "ninja -C build -t clean", "src/state.h", "build", cmake=True),
    "libuv1": Project("libuv1", ("cmake",), f"{CMAKE} -DLIBUV_BUILD_TESTS=ON", "make -C build -j$JOBS",
                      "make -C build clean", "include/uv.h", "build", cmake=True),
    "git": Project("git", ("zlib1g-dev",), ":", f'make -j$JOBS {GIT_SWITCHES} CC="$CC"',
                   f"make {GIT_SWITCHES} clean", "cache.h"),
    "googletest": Project("googletest", ("cmake",), f"{CMAKE} -Dgtest_build_tests=ON -Dgtest_build_samples=ON",
                          "make -C build -j$JOBS", "make -C build clean", "googletest/include/gtest/gtest.h", "build",
                          cmake=True),
    "poco": Project("poco", ("cmake",), f"{CMAKE} {POCO_PARTS}", "make -C build -j$JOBS", "make -C build clean",
                    "Foundation/include/Poco/Foundation.h", "build", cmake=True),
    "hyperfine": program("hyperfine@1.19.0"),
    "hyperfine-release": program("hyperfine@1.19.0", profile="--release"),
    "ripgrep": program("ripgrep@14.1.1", "crates/core/main.rs"),
    "ripgrep-release": program("ripgrep@14.1.1", "crates/core/main.rs", "--release"),
    "just": program("just@1.40.0"),
    "tokei": program("tokei@12.1.2"),
    # The archive of jemalloc, which a build script makes, is another one each time.
    "fd-find": program("fd-find@10.2.0", excused=2),
    # C libraries by the crate `cc`: libgit2, oniguruma, zlib.
    "git-delta": program("git-delta@0.18.2"),
    # The same, and a macro that runs git.
    "bat": program("bat@0.25.0", "src/bin/bat/main.rs"),
    # A shared library for C, with many macros.
    "pydantic-core": program("pypi/pydantic-core@2.50.5", "src/lib.rs"),
    # A workspace with a shared library, and C by build scripts.
    "cryptography": program("pypi/cryptography@50.0.2", "src/rust/src/lib.rs",
                            needs=("libssl-dev", "pkg-config", "python3-dev", "python3-cffi", "python3-setuptools")),
    # A workspace of 226 packages.
    "typos": program("pypi/typos@1.52.0", "crates/typos-cli/src/lib.rs"),
    # More than 400 crates; zstd, bzip2 and others in C.
    "maturin": program("pypi/maturin@1.16.0"),
}
