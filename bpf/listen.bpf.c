//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Sockets that begin to listen. Loaded only where processes are selected by port: a
 * server may bind long after it started.
 */
#include "event.h"
#include "process.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)
 * listen(2) enters this state in its caller's context (net/ipv4/inet_connection_sock.c,
 * inet_csk_listen_start). Who is not traced is reported as well: it is to be decided
 * about.
 */
SEC("tp_btf/inet_sock_set_state")
int inet_sock_listens(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct process *p;
	struct event *e;

	if ((int)ctx[2] != TCP_LISTEN)
		return 0;
	p = process_find(bpf_get_current_pid_tgid() >> 32);
	if (p && p->flags & PROCESS_NEVER)
		return 0;
	e = event_reserve(EVENT_LISTEN);
	if (!e)
		return 0;
	e->family = READ(sock, sk, __sk_common.skc_family);
	e->local_port = READ(sock, sk, __sk_common.skc_num);
	bpf_ringbuf_submit(e, BPF_RB_FORCE_WAKEUP);
	return 0;
}
