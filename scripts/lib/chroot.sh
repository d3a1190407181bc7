# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# chroot.sh: a Debian of another release or for another architecture, in a directory of build/cache.
# Sourced by scripts/debian and scripts/arm64, which set `top` (the checkout, absolute) first and run as root.
#
#   chroot_make NAME SUITE SETUP [PACKAGE]...
#
# makes build/cache/NAME with debootstrap, runs the shell text SETUP in it and installs the packages. An existing chroot is
# kept if SUITE, SETUP and the packages are still the same. Sets root to its path. The calling process locks the chroot until
# it ends.
#
#   chroot_sources            copies the checkout without build results to /berth in the chroot
#   chroot_run COMMAND        replaces this process by a shell in the chroot, in /berth, with namespaces of its own for
#                             processes, mounts and the network, which has only a loopback interface
#
# shellcheck source=scripts/lib/packages.sh
. "${top:?is to be set before chroot.sh is sourced}/scripts/lib/packages.sh"

# chroot_base - set base to the tar of chroot_suite's bare Debian. It is kept as t/lib/Berth/Image.pm keeps it, for both.
chroot_base() {
	base=$top/build/cache/base-$chroot_suite.tar
	base_sum=sha256:$(sha256sum < "$top/docker/base" | cut -d ' ' -f 1)
	# shellcheck disable=SC2094
	(
		flock 8
		[ ! -e "$base" ] || [ "$(cat "$base.sum" 2>/dev/null)" != "$base_sum" ] || exit 0
		"$top/docker/base" --suite "$chroot_suite" --tar "$base" && printf %s "$base_sum" > "$base.sum"
	) 8>>"$base.lock"
}

chroot_make() {
	[ "$(id -u)" = 0 ] || { echo "${0##*/}: a chroot needs root" >&2; exit 1; }
	need_packages debootstrap debian-archive-keyring util-linux iproute2
	root=$top/build/cache/$1
	chroot_suite=$2 chroot_setup=$3
	shift 3
	mkdir -p "$top/build/cache"
	exec 9>>"$root.lock"
	flock 9
	chroot_sum=$({ cat "$top/docker/base"; echo "$chroot_suite $chroot_setup $*"; } | sha256sum)
	[ "$(cat "$root.sum" 2>/dev/null)" != "$chroot_sum" ] || return 0
	rm -rf --one-file-system "$root" "$root.sum"
	chroot_base && mkdir "$root" &&
		tar -C "$root" --numeric-owner -xf "$base" &&
		cp /etc/resolv.conf "$root/etc/resolv.conf" &&
		apt-config dump Acquire::http::Proxy > "$root/etc/apt/apt.conf.d/proxy" &&
		DEBIAN_FRONTEND=noninteractive chroot "$root" sh -ec "$chroot_setup"'
			apt-get -qq update
			apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "$@" >/dev/null 2>/tmp/install.log || {
				cat /tmp/install.log >&2
				exit 1
			}' sh "$@" || { echo "${0##*/}: cannot make $root" >&2; exit 1; }
	printf '%s\n' "$chroot_sum" > "$root.sum"
}

chroot_sources() {
	rm -rf --one-file-system "$root/berth"
	mkdir "$root/berth"
	(cd "$top" && tar --exclude=./build --exclude='./build-*' --exclude=./.git --exclude=./data --exclude=./autom4te.cache \
		--exclude=./configure --exclude=./Makefile.in --exclude=./aclocal.m4 -cf - .) |
		tar -C "$root/berth" --no-same-owner -xf -
}

chroot_run() {
	# When the first process of the namespace ends, the kernel kills the others.
	# shellcheck disable=SC2016
	exec unshare --mount --pid --net --ipc --fork --kill-child sh -c '
		ip link set lo up
		mount --make-rprivate / && mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
			mount --rbind /sys "$1/sys" && mount -t tmpfs -o mode=1777 tmpfs "$1/tmp" &&
			mount -t tmpfs -o mode=755 tmpfs "$1/run" || exit 1
		# The root of the namespace, not of this process alone: containers are started in it.
		cd "$1" && pivot_root . mnt || exit 1
		exec env -u PROVE_FLAGS -u PERL5LIB -u TALLY /bin/sh -c "umount -l /mnt && cd /berth && $2"' sh "$root" "$1"
}
