/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls that receive, from their entry to their exit. */
#pragma once

#include "whole.h"

static __always_inline int receive_begin(__u64 id, int is_go, struct sock *sk, struct connection *c, struct buffers b,
					 __u64 messages)
{
	struct call *call;

	if (!c)
		return 0;
	if (c->role == ROLE_NONE || thin_response(c, DIRECTION_RECEIVED))
		return 0;
	call = call_of(id);
	if (!call || has_begun(call, ACTION_RECEIVE, sk))
		return 0;
	identify(sk, c);
	call->action = ACTION_RECEIVE;
	call->go = is_go != 0;
	call->buffers = b;
	call->messages = messages;
	call->sk = (__u64)sk;
	call->socket = c->socket;
	call->is_unix = c->is_unix;
	call->place = receive_place(sk, c);
	return 0;
}

/* Errors that say nothing of the connection: try again, interrupted, restarted. */
static __always_inline int error_passes(__s64 ret)
{
	return ret == -EAGAIN || ret == -4 /* EINTR */ || ret <= -512 /* ERESTARTSYS and up */;
}

/*
 * Returns the connection of a call whose entry told nothing. The socket has moved by now, so
 * the place is counted back; that is right as long as no other thread reads the same socket in
 * this moment.
 */
static __always_inline struct connection *receive_adopt(struct call *call, __s64 moved)
{
	struct sock *sk;
	struct connection *c = connection_of(file_of(caller_task(), call->fd), &sk);

	if (!c || c->role == ROLE_NONE || thin_response(c, DIRECTION_RECEIVED))
		return NULL;
	identify(sk, c);
	call->sk = (__u64)sk;
	call->socket = c->socket;
	call->is_unix = c->is_unix;
	call->place = receive_place(sk, c) - moved;
	return c;
}

/* Returns the connection of a call that ends, NULL where it is forgotten or nothing of it is wanted. */
static __always_inline struct connection *receive_connection(struct call *call, __s64 moved)
{
	__u64 key = call->sk;
	struct connection *c;

	if (!key)
		return receive_adopt(call, moved);
	c = bpf_map_lookup_elem(&connections, &key);
	return c && c->socket == call->socket ? c : NULL;
}

/* A function of its own, so that its stack is not its caller's. */
static __noinline int receive_end(__u32 room, __u64 id, struct call *call, __s64 ret)
{
	struct buffers b = call->buffers;

	if (error_passes(ret))
		return 0;
	__u64 moved = bytes_moved(call, ret);
	struct connection *c = receive_connection(call, moved);
	struct scratch *s = scratch_get(room);

	if (!c || !s)
		return 0;
	if (call->is_unix)
		call->place = unix_received((struct sock *)call->sk, moved);
	int turn = moved && turn_to(c, DIRECTION_RECEIVED);
	if (turn) {
		whole_from_preface(c, call, 0, &b, moved);
		thin_turn(c, DIRECTION_RECEIVED, call->place, &b, moved, id, call);
	}
	if (moved && thin_hides(c, DIRECTION_RECEIVED))
		return 0;
	__u32 payload = 0;
	event_begin(s, EVENT_RECEIVE, id, call_process(id, call));
	s->event.error = ret < 0 ? -ret : 0;
	s->event.size = moved;
	if (moved) {
		if (turn)
			addresses_read(&s->event, (struct sock *)call->sk);
		if (c->role == ROLE_WHOLE) {
			event_connection(&s->event, c, call->place);
			thread_tells(&s->event, call);
			whole_receive(room, s, call, c, &b, moved);
			return 0;
		}
		__u32 budget = turn_budget(c);
		payload = payload_head(room, &b, moved < budget ? moved : budget, IOV_MAX_READ);
		c->captured += payload;
		if (payload < moved)
			payload_tail(room, &b, moved);
	}
	event_connection(&s->event, c, call->place);
	thin_bytes(&s->event, c, DIRECTION_RECEIVED, call);
	scratch_send(s, payload);
	return 0;
}
