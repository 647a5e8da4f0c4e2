/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the system calls that move bytes have in common. */
#pragma once

#include "goroutine.h"
#include "payload.h"
#include "socket.h"
#include "thread.h"

/* The calling process if it is traced; *id becomes its thread's id. */
static __always_inline int traced_caller(__u64 *id, struct process **p)
{
	*id = bpf_get_current_pid_tgid();
	*p = process_find(*id >> 32);
	return process_traced(*p);
}

static __always_inline void event_begin(struct event *e, __u8 kind, __u64 id, const struct process *p)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->time = bpf_ktime_get_ns();
	e->pid = id >> 32;
	e->tid = id;
	e->kind = kind;
	goroutine_read(e, p);
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
	if (payload > PAYLOAD_MAX)
		payload = PAYLOAD_MAX;
	s->event.data_len = payload;
	if (bpf_ringbuf_output(&events, s, sizeof(s->event) + payload, event_wakeup()))
		count_loss(LOSS_RING_BUFFER_FULL);
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

/* How a system call describes its bytes: constants, so that each program has only what it needs. */
enum form {
	FORM_BUFFER,
	FORM_VECTOR,
	FORM_MESSAGES,
};

static __always_inline struct buffers buffers_of(const struct call *call, int form)
{
	struct buffers b = call->buffers;

	if (form == FORM_BUFFER)
		b.count = 0;
	return b;
}

/* The bytes that a call moved, from its result. */
static __always_inline __u64 bytes_moved(const struct call *call, __s64 ret, int form)
{
	__u64 total = 0;

	if (ret < 0)
		return 0;
	if (form != FORM_MESSAGES)
		return ret;
	for (__u32 i = 0; i < IOV_MAX_READ && i < ret; i++) {
		struct user_mmsghdr m = {};

		if (bpf_probe_read_user(&m, sizeof(m), (void *)(call->messages + i * sizeof(m))))
			break;
		total += m.len;
	}
	return total;
}
