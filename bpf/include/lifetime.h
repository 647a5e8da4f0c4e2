/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections that open and close. */
#pragma once

#include "call.h"
#include "thin.h"

/* Reads so much of a struct sockaddr as lies at sa, in the kernel's or the process's memory. */
static __always_inline void sockaddr_read(void *to, __u32 size, __u64 sa)
{
#ifdef FROM_MESSAGES
	bpf_probe_read_kernel(to, size, (void *)sa);
#else
	bpf_probe_read_user(to, size, (void *)sa);
#endif
}

/* Reports the end of a connection that no process closed. */
static __always_inline void end_report(__u64 socket, int error)
{
	struct event *e = event_reserve(EVENT_CLOSE);

	if (!e)
		return;
	e->pid = 0;
	e->tid = 0;
	e->socket = socket;
	e->error = error;
	bpf_ringbuf_submit(e, event_wakeup());
}

/* Reports the end of a socket's connection before it gets another one. */
static __always_inline void connect_anew(struct sock *sk)
{
	__u64 key = (__u64)sk;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);

	if (!c || !c->ended)
		return;
	hidden_answered(c);
	end_report(c->socket, c->error);
	bpf_map_delete_elem(&connections, &key);
}

/* Reports who connects a socket, and to where: to the struct sockaddr at sa. */
static __always_inline int connect_begin(const struct process *p, struct sock *sk, __u64 socket, __u64 sa)
{
	struct {
		__u16 family;
		__be16 port;
		__u32 v4_or_flow;
		__u8 v6[16];
	} to = {};
	struct event *e;

	connect_anew(sk);
	e = event_of_socket(EVENT_CONNECT, p, socket);
	if (!e)
		return 0;
	coroutine_read(e, p);
	sockaddr_read(&to, 8, sa); /* a Unix socket's path is told later */
	if (to.family == AF_INET6)
		sockaddr_read(&to.v6, sizeof(to.v6), sa + 8);
	if (to.family == AF_INET6)
		__builtin_memcpy(e->remote_addr, to.v6, sizeof(to.v6));
	else
		__builtin_memcpy(e->remote_addr, &to.v4_or_flow, sizeof(to.v4_or_flow));
	e->family = to.family;
	e->remote_port = bpf_ntohs(to.port);
	__u64 id = bpf_get_current_pid_tgid();
	thread_tells(e, bpf_map_lookup_elem(&calls, &id));
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

/* The exit of an accept is waited for. Where only its entry names the new socket, that is kept. */
static __always_inline int accept_begin(__u64 id, __u64 accepted)
{
	struct call *call = call_of(id);

	if (!call)
		return 0;
	call->action = ACTION_ACCEPT;
	call->sk = accepted;
	return 0;
}

/* Reports a connection that was accepted. */
static __always_inline int accept_end(const struct process *p, struct sock *sk, __u64 socket)
{
	struct event *e;

	if (!sk)
		return 0;
	e = event_of_socket(EVENT_ACCEPT, p, socket);
	if (!e)
		return 0;
	addresses_read(e, sk);
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

/* Reports that a socket's last descriptor is closed, and the error that ended its connection before. */
static __always_inline int close_report(const struct process *p, __u64 socket, __u16 error)
{
	struct event *e = event_of_socket(EVENT_CLOSE, p, socket);

	if (!e)
		return 0;
	e->error = error;
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

/* Reports that of a connection. */
static __always_inline int close_begin(const struct process *p, struct connection *c)
{
	if (c->closed)
		return 0;
	c->closed = 1;
	hidden_answered(c);
	return close_report(p, c->socket, c->error);
}

/* Whether a process still has a descriptor of the socket. */
static __always_inline int is_held(struct sock *sk)
{
	struct socket *sock = READ(sock, sk, sk_socket);
	struct file *file = sock ? READ(socket, sock, file) : NULL;
	struct file___6_13 *counted = (void *)file;

	if (!file)
		return 0;
	/* None is left while the last one is being closed. */
	if (bpf_core_field_exists(counted->f_ref))
		return READ(file___6_13, counted, f_ref.refcnt.counter) >= 0;
	return READ(file, file, f_count.counter) > 0;
}

/*
 * TCP's own end of a connection: a reset, a timeout, or the end of a close that
 * was reported before. It may run in any task's context, so it names none.
 */
static __always_inline int state_changed(struct sock *sk, int state)
{
	__u64 key = (__u64)sk;
	struct connection *c;

	if (state != TCP_CLOSE)
		return 0;
	c = bpf_map_lookup_elem(&connections, &key);
	if (!c)
		return 0;
	/* What was received can still be read, or is just being read: its holder tells the end. */
	if (is_held(sk)) {
		c->ended = 1;
		c->error = READ(sock, sk, sk_err);
		return 0;
	}
	hidden_answered(c);
	if (!c->closed)
		end_report(c->socket, READ(sock, sk, sk_err));
	bpf_map_delete_elem(&connections, &key);
	return 0;
}
