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
#include "gosocket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("uprobe/round_trip")
int round_trip(struct registers *ctx)
{
	__u64 receiver = GO_ARGUMENT(ctx);
	struct process *p = process_find(bpf_get_current_pid_tgid() >> 32);
	__u64 socket;

	if (!p || !process_traced(p))
		return 0;
	socket = go_conn_socket(receiver + p->conn_offset);
	if (!socket)
		return 0;
	struct event *e = event_of_socket(EVENT_ROUND_TRIP, p, socket);
	if (e)
		bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}
