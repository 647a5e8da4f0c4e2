/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The goroutine that is in a system call, by the thread's registers. */
#pragma once

#include "goroutine.h"
#include "payload.h"
#include "usercall.h"

/* Words of a runtime.g, from its start: the first two are the bounds of its stack, in all versions. */
#define G_STACK_LO 0
#define G_STACK_HI 1

/*
 * Reads the ids of the calling goroutine and its parent at once, not in three reads. Go has its
 * runtime.g in a register (ABIInternal, since 1.17) and leaves it there when it calls the kernel
 * (internal/runtime/syscall). Code in C may have anything there: whose stack the thread is on
 * tells. Returns whether it could.
 */
static __always_inline int goroutine_in_register(struct scratch *s, const struct process *p)
{
	struct pt_regs *regs = user_registers(current_task());
	__u64 sp = USER_STACK(regs);
	__u32 id = p->goid_offset / sizeof(__u64), parent = p->parent_offset / sizeof(__u64);
	__u32 last = id > parent ? id : parent;

	if (last >= G_WORDS)
		return 0;
	if (bpf_probe_read_user(s->g, (last + 1) * sizeof(__u64), (void *)USER_G(regs)))
		return 0;
	if (sp < s->g[G_STACK_LO] || sp >= s->g[G_STACK_HI])
		return 0;
	s->event.goroutine = s->g[id % G_WORDS];
	s->event.parent_goroutine = parent ? s->g[parent % G_WORDS] : 0;
	return 1;
}

/* Writes the goroutine of a thread in a system call to the scratch event. */
static __always_inline void goroutine_calls(struct scratch *s, const struct process *p)
{
	if (process_is_go(p) && !goroutine_in_register(s, p))
		goroutine_read(&s->event, p);
}
