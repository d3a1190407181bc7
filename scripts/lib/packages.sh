# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# packages.sh: the Debian packages that building, serving and testing need, and how a missing one gets here.
# Sourced by scripts/serve and scripts/test.
#
#   need_packages [@GROUP | PACKAGE | PACKAGE|ALTERNATIVE]...
#
# returns at once where all are installed (some 30 ms), installs what is missing and says so first, or ends the
# script with one line and status 1. NO_INSTALL=1 means: never install. Where there is no dpkg nothing is checked.

# packages_group NAME - the members of @NAME, one a line
packages_group() {
	case $1 in
	build) printf '%s\n' autoconf automake make gcc libc6-dev pkg-config libfcgi-dev libjson-c-dev libconfig-dev \
		libssl-dev libcrypt-dev ;;
	serve) printf '%s\n' nginx curl perl ;;
	test) printf '%s\n' perl openssl strace spawn-fcgi git shellcheck docker-registry 'docker.io|docker-ce' iptables podman \
		crun netavark skopeo busybox-static mandoc bash rsync prometheus ;;
	# What the families 1 to 5 and the unit tests need beyond these.
	test-http) printf '%s\n' perl openssl strace procps iproute2 ;;
	images) printf '%s\n' debootstrap debian-archive-keyring docker-compose slirp4netns iproute2 dpkg-dev debhelper \
		lintian systemd ;;
	ci) printf '%s\n' clang libclang-rt-14-dev llvm valgrind xz-utils ;;
	*) echo "packages.sh: no group @$1" >&2; return 1 ;;
	esac
}

# packages_missing PACKAGE... - those of which no alternative is installed (the first alternative's name), one a line
packages_missing() (
	# shellcheck disable=SC2016
	have=$(printf '%s\n' "$@" | tr '|' '\n' |
		xargs dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p')
	for want in "$@"; do
		found=
		rest=$want'|'
		while [ -n "$rest" ]; do
			one=${rest%%|*}
			rest=${rest#*|}
			if printf '%s\n' "$have" | grep -qxF -e "$one"; then
				found=1
				break
			fi
		done
		[ -n "$found" ] || printf '%s\n' "${want%%|*}"
	done
)

# packages_install PACKAGE... - by apt-get; no service is started by it, and no package removed for it
packages_install() (
	policy=/usr/sbin/policy-rc.d
	export DEBIAN_FRONTEND=noninteractive
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		trap 'exit 130' INT
		trap 'exit 143' TERM HUP
		printf '#!/bin/sh\nexit 101\n' > "$policy" && chmod 755 "$policy" || exit 1
	fi
	apt-get -qq -o DPkg::Lock::Timeout=300 update </dev/null >&2 ||
		echo "apt-get update failed; trying with the package lists that are here" >&2
	apt-get -qq -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
		install "$@" </dev/null >&2
)

# need_packages - see above
need_packages() {
	command -v dpkg-query >/dev/null 2>&1 || return 0
	need_packages_missing=$(
		for need_packages_arg in "$@"; do
			case $need_packages_arg in
			@*) packages_group "${need_packages_arg#@}" || exit 1 ;;
			*) printf '%s\n' "$need_packages_arg" ;;
			esac
		done | {
			set --
			while read -r need_packages_arg; do
				set -- "$@" "$need_packages_arg"
			done
			packages_missing "$@" | tr '\n' ' '
		}
	)
	need_packages_missing=${need_packages_missing% }
	[ -n "$need_packages_missing" ] || return 0
	if [ "${NO_INSTALL:-0}" = 1 ]; then
		echo "missing packages, and not to install any: $need_packages_missing" >&2
		exit 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "missing packages; as root: apt-get install --no-install-recommends $need_packages_missing" >&2
		exit 1
	fi
	echo "installing with apt-get: $need_packages_missing" >&2
	# shellcheck disable=SC2086
	if ! packages_install $need_packages_missing; then
		echo "could not install: $need_packages_missing" >&2
		exit 1
	fi
}
