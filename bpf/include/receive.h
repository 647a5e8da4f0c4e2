/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System calls that receive. */
#pragma once

#include "call.h"

static __always_inline int receive_enter(int fd, struct buffers b, __u64 messages, __u32 flags)
{
	struct call call = {.buffers = b, .messages = messages};
	struct process *p;
	__u64 id;

	if (flags & MSG_PEEK || !traced_caller(&id, &p))
		return 0;
	if (b.count == 0 && b.len == 0)
		return 0;
	struct sock *sk = tcp_sock_of(file_of(fd), &call.socket);
	if (!sk)
		return 0;
	struct connection *c = connection_of(sk, call.socket);
	if (!c)
		return 0;
	identify(sk, c);
	call.sk = (__u64)sk;
	call.place = receive_place(sk, c);
	call_remember(&receives, id, &call);
	return 0;
}

/* Errors that say nothing of the connection: try again, interrupted, restarted. */
static __always_inline int error_passes(__s64 ret)
{
	return ret == -EAGAIN || ret == -4 /* EINTR */ || ret <= -512 /* ERESTARTSYS and up */;
}

/*
 * Makes up for the entry of a call that blocked before its process was traced. The
 * socket has moved by now, so the place is counted back; that is right as long as
 * no other thread reads the same socket.
 */
static __always_inline int receive_adopt(struct call *call, __s64 moved)
{
	__u64 socket = 0;
	struct sock *sk = tcp_sock_of(file_of(call->fd), &socket);
	struct connection *c;

	if (!sk)
		return 0;
	c = connection_of(sk, socket);
	if (!c)
		return 0;
	identify(sk, c);
	call->sk = (__u64)sk;
	call->socket = socket;
	call->place = receive_place(sk, c) - moved;
	return 1;
}

static __always_inline int receive_exit(__s64 ret, int form)
{
	struct buffers b;
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&receives, &id);

	if (!call)
		return 0;
	if (error_passes(ret))
		goto done;
	__u64 moved = bytes_moved(call, ret, form);
	if (!call->sk && !receive_adopt(call, moved))
		goto done;

	__u64 key = call->sk;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	struct scratch *s = scratch_get();
	if (!c || c->socket != call->socket || !s)
		goto done;
	b = buffers_of(call, form);
	__u32 payload = 0;
	event_begin(&s->event, EVENT_RECEIVE, id, process_find(id >> 32));
	s->event.error = ret < 0 ? -ret : 0;
	s->event.size = moved;
	if (moved) {
		if (turn_to(c, DIRECTION_RECEIVED))
			addresses_read(&s->event, (struct sock *)key);
		__u32 budget = turn_budget(c);
		payload = payload_head(&b, moved < budget ? moved : budget);
		c->captured += payload;
		if (payload < moved)
			payload_tail(&b, moved);
	}
	event_connection(&s->event, c, call->place);
	scratch_send(s, payload);
done:
	bpf_map_delete_elem(&receives, &id);
	return 0;
}
