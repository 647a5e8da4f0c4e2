//go:build ignore

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * In Go's HTTP/2 libraries one goroutine reads all that comes on a connection, and in gRPC's another one writes
 * all that goes. These probes tell which goroutine deals with which stream.
 */
#include "goregisters.h"
#include "goroutine.h"
#include "gosocket.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline struct process *process_calling(void)
{
	struct process *p = process_find(bpf_get_current_pid_tgid() >> 32);

	return p && process_traced(p) ? p : NULL;
}

/* Tells of a stream of the connection that the net.Conn at an address is. */
static __always_inline int tell_stream(const struct process *p, __u8 kind, __u64 iface, __u32 stream)
{
	__u64 socket = go_conn_socket(iface);
	struct event *e;

	if (!socket || !stream)
		return 0;
	e = event_of_socket(kind, p, socket);
	if (!e)
		return 0;
	e->offset = stream;
	bpf_ringbuf_submit(e, event_wakeup());
	return 0;
}

/*
 * grpc's isThrottled of what opens a stream, or isTransportResponseFrame as it was called before. It is called twice a
 * stream: first by the goroutine that asks for it, after it was given its id and before it may be
 * written, under the lock of the queue to the goroutine that writes; then by that one. What knows the connection is the function
 * in initStream, whose first captured variable is the *http2Client.
 */
SEC("uprobe/grpc_ask")
int grpc_ask(struct registers *ctx)
{
	__u64 headers = GO_ARGUMENT(ctx), closure = 0, client = 0;
	struct process *p = process_calling();
	__u32 stream = 0;

	if (!p)
		return 0;
	const struct stream_layout *l = &p->streams[STREAMS_GRPC_CLIENT];

	if (bpf_probe_read_user(&stream, sizeof(stream), (void *)(headers + l->id)) ||
	    bpf_probe_read_user(&closure, sizeof(closure), (void *)(headers + l->via)) || !closure ||
	    bpf_probe_read_user(&client, sizeof(client), (void *)(closure + 8)))
		return 0;
	return tell_stream(p, EVENT_STREAM_ASKED, client + l->conn, stream);
}

/*
 * (*grpc.Server).handleStream(transport.ServerTransport, *transport.ServerStream), which the goroutine runs that
 * works on a stream. The transport is an *http2Server, or one over net/http, which has no such connection.
 */
SEC("uprobe/grpc_take")
int grpc_take(struct registers *ctx)
{
	struct process *p = process_calling();
	__u32 stream = 0;

	if (!p)
		return 0;
	const struct stream_layout *l = &p->streams[STREAMS_GRPC_SERVER];
	__u64 s = GO_ARGUMENT_4(ctx);

	/* With a via the stream begins with a pointer to what has the id. */
	if ((l->via && bpf_probe_read_user(&s, sizeof(s), (void *)s)) ||
	    bpf_probe_read_user(&stream, sizeof(stream), (void *)(s + l->id)))
		return 0;
	return tell_stream(p, EVENT_STREAM_TAKEN, GO_ARGUMENT_3(ctx) + l->conn, stream);
}

/* (*serverConn).runHandler(*responseWriter, …), which the goroutine runs that works on a stream. */
static __always_inline int handler_runs(struct registers *ctx, __u32 library)
{
	struct process *p = process_calling();
	__u64 state = 0, s = 0;
	__u32 stream = 0;

	if (!p)
		return 0;
	const struct stream_layout *l = &p->streams[library];

	/* A responseWriter is a pointer to its state. */
	if (bpf_probe_read_user(&state, sizeof(state), (void *)GO_ARGUMENT_2(ctx)) ||
	    bpf_probe_read_user(&s, sizeof(s), (void *)(state + l->via)) ||
	    bpf_probe_read_user(&stream, sizeof(stream), (void *)(s + l->id)))
		return 0;
	return tell_stream(p, EVENT_STREAM_TAKEN, GO_ARGUMENT(ctx) + l->conn, stream);
}

/* That of net/http. */
SEC("uprobe/http2_take")
int http2_take(struct registers *ctx)
{
	return handler_runs(ctx, STREAMS_HTTP2_SERVER);
}

/* That of golang.org/x/net/http2. */
SEC("uprobe/xnet_take")
int xnet_take(struct registers *ctx)
{
	return handler_runs(ctx, STREAMS_XNET_SERVER);
}
