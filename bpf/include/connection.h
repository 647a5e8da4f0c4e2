/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is reported when a connection opens, moves bytes and closes. */
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

/* Reports who connects, and to where: sa is the user's struct sockaddr. */
static __always_inline int connect_enter(int fd, __u64 sa)
{
	struct {
		__u16 family;
		__be16 port;
		__u32 v4_or_flow;
		__u8 v6[16];
	} to = {};
	struct process *p;
	struct event *e;
	__u64 id, socket;

	if (!traced_caller(&id, &p) || !tcp_sock_of(file_of(fd), &socket))
		return 0;
	e = event_reserve(EVENT_CONNECT);
	if (!e)
		return 0;
	goroutine_read(e, p);
	e->socket = socket;
	bpf_probe_read_user(&to, 8, (void *)sa);
	if (to.family == AF_INET6)
		bpf_probe_read_user(&to.v6, sizeof(to.v6), (void *)(sa + 8));
	if (to.family == AF_INET6)
		__builtin_memcpy(e->remote_addr, to.v6, sizeof(to.v6));
	else
		__builtin_memcpy(e->remote_addr, &to.v4_or_flow, sizeof(to.v4_or_flow));
	e->family = to.family;
	e->remote_port = bpf_ntohs(to.port);
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

static __always_inline int accept_exit(__s64 ret)
{
	struct process *p;
	struct event *e;
	__u64 id, socket;

	if (ret < 0 || !traced_caller(&id, &p))
		return 0;
	struct sock *sk = tcp_sock_of(file_of(ret), &socket);
	if (!sk)
		return 0;
	e = event_reserve(EVENT_ACCEPT);
	if (!e)
		return 0;
	goroutine_read(e, p);
	e->socket = socket;
	addresses_read(e, sk);
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

/* Whether nobody but the caller holds the file. */
static __always_inline int last_reference(struct file *file)
{
	struct file___6_13 *counted = (void *)file;

	if (bpf_core_field_exists(counted->f_ref))
		return BPF_CORE_READ(counted, f_ref.refcnt.counter) == 0;
	return BPF_CORE_READ(file, f_count.counter) == 1;
}

static __always_inline int close_enter(int fd)
{
	struct process *p;
	struct event *e;
	__u64 id, socket, key;

	if (!traced_caller(&id, &p))
		return 0;
	struct file *file = file_of(fd);
	struct sock *sk = tcp_sock_of(file, &socket);
	if (!sk || !last_reference(file))
		return 0;
	key = (__u64)sk;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	if (!c || c->socket != socket || c->closed)
		return 0;
	c->closed = 1;
	e = event_reserve(EVENT_CLOSE);
	if (!e)
		return 0;
	goroutine_read(e, p);
	e->socket = socket;
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

/*
 * TCP's own end of a connection: a reset, a timeout, or the end of a close that
 * was reported before. It may run in any task's context, so it names none.
 */
static __always_inline int state_changed(struct sock *sk, int state)
{
	__u64 key = (__u64)sk;
	struct connection *c;
	struct event *e;

	if (state != TCP_CLOSE)
		return 0;
	c = bpf_map_lookup_elem(&connections, &key);
	if (!c)
		return 0;
	if (!c->closed) {
		e = event_reserve(EVENT_CLOSE);
		if (e) {
			e->pid = 0;
			e->tid = 0;
			e->socket = c->socket;
			e->error = BPF_CORE_READ(sk, sk_err);
			bpf_ringbuf_submit(e, event_wakeup());
		}
	}
	bpf_map_delete_elem(&connections, &key);
	return 0;
}
