#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds the libraries with which QEMU is cross-built for Windows: glib and what
# it needs, and pixman and libfdt for the system emulator.  Debian has the
# compiler and zlib ready made; these are built from its source archive.
#
# usage: windows-libs.sh FOLDER
#
#   FOLDER   gets bin/ (the cross tools under their plain names), include/,
#            lib/, dll/ (what a program needs at run time); made again when a
#            source or this script has changed
#
# If pixman or libfdt cannot be had FOLDER is made without them, and lacks
# lib/libfdt.a: the tools and unit tests of QEMU can do without.
#
# Only glib and gthread are built of glib: QEMU uses no more of it.  libffi,
# which glib's gobject would need, is therefore only a name; the translation
# functions are a stub that translates nothing.

. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

HOST=x86_64-w64-mingw32

# The cross tools: the compiler with POSIX threads, not the other kind that Debian
# has too; it finds what is in FOLDER.  The compiler cache is left out: it cannot
# be had together with qemu.sh's precompiled header, which saves more.
tools() {
    local tool
    mkdir -p "$folder/bin"
    for tool in gcc g++; do
        printf '#!/bin/sh\nexec /usr/bin/%s-%s-posix -I%s/include -L%s/lib "$@"\n' \
            "$HOST" "$tool" "$folder" "$folder" >"$folder/bin/$HOST-$tool"
    done
    cat >"$folder/bin/$HOST-pkg-config" <<END
#!/bin/sh
PKG_CONFIG_LIBDIR='$folder/lib/pkgconfig:/usr/$HOST/lib/pkgconfig'
export PKG_CONFIG_LIBDIR
exec /usr/bin/pkg-config "\$@"
END
    chmod +x "$folder/bin"/*
    cat >"$folder/cross.ini" <<END
[binaries]
c = '$folder/bin/$HOST-gcc'
cpp = '$folder/bin/$HOST-g++'
ar = '$HOST-gcc-ar-posix'
strip = '$HOST-strip'
windres = '$HOST-windres'
pkgconfig = '$folder/bin/$HOST-pkg-config'

[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
END
}

# usage: archive NAME FLAGS FILE...: compiles the files to $folder/lib/libNAME.a
archive() {
    local name=$1 flags=$2 objects=$work/$1.o
    shift 2
    rm -rf "$objects" && mkdir -p "$objects" || return
    # shellcheck disable=SC2016
    printf '%s\n' "$@" | xargs -P "$(jobs_wanted)" -I{} sh -c \
        '"$1" -O2 $2 -c "$4" -o "$3/$(basename "$4" .c).o"' \
        - "$folder/bin/$HOST-gcc" "$flags" "$objects" {} || return
    "$HOST-gcc-ar-posix" rcs "$folder/lib/lib$name.a" "$objects"/*.o
}

# usage: describe NAME VERSION LIBS [CFLAGS]: a pkg-config file
describe() {
    printf '%s\n' "Name: $1" "Description: $1" "Version: $2" \
        "Libs: -L$folder/lib $3" "Cflags: -I$folder/include ${4:-}" >"$folder/lib/pkgconfig/$1.pc"
}

stubs() {
    mkdir -p "$folder/include" "$folder/lib/pkgconfig" "$work" || return
    cat >"$folder/include/libintl.h" <<'END'
#ifndef LIBINTL_H
#define LIBINTL_H
char *gettext(const char *text);
char *dgettext(const char *domain, const char *text);
char *dcgettext(const char *domain, const char *text, int category);
char *ngettext(const char *one, const char *many, unsigned long n);
char *dngettext(const char *domain, const char *one, const char *many,
                unsigned long n);
char *textdomain(const char *domain);
char *bindtextdomain(const char *domain, const char *folder);
char *bind_textdomain_codeset(const char *domain, const char *codeset);
#endif
END
    cat >"$work/intl.c" <<'END'
#include "libintl.h"
char *gettext(const char *t) { return (char *)t; }
char *dgettext(const char *d, const char *t) { return (char *)t; }
char *dcgettext(const char *d, const char *t, int c) { return (char *)t; }
char *ngettext(const char *o, const char *m, unsigned long n)
{ return (char *)(n == 1 ? o : m); }
char *dngettext(const char *d, const char *o, const char *m, unsigned long n)
{ return (char *)(n == 1 ? o : m); }
char *textdomain(const char *d) { return (char *)d; }
char *bindtextdomain(const char *d, const char *f) { return (char *)f; }
char *bind_textdomain_codeset(const char *d, const char *c) { return (char *)c; }
END
    archive intl "" "$work/intl.c" || return
    describe libffi 3.4 ""
}

# As its file NON-AUTOTOOLS-BUILD describes; only the 8-bit library.
pcre2() {
    local src=$sources/pcre2/src files=() file
    cp "$src/config.h.generic" "$src/config.h" &&
        cp "$src/pcre2.h.generic" "$src/pcre2.h" &&
        cp "$src/pcre2_chartables.c.dist" "$src/pcre2_chartables.c" || return
    # the library's own sources: those that no program of the package is made of,
    # and that no other source includes
    for file in "$src"/pcre2_*.c; do
        case ${file##*/} in
        pcre2_dftables.c | pcre2_fuzzsupport.c | pcre2_jit_match.c | pcre2_jit_misc.c | \
            pcre2_jit_test.c | pcre2_printint.c | pcre2_ucptables.c) ;;
        *) files+=("$file") ;;
        esac
    done
    archive pcre2-8 "-I$src -DHAVE_CONFIG_H -DPCRE2_CODE_UNIT_WIDTH=8 -DPCRE2_STATIC -DSUPPORT_UNICODE" \
        "${files[@]}" || return
    cp "$src/pcre2.h" "$folder/include/" &&
        describe libpcre2-8 10.42 -lpcre2-8 -DPCRE2_STATIC
}

glib() {
    local build=$work/glib
    rm -rf "$build"
    meson setup "$build" "$sources/glib2.0" --cross-file "$folder/cross.ini" --prefix "$folder" \
        --libdir lib --buildtype plain -Dc_args=-O1 -Dtests=false -Dnls=disabled \
        -Dglib_assert=false -Dwrap_mode=nodownload || return
    ninja -C "$build" -j "$(jobs_wanted)" \
        glib/libglib-2.0-0.dll gthread/libgthread-2.0-0.dll || return
    mkdir -p "$folder/include/glib-2.0/glib/deprecated" "$folder/lib/glib-2.0/include" "$folder/dll" || return
    cp "$sources/glib2.0/glib"/*.h "$build"/glib/*.h "$folder/include/glib-2.0/glib/" &&
        cp "$sources/glib2.0/glib/deprecated"/*.h "$folder/include/glib-2.0/glib/deprecated/" &&
        mv "$folder/include/glib-2.0/glib/glib.h" "$folder/include/glib-2.0/" || return
    # QEMU includes it, and calls nothing from there
    cp "$sources/glib2.0/gmodule/gmodule.h" "$folder/include/glib-2.0/" || return
    cp "$build/glib/glibconfig.h" "$folder/lib/glib-2.0/include/" &&
        cp "$build/glib/libglib-2.0.dll.a" "$build/gthread/libgthread-2.0.dll.a" "$folder/lib/" &&
        cp "$build/meson-private/glib-2.0.pc" "$build/meson-private/gthread-2.0.pc" "$folder/lib/pkgconfig/" &&
        cp "$build/glib/libglib-2.0-0.dll" "$build/gthread/libgthread-2.0-0.dll" "$folder/dll/"
}

pixman() {
    local build=$work/pixman off=() option
    rm -rf "$build"
    # plain C will do: nothing is drawn
    for option in mmx sse2 ssse3 openmp gtk libpng tests; do
        off+=("-D$option=disabled")
    done
    meson setup "$build" "$sources/pixman" --cross-file "$folder/cross.ini" --prefix "$folder" \
        --libdir lib --buildtype plain -Dc_args=-O2 --default-library static "${off[@]}" || return
    ninja -C "$build" -j "$(jobs_wanted)" pixman/libpixman-1.a || return
    cp "$build/pixman/libpixman-1.a" "$folder/lib/" &&
        cp "$sources/pixman/pixman/pixman.h" "$build/pixman/pixman-version.h" "$folder/include/" &&
        describe pixman-1 0.42.2 -lpixman-1
}

fdt() {
    local src=$sources/device-tree-compiler/libfdt
    archive fdt "-I$src" "$src"/fdt*.c || return
    cp "$src"/{fdt,libfdt,libfdt_env}.h "$folder/include/" && describe libfdt 1.6 -lfdt
}

dlls() {
    cp /usr/lib/gcc/$HOST/*-posix/libgcc_s_seh-1.dll /usr/lib/gcc/$HOST/*-posix/libssp-0.dll \
        /usr/$HOST/lib/libwinpthread-1.dll /usr/$HOST/lib/zlib1.dll "$folder/dll/"
}

folder=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help) print_help "$0"; exit 0 ;;
    -*) die "unknown option $1" ;;
    *) folder=$1 ;;
    esac
    shift
done
[ -n "$folder" ] || die "where to? a folder is needed"
need_commands "building for Windows" meson=meson ninja=ninja-build pkg-config=pkg-config \
    "$HOST-gcc-posix=gcc-mingw-w64-x86-64-posix" "$HOST-g++-posix=g++-mingw-w64-x86-64-posix"
[ -e "/usr/$HOST/lib/libz.a" ] ||
    cannot "zlib for Windows is missing; install it with: apt-get install --no-install-recommends libz-mingw-w64-dev"
take_build_folder
use_ccache

sources=$BUILD/windows/src
work=$BUILD/windows/work
log=$BUILD/log/windows

# usage: get PACKAGE
get() { guarded "$SCRIPTS/source.sh" --orig "$1" "$sources/$1"; }

for package in glib2.0 pcre2; do
    get "$package" || cannot "Windows needs the source of $package"
done
system=(pixman fdt)
{ get pixman && get device-tree-compiler; } || system=()

key=$(cat "$sources"/*/.aio-wakeup-source "$0" | sha256sum | cut -c1-16)
[ "$(cat "$folder/key" 2>/dev/null || :)" != "$key" ] || exit 0
need_space "$BUILD" 300 "the libraries for Windows"
rm -rf "$folder" "$work"
step "setting up the cross tools" "$log-tools.log" tools || cannot "$folder cannot be written"
for library in stubs pcre2 glib "${system[@]}" dlls; do
    step "building for Windows: $library" "$log-$library.log" "$library" ||
        cannot "$library does not build; the whole log is $log-$library.log"
done
printf '%s\n' "$key" >"$folder/key"
