/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a thread's system call was asked to do, from its entry to its exit. */
#pragma once

#include "buffers.h"
#include "loss.h"

struct call {
	struct buffers buffers;
	__u64 messages; /* address of the mmsghdr array, 0 for a single message */
	__u64 sk; /* 0: the call began before its process was traced, user space told of it */
	__u64 socket;
	__u64 place;    /* of the first byte, at entry: at exit the socket has moved */
	__u32 promised; /* sends: bytes that the event at entry announced */
	__u32 captured; /* sends: the turn's captured bytes before this call */
	__s32 fd;       /* where sk is 0 */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* bpf_get_current_pid_tgid() */
	__type(value, struct call);
} sends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct call);
} receives SEC(".maps");

static __always_inline void call_remember(void *map, __u64 id, const struct call *call)
{
	if (bpf_map_update_elem(map, &id, call, BPF_ANY))
		count_loss(LOSS_THREAD_TABLE_FULL);
}
