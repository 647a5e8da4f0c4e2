/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a thread's call was asked to do, from its entry to its exit. */
#pragma once

#include "buffers.h"
#include "loss.h"

/* What a call does with a socket. */
enum action {
	ACTION_NONE,
	ACTION_SEND,
	ACTION_RECEIVE,
	ACTION_CONNECT,
	ACTION_ACCEPT,
	ACTION_CLOSE,
	ACTION_WAIT,
	ACTION_SEND_DATAGRAMS,
	ACTION_RECEIVE_DATAGRAMS,
	ACTION_SPLICE,
};

struct call {
	struct buffers buffers;
	__u64 messages; /* address of the mmsghdr array, 0 for a single message */
	__u64 sk; /* 0: the call began before its process was traced, user space told of it */
	__u64 socket;
	__u64 place;    /* of the first byte, at entry: at exit the socket has moved. The time, where it opens */
	__u64 peer;     /* datagrams: where the struct sockaddr of the other end is, 0 for nowhere */
	__u32 promised; /* sends: bytes that the event at entry announced */
	__u32 captured; /* sends: the turn's captured bytes before this call */
	__s32 fd;       /* where sk is 0 */
	__u8 action;    /* enum action, ACTION_NONE when no exit is waited for */
	__u8 is_unix;   /* the socket is a Unix one */
	__u8 go;        /* the process has goroutines */
	__u8 opening;   /* sends: the connection is opened in the call */
	__u32 hidden;   /* requests that the thread read, and that are left out and unanswered */
	__u32 waits;    /* how often the thread has waited for several sockets at once: an event loop's turns */
};

/*
 * An entry stays for its thread's next call, because replacing a value costs less
 * than making and deleting it, and goes with the thread.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64); /* bpf_get_current_pid_tgid() */
	__type(value, struct call);
} calls SEC(".maps");

/* Returns the thread's entry, NULL where it has none. */
static __always_inline struct call *call_known(__u64 id)
{
	return bpf_map_lookup_elem(&calls, &id);
}

/* Returns the thread's entry, NULL where there are too many threads. */
static __always_inline struct call *call_of(__u64 id)
{
	struct call *call = bpf_map_lookup_elem(&calls, &id);
	struct call fresh = {};

	if (call)
		return call;
	if (bpf_map_update_elem(&calls, &id, &fresh, BPF_NOEXIST)) {
		count_loss(LOSS_THREAD_TABLE_FULL);
		return NULL;
	}
	return bpf_map_lookup_elem(&calls, &id);
}

/* Whether anybody wants to know of an event loop's turns. Set by the loader. */
const volatile __u8 count_waits = 1;

/* The thread waits for several sockets at once. One that has none has no entry. */
static __always_inline int thread_waits(__u64 id)
{
	if (!count_waits)
		return 0;
	struct call *call = bpf_map_lookup_elem(&calls, &id);

	if (call)
		call->waits++;
	return 0;
}
