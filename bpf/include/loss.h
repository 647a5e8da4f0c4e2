/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Everything the programs could not deliver, counted by reason. */
#pragma once

#include "kernel.h"

/* In the order of the kernelLosses table in capture/kernel_linux.go. */
enum loss {
	LOSS_RING_BUFFER_FULL,
	LOSS_THREAD_TABLE_FULL,
	LOSS_PAYLOAD_UNREADABLE,
	LOSS_PROCESS_TABLE_FULL,
	LOSS_IO_URING_UNSEEN,
	LOSS_DATAGRAMS_UNSEEN,
	LOSS_REASONS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSS_REASONS);
	__type(key, __u32);
	__type(value, __u64);
} losses SEC(".maps");

static __always_inline void count_losses(__u32 reason, __u64 more)
{
	__u64 *n = bpf_map_lookup_elem(&losses, &reason);

	if (n)
		__sync_fetch_and_add(n, more);
}

static __always_inline void count_loss(__u32 reason) { count_losses(reason, 1); }
