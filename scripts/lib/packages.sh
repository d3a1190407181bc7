# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# packages.sh: the Debian packages that building, serving and testing need, for Debian 13 and 12. Installs missing ones.
# Sourced by the other scripts.
#
#   need_packages [@GROUP | PACKAGE | ALTERNATIVE|ALTERNATIVE...]...
#
# returns at once if all are installed (some 30 ms), announces and installs what is missing, or ends the script with one line
# and status 1. With NO_INSTALL=1 it never installs. Without dpkg it checks nothing.
#
# One installed alternative is enough. If none is, the first that apt knows on this release is installed. An alternative
# that begins with / is a file: if it exists, nothing is missing; it is never installed.

# packages_group NAME - the members of @NAME, one a line. The groups build and serve have no alternatives: others install
# them as they are.
packages_group() {
	case $1 in
	build) printf '%s\n' autoconf automake make gcc libc6-dev pkg-config libfcgi-dev libjson-c-dev libconfig-dev \
		libssl-dev libcrypt-dev libyaml-dev libevent-dev libcurl4-openssl-dev ;;
	serve) printf '%s\n' nginx curl perl ;;
	# The docker client is a package of its own from Debian 13 on.
	test) packages_group moosefs && printf '%s\n' perl openssl strace spawn-fcgi git shellcheck docker-registry 'docker.io|docker-ce' \
		'/usr/bin/docker|docker-cli|docker.io' iptables podman crun netavark skopeo busybox-static mandoc bash rsync \
		prometheus e2fsprogs xfsprogs btrfs-progs bindfs util-linux wrk chromium chromium-driver ;;
	# What the families 1 to 5 and the unit tests need beyond build and serve; without alternatives, too.
	test-http) printf '%s\n' perl openssl strace procps iproute2 ;;
	images) printf '%s\n' debootstrap debian-archive-keyring docker-compose slirp4netns iproute2 lintian systemd \
		'/usr/local/go/bin/go|golang-go' ca-certificates ;;
	# What scripts/machines needs beside serve and the packages of a file system.
	machines) printf '%s\n' iproute2 util-linux procps ;;
	moosefs) packages_group machines && printf '%s\n' moosefs-master moosefs-chunkserver moosefs-client ;;
	glusterfs) packages_group machines && printf '%s\n' glusterfs-server glusterfs-client attr ;;
	cephfs) packages_group machines && printf '%s\n' ceph-mon ceph-mgr ceph-mds ceph-osd ceph-common ceph-fuse uuid-runtime ;;
	clang) printf '%s\n' clang libclang-rt-dev llvm ;;
	ci) packages_group clang && printf '%s\n' valgrind xz-utils ;;
	*) echo "packages.sh: no group @$1" >&2; return 1 ;;
	esac
}

# packages_missing WANT... - those of which no alternative is there, as they are written, one a line
packages_missing() (
	# shellcheck disable=SC2016
	have=$(printf '%s\n' "$@" | tr '|' '\n' |
		xargs dpkg-query -W -f '${Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/ installed$//p')
	IFS='|'
	for want in "$@"; do
		for one in $want; do
			case $one in
			/*) [ ! -e "$one" ] || continue 2 ;;
			*) ! printf '%s\n' "$have" | grep -qxF -e "$one" || continue 2 ;;
			esac
		done
		printf '%s\n' "$want"
	done
)

# packages_known WANT... - of each the first alternative that apt knows on this release, one a line; of several the first
# package if apt knows none
packages_known() (
	IFS='|'
	for want in "$@"; do
		known=
		for one in ${want#/*|}; do
			: "${known:=$one}"
			if [ "$one" = "$want" ] || apt-cache policy "$one" | grep -q '^ *Candidate: [^(]'; then
				known=$one
				break
			fi
		done
		printf '%s\n' "$known"
	done
)

# packages_install WANT... - by apt-get; it starts no service and removes no package
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
		echo "apt-get update failed; using the package lists of the last update" >&2
	# shellcheck disable=SC2046
	set -- $(packages_known "$@")
	echo "installing with apt-get: $*" >&2
	apt-get -qq -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
		install "$@" </dev/null >&2 || { echo "could not install: $*" >&2; exit 1; }
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
			packages_missing "$@"
		}
	)
	[ -n "$need_packages_missing" ] || return 0
	# shellcheck disable=SC2086
	set -- $need_packages_missing
	need_packages_missing=$(packages_known "$@" | tr '\n' ' ')
	if [ "${NO_INSTALL:-0}" = 1 ]; then
		echo "missing packages, and not allowed to install any: ${need_packages_missing% }" >&2
		exit 1
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "missing packages; as root: apt-get install --no-install-recommends ${need_packages_missing% }" >&2
		exit 1
	fi
	packages_install "$@" || exit 1
}
