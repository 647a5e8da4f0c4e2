/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What goes up to user space of a wake-up. */
#pragma once

#include "event.h"

/*
 * Shorter than struct event, because there are many. It begins like one, and has its kind
 * at the same place.
 */
struct wake {
	__u64 time; /* CLOCK_MONOTONIC */
	__u32 pid;
	__u32 tid; /* of who wakes */
	__u64 goroutine;
	__u64 parent_goroutine;
	__u64 futex; /* address in the process, 0 where it is none */
	__u64 woken_goroutine;
	__u64 woken_parent_goroutine;
	__u32 woken_tid; /* 0 where a goroutine is woken */
	__u8 pad[14];
	__u8 kind;
	__u8 pad_end[5];
};

_Static_assert(__builtin_offsetof(struct wake, kind) == __builtin_offsetof(struct event, kind),
	       "the reader looks for the kind at one place");

/* Reserves the event of a wake-up by the calling thread. */
static __always_inline struct wake *wake_reserve(void)
{
	struct wake *w = bpf_ringbuf_reserve(&events, sizeof(*w), 0);

	if (!w) {
		count_loss(LOSS_RING_BUFFER_FULL);
		return NULL;
	}
	__builtin_memset(w, 0, sizeof(*w));
	__u64 id = bpf_get_current_pid_tgid();
	w->time = bpf_ktime_get_ns();
	w->pid = id >> 32;
	w->tid = id;
	w->kind = EVENT_WAKE;
	return w;
}
