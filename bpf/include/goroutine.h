/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The goroutine that a thread runs, read from the thread's own memory. */
#pragma once

#include "event.h"
#include "process.h"

/*
 * The runtime.g that the calling thread runs, 0 where that is not known. Go keeps it in a
 * thread-local slot on amd64. fsbase in the task is current: Go sets it through arch_prctl
 * or clone, and both store it there.
 */
static __always_inline __u64 goroutine_of_thread(const struct process *p)
{
	__u64 g = 0;

#if defined(__TARGET_ARCH_x86)
	if (!process_is_go(p))
		return 0;
	struct task_struct *task = (void *)bpf_get_current_task();
	unsigned long fsbase = READ(task_struct, task, thread.fsbase);

	if (bpf_probe_read_user(&g, sizeof(g), (void *)(fsbase + p->g_offset)))
		return 0;
#endif
	return g;
}

/* Reads the id of a runtime.g, and of who started it. */
static __always_inline void goroutine_ids(__u64 g, const struct process *p, __u64 *id, __u64 *parent)
{
	bpf_probe_read_user(id, sizeof(*id), (void *)(g + p->goid_offset));
	if (p->parent_offset)
		bpf_probe_read_user(parent, sizeof(*parent), (void *)(g + p->parent_offset));
}

static __always_inline void goroutine_read(struct event *e, const struct process *p)
{
	__u64 g = goroutine_of_thread(p);

	if (g)
		goroutine_ids(g, p, &e->goroutine, &e->parent_goroutine);
}

/* Reserves an event of a socket's, by the goroutine that the caller runs. */
static __always_inline struct event *event_of_socket(__u8 kind, const struct process *p, __u64 socket)
{
	struct event *e = event_reserve(kind);

	if (!e)
		return NULL;
	goroutine_read(e, p);
	e->socket = socket;
	return e;
}
