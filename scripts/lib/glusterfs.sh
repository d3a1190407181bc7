# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# glusterfs.sh: a GlusterFS of three servers with a replica each, for scripts/machines, which sources it.
#
# It uses what scripts/machines has: run (a directory), volume, net, level (of nice), space, plug, in_space, keep, tries, fail. Each server has
# namespaces of its own, in which /var/lib/glusterd, /run and /var/log/glusterfs are directories of its own.

: "${run:?}" "${volume:?}" "${net:?}" "${level:?}"

# shellcheck disable=SC2034
fs_packages=@glusterfs
# What doc/MACHINES.md recommends: names and attributes are asked of the servers each time. acl: the client looks at permissions, and not the
# kernel, which would ask for the attributes of each component of a path once more.
fs_options='acl,attribute-timeout=0,entry-timeout=0,negative-timeout=0'

gluster_server() {
	local dir=$run/storage/server$1 one
	mkdir -p "$dir/lib" "$dir/run" "$dir/log" "$dir/brick" || return 1
	space "server$1" --net --mount --pid --mount-proc --ipc --uts || exit 1
	plug "server$1" "$net.$((20 + $1))" || return 1
	for one in lib:/var/lib/glusterd run:/run log:/var/log/glusterfs; do
		mkdir -p "${one#*:}"
		(in_space "server$1" mount --bind "$dir/${one%%:*}" "${one#*:}") || return 1
	done
	keep "glusterd$1" in_space "server$1" glusterd -N --log-file="$dir/log/glusterd.log" --pid-file="$dir/glusterd.pid"
}
gluster_cli() {
	(in_space server1 gluster --mode=script "$@")
}
gluster_connected() {
	[ "$(gluster_cli pool list | grep -c Connected)" = 3 ]
}

fs_begin() {
	local i bricks=() option
	for i in 1 2 3; do
		gluster_server "$i" || return 1
		bricks+=("$net.$((20 + i)):$run/storage/server$i/brick")
	done
	tries 300 gluster_cli pool list || return 1
	tries 100 gluster_cli peer probe "$net.22" && tries 100 gluster_cli peer probe "$net.23" && tries 300 gluster_connected || return 1
	tries 50 gluster_cli volume create store replica 3 "${bricks[@]}" force || return 1
	# Each of these keeps what another machine may have changed. ping-timeout: until a server that is gone is given up, and until
	# servers free the locks of a client that is.
	for option in performance.quick-read performance.io-cache performance.stat-prefetch performance.readdir-ahead performance.open-behind \
		performance.write-behind performance.read-ahead performance.client-io-threads; do
		gluster_cli volume set store "$option" off >> "$run/log/volume" || return 1
	done
	# A client counts what it asks for only if it measures how long that takes as well.
	gluster_cli volume set store diagnostics.count-fop-hits on >> "$run/log/volume" &&
		gluster_cli volume set store diagnostics.latency-measurement on >> "$run/log/volume" &&
		gluster_cli volume set store network.ping-timeout 10 >> "$run/log/volume" &&
		gluster_cli volume set store cluster.quorum-type auto >> "$run/log/volume" &&
		gluster_cli volume start store >> "$run/log/volume"
}

# fs_mount NUMBER - in the machine's namespaces
fs_mount() {
	local words=() option options=${mount_options:-$fs_options}
	for option in ${options//,/ }; do
		words+=("--$option")
	done
	in_machine "$1" glusterfs -N --log-file="$run/log/glusterfs$1" --volfile-server="$net.21" --volfile-server="$net.22" \
		--volfile-id=store "${words[@]}" "$volume"
}
