/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether the calling process is traced. Programs at system calls ask that at each call of
 * each process on the host, so what the table said is kept for the process that asked last
 * on a CPU.
 */
#pragma once

#include "process.h"

/* What is known of one process, all in one word, as a program may be preempted by itself. */
#define CALLER_FLAGS 0xff
#define CALLER_VERSION_SHIFT 8 /* 24 bits of processes_version */
#define CALLER_VERSION 0xffffff
#define CALLER_PID_SHIFT 32

struct caller {
	__u64 known;
	__u64 pad[7]; /* a cache line for each CPU */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* set by the loader: the possible CPUs */
	__type(key, __u32);
	__type(value, struct caller);
} callers SEC(".maps");

/* Flags of processes whose entry tells more than that they are traced. */
#define PROCESS_RUNTIMES (PROCESS_GO | PROCESS_ASYNCIO)

/* The flags of a process, the caller, 0 where it is not traced. */
static __always_inline __u32 caller_flags(__u32 pid)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct caller *c = bpf_map_lookup_elem(&callers, &cpu);
	__u64 now, flags;

	if (!c)
		return 0;
	/* The version is taken before the table is looked at: what changes meanwhile is seen next time. */
	now = (__u64)pid << CALLER_PID_SHIFT | (processes_version() & CALLER_VERSION) << CALLER_VERSION_SHIFT;
	flags = *(volatile __u64 *)&c->known ^ now;
	if (flags > CALLER_FLAGS) {
		struct process *p = process_find(pid);

		flags = p ? p->flags & CALLER_FLAGS : trace_all;
		*(volatile __u64 *)&c->known = now | flags;
	}
	return flags & PROCESS_TRACED ? flags : 0;
}

/* The caller's entry, NULL where it tells no more than the flags. */
static __always_inline struct process *caller_entry(__u32 flags)
{
	return flags & PROCESS_RUNTIMES ? process_find(bpf_get_current_pid_tgid() >> 32) : NULL;
}
