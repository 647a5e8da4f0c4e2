/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls that send, from their entry to their exit. */
#pragma once

#include "opening.h"
#include "whole.h"

/* Whether nothing of a send on a connection is wanted. */
static __always_inline int send_unwanted(struct connection *c)
{
	return c->role == ROLE_NONE || thin_response(c, DIRECTION_SENT);
}

/* A send of so few bytes is carried whole: it costs an event anyway, and may be one of many requests that are written one by one. */
#define SMALL_SEND 256

static __always_inline __u32 send_budget(const struct connection *c, const struct buffers *b)
{
	__u32 budget = turn_budget(c);

	if (budget < SMALL_SEND && !b->count && b->len <= SMALL_SEND && payload_size)
		return b->len;
	return budget;
}

static __always_inline int send_begin(__u32 room, __u64 id, const struct process *p, struct sock *sk,
				      struct connection *c, struct buffers b, __u64 messages)
{
	struct scratch *s = scratch_get(room);
	struct call *call;

	if (!c || !s)
		return 0;
	if (send_unwanted(c))
		return 0;
	call = call_of(id);
	if (!call || has_begun(call, ACTION_SEND, sk))
		return 0;
	identify(sk, c);
	call->action = ACTION_SEND;
	call->go = process_is_go(p);
	call->buffers = b;
	call->messages = messages;
	call->sk = (__u64)sk;
	call->socket = c->socket;
	call->is_unix = c->is_unix;
	call->opening = send_opens(sk, c);
	call->place = call->opening ? bpf_ktime_get_ns() : send_place(sk, c);
	call->promised = 0;
	if (call->opening)
		return 0;

	int turn = turn_to(c, DIRECTION_SENT);
	if (turn)
		whole_from_preface(c, call, 1, &b, PAYLOAD_MAX);
	__u32 budget = send_budget(c, &b);
	if (turn)
		thin_turn(c, DIRECTION_SENT, call->place, &b, budget, id, call);
	if (thin_hides(c, DIRECTION_SENT)) {
		call->action = ACTION_NONE;
		return 0;
	}
	call->captured = c->captured;
	if (c->role == ROLE_WHOLE) {
		event_begin(s, EVENT_SEND, id, p);
		event_connection(&s->event, c, call->place);
		if (turn)
			addresses_read(&s->event, sk);
		thread_tells(&s->event, call);
		whole_send(room, s, call, c, &b, turn);
		return 0;
	}
	if (!budget && !turn)
		return 0;
	__u32 promised = payload_head(room, &b, budget, IOV_MAX_SENT);
	if (!promised && !turn)
		return 0;
	event_begin(s, EVENT_SEND, id, p);
	event_connection(&s->event, c, call->place);
	if (turn)
		addresses_read(&s->event, sk);
	call->promised = promised;
	c->captured += promised;
	s->event.size = promised;
	thin_bytes(&s->event, c, DIRECTION_SENT, call);
	scratch_send(s, promised);
	return 0;
}

/* A function of its own, so that its stack is not its caller's. */
static __noinline int send_end(__u32 room, __u64 id, struct call *call, __s64 ret)
{
	struct buffers b = call->buffers;
	__u64 moved = bytes_moved(call, ret);
	__u64 key = call->sk;

	if (call->is_unix)
		unix_sent((struct sock *)key, moved);
	if (moved == call->promised && (ret >= 0 || ret == -EAGAIN || call->opening))
		return 0;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	struct scratch *s = scratch_get(room);
	if (!c || c->socket != call->socket || !s)
		return 0;
	if (moved < call->promised)
		c->captured = call->captured + moved;
	event_begin(s, EVENT_SENT, id, call_process(id, call));
	event_connection(&s->event, c, call->place);
	s->event.size = moved;
	s->event.error = ret < 0 ? -ret : 0;
	__u32 want = call->opening ? opening_end(call, c, &s->event, moved) : 0;
	__u32 payload = payload_head(room, &b, want, IOV_MAX_READ);
	c->captured += payload;
	thin_bytes(&s->event, c, DIRECTION_SENT, call);
	if (moved > call->promised + payload)
		payload_tail(room, &b, moved);
	scratch_send(s, payload);
	return 0;
}
