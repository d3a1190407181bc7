# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# cephfs.sh: a CephFS of one monitor, one manager, one metadata server and three servers of objects, for scripts/machines, which sources it.
#
# It uses what scripts/machines has: run (a directory), volume, hub_address, in_hub, keep, tries. All servers are in the hub's network. They
# know each other without keys: nobody but this machine reaches them.

: "${run:?}" "${volume:?}" "${hub_address:?}"

# shellcheck disable=SC2034
fs_packages=@cephfs
# What doc/MACHINES.md recommends: nothing. The servers see to it that no client believes a cache that is too old.
fs_options=''

ceph_conf() {
	local id
	id=$(uuidgen) || return 1
	cat <<-END
		[global]
		fsid = $id
		mon_host = [v2:$hub_address:3300]
		public_addr = $hub_address
		public_bind_addr = $hub_address
		auth_cluster_required = none
		auth_service_required = none
		auth_client_required = none
		run_dir = $run/storage/run
		admin_socket = $run/storage/run/\$name.asok
		log_file =
		log_to_stderr = true
		err_to_stderr = true
		mon_cluster_log_file = $run/log/cluster
		crash_dir = $run/storage/crash
		osd_crush_chooseleaf_type = 0
		osd_pool_default_size = 3
		osd_pool_default_min_size = 2
		osd_pool_default_pg_num = 8
		osd_pool_default_pg_autoscale_mode = off
		[mon]
		mon_data = $run/storage/mon
		mon_allow_pool_size_one = true
		[mgr]
		mgr_data = $run/storage/mgr
		[mds]
		mds_data = $run/storage/mds
		mds_cache_memory_limit = 128Mi
		[osd]
		osd_data = $run/storage/osd\$id
		osd_objectstore = bluestore
		osd_memory_target = 1Gi
		bluestore_block_size = 8Gi
		bluestore_cache_autotune = false
		bluestore_cache_size = 64Mi
		osd_op_num_shards = 2
		osd_op_num_threads_per_shard = 1
		[client]
		keyring = /dev/null
	END
}

# ceph_server KIND ID - in the foreground of its own, as all that is kept
ceph_server() {
	keep "$1$2" in_hub "ceph-$1" --conf "$run/ceph.conf" --id "$2" -f
}
ceph_cli() {
	(in_hub ceph --conf "$run/ceph.conf" --connect-timeout 10 "$@") >> "$run/log/ceph" 2>&1
}
ceph_osd() {
	local id=$1 uuid
	uuid=$(uuidgen) && mkdir "$run/storage/osd$id" && ceph_cli osd new "$uuid" "$id" &&
		(in_hub ceph-osd --conf "$run/ceph.conf" --id "$id" --mkfs --osd-uuid "$uuid") >> "$run/log/osd$id" 2>&1 &&
		ceph_server osd "$id"
}
ceph_active() {
	(in_hub ceph --conf "$run/ceph.conf" --connect-timeout 10 mds stat) 2>>"$run/log/ceph" | grep -q 'up:active'
}

fs_begin() {
	local id dir
	for dir in run crash mon mgr mds; do
		mkdir -p "$run/storage/$dir" || return 1
	done
	ceph_conf > "$run/ceph.conf" || return 1
	(in_hub ceph-mon --conf "$run/ceph.conf" --id a --mkfs) >> "$run/log/mona" 2>&1 && ceph_server mon a || return 1
	tries 100 ceph_cli status || return 1
	ceph_server mgr a
	ceph_server mds a
	for id in 0 1 2; do
		ceph_osd "$id" || return 1
	done
	# session_autoclose: how long the locks of a client that is gone stay. Half a minute is the least of both, and five minutes the default.
	ceph_cli osd pool create names 8 && ceph_cli osd pool create bytes 8 && ceph_cli fs new store names bytes &&
		ceph_cli fs set store session_timeout 30 && ceph_cli fs set store session_autoclose 30 || return 1
	tries 600 ceph_active
}

# fs_mount NUMBER - in the machine's namespaces
fs_mount() {
	local words=() option options=${mount_options:-$fs_options}
	for option in ${options//,/ }; do
		words+=("--$option")
	done
	in_machine "$1" ceph-fuse --conf "$run/ceph.conf" --id "machine$1" -f "${words[@]}" "$volume"
}
