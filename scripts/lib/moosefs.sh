# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# moosefs.sh: a MooseFS of one master and two chunk servers, for scripts/machines, which sources it.
#
# It uses what scripts/machines has: run (a directory), hub_address, level (of nice), in_hub, keep, fail.

: "${run:?}" "${volume:?}" "${hub_address:?}" "${level:?}"

# shellcheck disable=SC2034
fs_packages=@moosefs
# What doc/MACHINES.md recommends. Names, attributes and bytes are asked for each time.
fs_options='mfsattrcacheto=0,mfsentrycacheto=0,mfsdirentrycacheto=0,mfsnegentrycacheto=0,mfscachemode=NO'

# moosefs_chunks NUMBER PORT
moosefs_chunks() {
	local dir=$run/storage/chunks$1
	mkdir -p "$dir/data" "$dir/state" || return 1
	echo "$dir/data" > "$dir/hdd.cfg"
	cat > "$dir/mfschunkserver.cfg" <<-END
		WORKING_USER = root
		WORKING_GROUP = root
		NICE_LEVEL = $level
		DISABLE_OOM_KILLER = 0
		DATA_PATH = $dir/state
		HDD_CONF_FILENAME = $dir/hdd.cfg
		HDD_LEAVE_SPACE_DEFAULT = 64MiB
		MASTER_HOST = $hub_address
		MASTER_RECONNECTION_DELAY = 1
		CSSERV_LISTEN_PORT = $2
	END
	keep "chunks$1" in_hub mfschunkserver -c "$dir/mfschunkserver.cfg" -f start
}

fs_begin() {
	local dir=$run/storage/master
	mkdir -p "$dir" || return 1
	cp /var/lib/mfs/metadata.mfs.empty "$dir/metadata.mfs" || return 1
	echo "${hub_address%.*}.0/24 / rw,alldirs,admin,maproot=0:0" > "$dir/mfsexports.cfg"
	: > "$dir/mfstopology.cfg"
	# SESSION_SUSTAIN_TIME: how long the master keeps the locks of a client that is gone. A minute is the least, a day the default.
	cat > "$dir/mfsmaster.cfg" <<-END
		WORKING_USER = root
		WORKING_GROUP = root
		NICE_LEVEL = $level
		DISABLE_OOM_KILLER = 0
		DATA_PATH = $dir
		EXPORTS_FILENAME = $dir/mfsexports.cfg
		TOPOLOGY_FILENAME = $dir/mfstopology.cfg
		SESSION_SUSTAIN_TIME = 60
		REPLICATIONS_DELAY_INIT = 10
	END
	keep master in_hub mfsmaster -c "$dir/mfsmaster.cfg" -f start
	tries 300 moosefs_listens 9421 && moosefs_chunks 1 9422 && moosefs_chunks 2 9522 && tries 300 moosefs_listens 9422 &&
		tries 300 moosefs_listens 9522
}
moosefs_listens() {
	(in_hub ss -Hltn "sport = :$1") | grep -q .
}

# fs_mount NUMBER ADDRESS - in the machine's namespaces
fs_mount() {
	in_machine "$1" mfsmount -f -H "$hub_address" -o "mfsnice=$level,${mount_options:-$fs_options}" "$volume"
}
