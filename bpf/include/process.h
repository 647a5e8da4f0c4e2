/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which processes are traced. User space decides; children inherit at fork. */
#pragma once

#include "kernel.h"

/* process.flags */
#define PROCESS_TRACED (1 << 0)
#define PROCESS_NEVER (1 << 1) /* the collector and its children: exec does not change it */
#define PROCESS_GO (1 << 2)    /* the goroutine fields are set */
#define PROCESS_WAKES (1 << 3) /* its wake-ups are asked for */
#define PROCESS_ASYNCIO (1 << 4)   /* the fields for Python's asyncio are set */
#define PROCESS_OLD_DICTS (1 << 5) /* its dicts are laid out as up to Python 3.10 */

/* In the order of the constants in capture/kernel.go. */
enum streams {
	STREAMS_GRPC_CLIENT,
	STREAMS_GRPC_SERVER,
	STREAMS_HTTP2_SERVER, /* net/http */
	STREAMS_XNET_SERVER,  /* golang.org/x/net/http2 */
	STREAMS,
};

/* Where one of Go's HTTP/2 libraries has what tells of a stream: gostreams.bpf.c. */
struct stream_layout {
	__u16 conn; /* of the net.Conn in what holds the connection */
	__u16 via;  /* of what leads to the stream or the connection */
	__u16 id;   /* of the stream's id */
};

struct process {
	__u32 flags;
	__s32 g_offset;         /* where the thread's pointer to runtime.g lies, from fsbase */
	__u16 goid_offset;      /* in runtime.g */
	__u16 parent_offset;    /* of parentGoid in runtime.g; 0 where Go has none */
	__u16 conn_offset;      /* of conn in net/http.persistConn */
	__u16 m_offset;         /* of m in runtime.g */
	__u16 curg_offset;      /* of curg in runtime.m */
	__u16 closure_offset;   /* of func_closure in PyFunctionObject */
	__u16 wakeup_task_offset; /* of the task in an object of wakeup_type */
	__s16 attributes;       /* where a Python object has its attributes: in front of it a pointer to them; 0 not known */
	__u64 current_tasks;    /* where the pointer to asyncio's dict of running tasks lies */
	__u64 wakeup_type;      /* the type of what wakes a task */
	__u64 function_type;    /* addresses of PyFunction_Type, PyTuple_Type and PyMethod_Type */
	__u64 tuple_type;
	__u64 method_type;
	struct stream_layout streams[STREAMS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, __u32);
	__type(value, struct process);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} processes SEC(".maps");

/* In the order of the constants in capture/kernel_linux.go. */
enum changes_by {
	CHANGES_BY_PROGRAMS,
	CHANGES_BY_RECEIVER,
	CHANGES,
};

/* Count the changes of that table, after each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CHANGES);
	__type(key, __u32);
	__type(value, __u64);
} process_changes SEC(".maps");

/* Without an entry of its own, a process is traced when trace_all is set. */
const volatile __u8 trace_all = 0;

static __always_inline struct process *process_find(__u32 pid)
{
	return bpf_map_lookup_elem(&processes, &pid);
}

static __always_inline int process_is_go(const struct process *p)
{
	return p && p->flags & PROCESS_GO;
}

static __always_inline int process_traced(const struct process *p)
{
	return p ? p->flags & PROCESS_TRACED : trace_all;
}

static __always_inline void processes_changed(void)
{
	__u32 who = CHANGES_BY_PROGRAMS;
	__u64 *changes = bpf_map_lookup_elem(&process_changes, &who);

	if (changes)
		__sync_fetch_and_add(changes, 1);
}

/* A number that is another one after each change of the table. */
static __always_inline __u64 processes_version(void)
{
	__u32 programs = CHANGES_BY_PROGRAMS, receiver = CHANGES_BY_RECEIVER;
	volatile __u64 *a = bpf_map_lookup_elem(&process_changes, &programs);
	volatile __u64 *b = bpf_map_lookup_elem(&process_changes, &receiver);

	return a && b ? *a + *b : 0;
}
