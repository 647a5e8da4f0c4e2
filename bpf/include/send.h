/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System calls that send. */
#pragma once

#include "call.h"
#include "thin.h"
#include "syscalls.h"

static __always_inline int send_enter(__u64 id, const struct process *p, int fd, struct buffers b, __u64 messages)
{
	struct sock *sk;
	struct connection *c = connection_of(file_of(fd), &sk);
	struct scratch *s = scratch_get();
	struct call *call;

	if (!c || !s || READ(sock, sk, __sk_common.skc_state) == TCP_SYN_SENT)
		return 0;
	if (c->role == ROLE_NONE || thin_response(c, DIRECTION_SENT))
		return 0;
	call = call_of(id);
	if (!call)
		return 0;
	identify(sk, c);
	call->action = ACTION_SEND;
	call->go = process_is_go(p);
	call->buffers = b;
	call->messages = messages;
	call->sk = (__u64)sk;
	call->socket = c->socket;
	call->place = send_place(sk, c);
	call->promised = 0;

	int turn = turn_to(c, DIRECTION_SENT);
	__u32 want = buffers_size(&b, turn_budget(c));
	if (turn)
		thin_turn(c, DIRECTION_SENT, call->place, &b, want, id, call);
	if (thin_hides(c, DIRECTION_SENT)) {
		call->action = ACTION_NONE;
		return 0;
	}
	call->captured = c->captured;
	if (want || turn) {
		event_begin(&s->event, EVENT_SEND, id, p);
		event_connection(&s->event, c, call->place);
		if (turn)
			addresses_read(&s->event, sk);
		__u32 promised = payload_head(&b, want);
		call->promised = promised;
		c->captured += promised;
		s->event.size = promised;
		thin_bytes(&s->event, c, DIRECTION_SENT, call);
		scratch_send(s, promised);
	}
	return 0;
}

static __always_inline int send_exit(__u64 id, struct call *call, __s64 ret)
{
	struct buffers b = call->buffers;
	__u64 moved = bytes_moved(call, ret);
	__u64 key = call->sk;

	if (moved == call->promised && (ret >= 0 || ret == -EAGAIN))
		return 0;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	struct scratch *s = scratch_get();
	if (!c || c->socket != call->socket || !s)
		return 0;
	if (moved < call->promised)
		c->captured = call->captured + moved;
	event_begin(&s->event, EVENT_SENT, id, call_process(id, call));
	event_connection(&s->event, c, call->place);
	s->event.size = moved;
	s->event.error = ret < 0 ? -ret : 0;
	thin_bytes(&s->event, c, DIRECTION_SENT, call);
	if (moved > call->promised)
		payload_tail(&b, moved);
	scratch_send(s, 0);
	return 0;
}
