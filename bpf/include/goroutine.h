/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The goroutine that a thread runs, read from the thread's own memory. */
#pragma once

#include "event.h"
#include "process.h"

/*
 * Go keeps the current goroutine (runtime.g) in a thread-local slot on amd64.
 * fsbase in the task is current: Go sets it through arch_prctl or clone, and both
 * store it there.
 */
static __always_inline void goroutine_read(struct event *e, const struct process *p)
{
#if defined(__TARGET_ARCH_x86)
	if (!process_is_go(p))
		return;

	struct task_struct *task = (void *)bpf_get_current_task();
	unsigned long fsbase = READ(task_struct, task, thread.fsbase);
	__u64 g = 0;

	if (bpf_probe_read_user(&g, sizeof(g), (void *)(fsbase + p->g_offset)) || !g)
		return;
	bpf_probe_read_user(&e->goroutine, sizeof(e->goroutine), (void *)(g + p->goid_offset));
	if (p->parent_offset)
		bpf_probe_read_user(&e->parent_goroutine, sizeof(e->parent_goroutine),
				    (void *)(g + p->parent_offset));
#endif
}
