/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* System calls that send. */
#pragma once

#include "call.h"

static __always_inline int send_enter(int fd, struct buffers b, __u64 messages)
{
	struct call call = {.buffers = b, .messages = messages};
	struct process *p;
	__u64 id;

	if (!traced_caller(&id, &p))
		return 0;
	struct sock *sk = tcp_sock_of(file_of(fd), &call.socket);
	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_SYN_SENT)
		return 0;
	struct connection *c = connection_of(sk, call.socket);
	struct scratch *s = scratch_get();
	if (!c || !s)
		return 0;
	identify(sk, c);
	call.sk = (__u64)sk;
	call.place = send_place(sk, c);

	int turn = turn_to(c, DIRECTION_SENT);
	__u32 want = buffers_size(&b, turn_budget(c));
	call.captured = c->captured;
	if (want || turn) {
		event_begin(&s->event, EVENT_SEND, id, p);
		event_connection(&s->event, c, call.place);
		if (turn)
			addresses_read(&s->event, sk);
		call.promised = payload_head(&b, want);
		c->captured += call.promised;
		s->event.size = call.promised;
		scratch_send(s, call.promised);
	}
	call_remember(&sends, id, &call);
	return 0;
}

static __always_inline int send_exit(__s64 ret, int form)
{
	struct buffers b;
	struct process *p;
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&sends, &id);

	if (!call)
		return 0;
	__u64 moved = bytes_moved(call, ret, form);
	b = buffers_of(call, form);
	if (moved == call->promised && (ret >= 0 || ret == -EAGAIN))
		goto done;

	__u64 key = call->sk;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	struct scratch *s = scratch_get();
	if (!c || c->socket != call->socket || !s)
		goto done;
	if (moved < call->promised)
		c->captured = call->captured + moved;
	p = process_find(id >> 32);
	event_begin(&s->event, EVENT_SENT, id, p);
	event_connection(&s->event, c, call->place);
	s->event.size = moved;
	s->event.error = ret < 0 ? -ret : 0;
	if (moved > call->promised)
		payload_tail(&b, moved);
	scratch_send(s, 0);
done:
	bpf_map_delete_elem(&sends, &id);
	return 0;
}
