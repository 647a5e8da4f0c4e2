/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connections that open and close. */
#pragma once

#include "call.h"
#include "syscalls.h"
#include "thin.h"

/* Reports who connects, and to where: sa is the user's struct sockaddr. */
static __always_inline int connect_enter(const struct process *p, int fd, __u64 sa)
{
	struct {
		__u16 family;
		__be16 port;
		__u32 v4_or_flow;
		__u8 v6[16];
	} to = {};
	struct event *e;
	__u64 socket;

	if (!tcp_sock_of(file_of(fd), &socket))
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
	__u64 id = bpf_get_current_pid_tgid();
	thin_thread(e, bpf_map_lookup_elem(&calls, &id));
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

/* Its exit is waited for. */
static __always_inline int accept_enter(__u64 id)
{
	struct call *call = call_of(id);

	if (call)
		call->action = ACTION_ACCEPT;
	return 0;
}

static __always_inline int accept_exit(const struct process *p, __s64 ret)
{
	struct event *e;
	__u64 socket;

	if (ret < 0)
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
		return READ(file___6_13, counted, f_ref.refcnt.counter) == 0;
	return READ(file, file, f_count.counter) == 1;
}

static __always_inline int close_enter(const struct process *p, int fd)
{
	struct file *file = file_of(fd);
	struct event *e;
	__u64 socket, key;

	key = (__u64)sock_of(file, &socket);
	if (!key || !last_reference(file))
		return 0;
	struct connection *c = bpf_map_lookup_elem(&connections, &key);
	if (!c || c->socket != socket || c->closed)
		return 0;
	c->closed = 1;
	hidden_answered(c);
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
	hidden_answered(c);
	if (!c->closed) {
		e = event_reserve(EVENT_CLOSE);
		if (e) {
			e->pid = 0;
			e->tid = 0;
			e->socket = c->socket;
			e->error = READ(sock, sk, sk_err);
			bpf_ringbuf_submit(e, event_wakeup());
		}
	}
	bpf_map_delete_elem(&connections, &key);
	return 0;
}
