/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the hooks at functions of TCP and of Unix sockets have in common. */
#pragma once

#include "hook.h"
#include "lifetime.h"
#include "message.h"
#include "receive.h"
#include "send.h"

/* Returns the thread's call where it does what is expected, NULL where it does not. It is not waited for any longer. */
static __always_inline struct call *call_ends(__u64 id, __u16 action)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);

	if (!call || call->action != action)
		return NULL;
	call->action = ACTION_NONE;
	return call;
}

static __always_inline int connect_enters(struct socket *sock, __u64 address)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct process *p = process_find(id >> 32);
	__u64 socket;

	if (!process_traced(p))
		return 0;
	socket = number_of(sock);
	struct sock *sk = READ(socket, sock, sk);
	if (!socket || !sk || !is_stream(sk))
		return 0;
	return connect_begin(p, sk, socket, address);
}

/* All accepts name the new socket, which has its file already. */
static __always_inline int accept_enters(__u64 accepted)
{
	__u64 id = bpf_get_current_pid_tgid();

	return process_traced(process_find(id >> 32)) ? accept_begin(id, accepted) : 0;
}

/* If all went well, it has its struct sock by now. */
static __always_inline int accept_exits(void)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = call_ends(id, ACTION_ACCEPT);
	struct socket *accepted = call ? (struct socket *)call->sk : NULL;

	if (!accepted)
		return 0;
	struct sock *sk = READ(socket, accepted, sk);
	if (!sk || !is_stream(sk))
		return 0;
	return accept_end(process_find(id >> 32), sk, number_of(accepted));
}

static __always_inline int close_enters(struct sock *sk)
{
	struct process *p = process_find(bpf_get_current_pid_tgid() >> 32);
	struct connection *c;
	__u64 key = (__u64)sk;

	if (!process_traced(p))
		return 0;
	c = bpf_map_lookup_elem(&connections, &key);
	return c ? close_begin(p, c) : 0;
}
