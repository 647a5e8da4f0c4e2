/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the system calls that move bytes have in common. */
#pragma once

#include "asyncio.h"
#include "gocall.h"
#include "payload.h"
#include "process.h"
#include "socket.h"
#include "thread.h"

/* Readies the scratch event for what a thread does in a system call. */
static __always_inline void event_begin(struct scratch *s, __u8 kind, __u64 id, const struct process *p)
{
	struct event *e = &s->event;

	__builtin_memset(e, 0, sizeof(*e));
	e->time = bpf_ktime_get_ns();
	e->pid = id >> 32;
	e->tid = id;
	e->kind = kind;
	goroutine_calls(s, p);
	coroutine_read(e, p);
}

static __always_inline void event_connection(struct event *e, const struct connection *c, __u64 place)
{
	e->socket = c->socket;
	e->offset = place;
	e->identified = c->identified;
	e->first_sent = c->first_sent;
	e->first_received = c->first_received;
}

static __always_inline void scratch_send(struct scratch *s, __u32 payload)
{
	__u64 wakeup = s->sent++ % WAKEUP_EVERY ? BPF_RB_NO_WAKEUP : event_wakeup();

	/* Here and hidden from the compiler: what a bound was is forgotten on the stack before Linux 5.16. */
	asm volatile("" : "+r"(payload));
	if (payload > PAYLOAD_MAX)
		payload = PAYLOAD_MAX;
	s->event.data_len = payload;
	if (bpf_ringbuf_output(&events, s, sizeof(s->event) + payload, wakeup))
		count_loss(LOSS_RING_BUFFER_FULL);
}

/*
 * Whether this program's twin has begun the call, where it has one. All else that both do
 * changes nothing the second time. What user space tells of has no sk.
 */
static __always_inline int has_begun(const struct call *call, __u32 action, const struct sock *sk)
{
	return scratch_rooms > ROOMS && call->action == action && call->sk == (__u64)sk;
}

/* Turns the connection to direction d; returns whether it ran the other way before. */
static __always_inline int turn_to(struct connection *c, __u8 d)
{
	if (c->direction == d)
		return 0;
	c->direction = d;
	c->captured = 0;
	return 1;
}

/* The payload bytes that may still be carried in this turn. */
static __always_inline __u32 turn_budget(const struct connection *c)
{
	__u32 captured = c->captured;

	return captured < payload_size ? payload_size - captured : 0;
}

/* The calling process, for who needs to know its goroutine; else NULL. */
static __always_inline struct process *call_process(__u64 id, const struct call *call)
{
	return call->go ? process_find(id >> 32) : NULL;
}

/* The bytes that a call moved, from its result. */
static __always_inline __u64 bytes_moved(const struct call *call, __s64 ret)
{
	__u64 total = 0;

	if (ret < 0)
		return 0;
	if (!call->messages)
		return ret;
	for (__u32 i = 0; i < IOV_MAX_READ && i < ret; i++) {
		struct user_mmsghdr m = {};

		if (bpf_probe_read_user(&m, sizeof(m), (void *)(call->messages + i * sizeof(m))))
			break;
		total += m.len;
	}
	return total;
}
