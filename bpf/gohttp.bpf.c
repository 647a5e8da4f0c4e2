//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Go's net/http client writes a pooled connection's requests from a goroutine of
 * the connection's own. This probe tells who asked: it stands at
 * (*persistConn).roundTrip, whose receiver names the connection and which runs in
 * the goroutine that wants the answer.
 */
#include "goregisters.h"
#include "goroutine.h"
#include "socket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Offset of Sysfd in internal/poll.FD, after a fdMutex of one uint64 and two uint32. */
#define SYSFD_OFFSET 16

/*
 * From the persistConn's net.Conn to its descriptor: the interface's data word is
 * a *net.TCPConn, its first word a *net.netFD, which begins with a poll.FD.
 */
static __always_inline int go_conn_fd(__u64 iface)
{
	__u64 tcp_conn = 0, net_fd = 0, sysfd = 0;

	if (bpf_probe_read_user(&tcp_conn, sizeof(tcp_conn), (void *)(iface + 8)) ||
	    bpf_probe_read_user(&net_fd, sizeof(net_fd), (void *)tcp_conn) ||
	    bpf_probe_read_user(&sysfd, sizeof(sysfd), (void *)(net_fd + SYSFD_OFFSET)))
		return -1;
	return (int)sysfd;
}

SEC("uprobe/round_trip")
int round_trip(struct registers *ctx)
{
	__u64 receiver = GO_ARGUMENT(ctx);
	struct process *p = process_find(bpf_get_current_pid_tgid() >> 32);
	__u64 socket = 0;

	if (!p || !process_traced(p))
		return 0;
	int fd = go_conn_fd(receiver + p->conn_offset);
	if (!stream_sock_of(file_of(fd), &socket))
		return 0;
	struct event *e = event_reserve(EVENT_ROUND_TRIP);
	if (!e)
		return 0;
	goroutine_read(e, p);
	e->socket = socket;
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}
