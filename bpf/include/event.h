/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes up to user space. Go's side of this layout is
 * receiver/ebpfspanreceiver/internal/capture/decode.go; a test compares the two.
 */
#pragma once

#include "kernel.h"
#include "loss.h"

/* In the order of capture.Kind. */
enum event_kind {
	EVENT_SEND = 1,
	EVENT_SENT,
	EVENT_RECEIVE,
	EVENT_CONNECT,
	EVENT_ACCEPT,
	EVENT_CLOSE,
	EVENT_FORK,
	EVENT_EXEC,
	EVENT_EXIT,
	EVENT_ROUND_TRIP,
	EVENT_PATH,
	EVENT_LISTEN,
	EVENT_WAKE, /* a struct wake */
	EVENT_SEND_DATAGRAM,
	EVENT_RECEIVE_DATAGRAM,
	EVENT_STREAM_ASKED, /* offset is the stream's id */
	EVENT_STREAM_TAKEN,
};

#define TAIL_SIZE 8

/* event.flags */
#define EVENT_THINNING (1 << 0) /* requests are left out at this time */
#define EVENT_SKIPPED (1 << 1)  /* of this connection's bytes some before these are left out */
#define EVENT_COROUTINE (1 << 2) /* goroutine is no goroutine, but a coroutine */
#define EVENT_FRAMES (1 << 3)    /* the payload begins with a frame of HTTP/2 */

struct event {
	__u64 time; /* CLOCK_MONOTONIC */
	__u32 pid;
	__u32 tid;
	__u64 goroutine; /* with EVENT_COROUTINE the address of a task of Python's asyncio */
	__u64 parent_goroutine;
	__u64 socket; /* inode number */
	__u64 offset;
	__u32 size;
	__s32 error; /* positive errno */
	__u32 first_sent;
	__u32 first_received;
	__u32 number; /* EVENT_FORK: the new process. EVENT_PATH: whether it is the peer's. Others: call.waits */
	__u16 data_len; /* bytes of payload after the structure */
	__u16 local_port;
	__u16 remote_port;
	__u8 kind;
	__u8 family; /* 0: no addresses; else AF_INET, AF_INET6 or AF_UNIX, which has none here */
	__u8 identified; /* first_sent and first_received are set */
	__u8 tail_len;
	__u8 flags; /* EVENT_THINNING, EVENT_SKIPPED, EVENT_COROUTINE, EVENT_FRAMES */
	__u8 hidden;   /* requests that the thread read and that are left out, up to 255 */
	__u8 tail[TAIL_SIZE];
	__u8 local_addr[16];
	__u8 remote_addr[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024); /* set by the loader */
} events SEC(".maps");

/*
 * The reader polls; it is woken early only when this much waits, because a
 * wake-up costs more than an event.
 */
const volatile __u64 wakeup_bytes = 2 * 1024 * 1024;

static __always_inline __u64 event_wakeup(void)
{
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= wakeup_bytes)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* Reserves an event without payload and fills in who and when. */
static __always_inline struct event *event_reserve(__u8 kind)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count_loss(LOSS_RING_BUFFER_FULL);
		return NULL;
	}
	__builtin_memset(e, 0, sizeof(*e));
	__u64 id = bpf_get_current_pid_tgid();
	e->time = bpf_ktime_get_ns();
	e->pid = id >> 32;
	e->tid = id;
	e->kind = kind;
	return e;
}
