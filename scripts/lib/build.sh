# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# build.sh: an out-of-tree build that returns at once if everything is up to date.
# Sourced by scripts/serve and scripts/test, which set `top` (the checkout, absolute) first.
#
#   build_berth BUILDDIR [CONFIGURE OPTION]...
#
# builds the programs, and with BUILD_TARGETS="all check-programs" the unit tests, too. Without options it uses a configured
# BUILDDIR as it is; with options that differ from the configured ones it configures again and builds from scratch.
# Returns 0, or 1 after it has printed the end of the log on stderr. In the checkout it creates only files that git ignores.

: "${top:?is to be set before build.sh is sourced}"

# build_fresh DIR TARGETS - did the last build make these targets, and is no source newer?
build_fresh() {
	[ -x "$1/berth-fcgi" ] && [ -x "$1/berth-relay" ] && [ -x "$1/berth" ] || return 1
	case " $(cat "$1/.built" 2>/dev/null) " in
	*" $2 "*) ;;
	*) return 1 ;;
	esac
	[ -z "$(find "$top/configure.ac" "$top/Makefile.am" "$top/sources.am" "$top/m4" "$top/src" "$top/t/unit" "$top/t/fuzz" \
		"$top/t/tool" "$top/t/bench" "$top/web" "$top/scripts/web" -newer "$1/.built" -print -quit)" ]
}

# build_configure DIR STAMP [CONFIGURE OPTION]...
build_configure() {
	build_dir=$1 build_stamp=$2
	shift 2
	rm -f "$build_dir/.configured"
	(cd "$build_dir" && "$top/configure" "$@") &&
		make -C "$build_dir" clean &&
		printf '%s\n' "$build_stamp" > "$build_dir/.configured"
}

# build_autotools - create configure and Makefile.in if they are missing; one process at a time
build_autotools() {
	[ ! -e "$top/configure" ] || [ ! -e "$top/Makefile.in" ] || return 0
	# shellcheck disable=SC2094
	(flock 8 && cd "$top" && autoreconf -i) 8<"$top"
}

# build_berth - see above
build_berth() (
	targets=${BUILD_TARGETS:-all}
	mkdir -p "$1" && dir=$(cd "$1" && pwd) || exit 1
	shift
	exec 9<"$dir"
	flock 9
	had=$(cat "$dir/.configured" 2>/dev/null)
	want="$top $*"
	if [ $# -eq 0 ] && [ "${had#"$top "}" != "$had" ]; then
		want=$had
	fi
	if [ "$want" = "$had" ] && build_fresh "$dir" "$targets"; then
		exit 0
	fi
	echo "building in $dir" >&2
	echo "$targets" > "$dir/.building"
	# shellcheck disable=SC2086
	if {
		build_autotools &&
			{ [ "$want" = "$had" ] || build_configure "$dir" "$want" "$@"; } &&
			make -C "$dir" -j "$(nproc)" $targets
	} > "$dir/build.log" 2>&1 9<&-; then
		mv "$dir/.building" "$dir/.built"
	else
		tail -n 40 "$dir/build.log" >&2
		echo "the build failed; its whole output is in $dir/build.log" >&2
		exit 1
	fi
)
